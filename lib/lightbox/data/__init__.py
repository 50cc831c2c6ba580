"""Images from a folder to arrays: read, audited, split, decoded."""
