"""From batches to a trained network; knows no store and no study."""
