"""Records counted: by level, by VM error, over the runs of a folder."""
