"""Trial folders to start from."""
