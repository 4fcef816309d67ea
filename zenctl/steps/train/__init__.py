"""The step `train`: a Keras feed-forward network, exported so that it takes raw features. Only `schema` is imported at plan."""
