"""Recommenders without training by gradient, scored like the trained models."""
