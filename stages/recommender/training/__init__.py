"""Models trained: batches, the loop, checkpoints, determinism, scoring."""
