"""What is written down of a run, and the one way to read it."""
