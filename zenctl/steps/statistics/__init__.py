"""The step `statistics`: what values a dataset's columns hold, as JSON and as a page. Only `schema` is for plan."""
