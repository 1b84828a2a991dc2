"""Task files, and how tasks are picked by name."""
