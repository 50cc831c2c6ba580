"""What a cell shows, in one look."""
