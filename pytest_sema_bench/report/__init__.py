"""How results are shown: text for the terminal, Markdown for `summary.md`. Prints nothing."""
