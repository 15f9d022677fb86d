"""Movies: their titles, the catalogue, and the join to MovieLens."""
