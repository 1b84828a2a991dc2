"""Runs in the formats of other tools, and runs made of theirs."""
