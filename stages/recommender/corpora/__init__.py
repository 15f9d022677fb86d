"""The outside world turned into raw tables: fetching, ReDial, MovieLens, the sample corpus."""
