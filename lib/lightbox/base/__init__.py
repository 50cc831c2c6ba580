"""What every wing stands on: errors, folders, whole files, progress, language."""
