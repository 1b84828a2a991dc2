"""Did it get worse: results of two runs side by side, the statistics, the verdict."""
