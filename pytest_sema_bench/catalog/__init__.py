"""Which models there are, how each is asked, and what it costs."""
