"""One script a stage of the pipeline, and the library that they share."""
