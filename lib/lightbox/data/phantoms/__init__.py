"""Generated image sets that stand in for the real ones."""
