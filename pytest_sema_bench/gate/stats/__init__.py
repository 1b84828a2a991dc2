"""Statistics of pass rates: intervals, paired tests, repeated samples. No other module's types."""
