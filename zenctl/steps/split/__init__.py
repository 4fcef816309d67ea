"""The step `split`: divides the rows of a dataset, each by its own content. Only `schema` is imported at plan."""
