"""A network by name: its weights, head, frozen layers and anatomy."""
