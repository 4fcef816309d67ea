"""The step `train`: a Keras feed-forward network, exported to take raw features. Only `schema` is imported at plan."""
