"""Carrying out one run, without pytest: what is asked, what is under way, what came of it."""
