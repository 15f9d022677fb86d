"""Scores and histories become tables, pictures and one HTML page."""
