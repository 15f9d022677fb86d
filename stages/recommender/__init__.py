"""One free-text request in, a ranked list of movies out."""
