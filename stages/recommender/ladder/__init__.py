"""From the notebook to the repaired pipeline, one defect at a time."""
