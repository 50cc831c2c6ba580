"""Numbers that others printed: set beside ours, and audited."""
