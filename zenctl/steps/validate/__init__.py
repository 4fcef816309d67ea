"""The step `validate`: holds data against a schema, and stops, warns or sets rows aside. Only `schema` is for plan."""
