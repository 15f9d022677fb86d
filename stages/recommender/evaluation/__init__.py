"""How good a ranking is: metrics, filters, baselines, intervals and tests, error analysis."""
