"""Trained models at work: a request in plain words in, ranked movies with reasons out."""
