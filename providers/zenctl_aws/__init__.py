"""The provider of Amazon Web Services."""
