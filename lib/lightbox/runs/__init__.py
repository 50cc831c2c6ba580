"""Which runs a section makes, and the folder that each leaves."""
