"""The step `sequence`: windows over time series, as rows that a network can learn from. Only `schema` is for plan."""
