"""Every number from `predictions.csv`: metrics, intervals, tests, curves."""
