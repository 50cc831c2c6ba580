"""One file a notebook."""
