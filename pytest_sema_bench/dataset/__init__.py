"""Training data: rows from sources, runs and suites, each proven on the VM."""
