"""The datasource `images`: a folder for each class, or a file of labels.

`schema`, `observe`, `listing` and `formats` are light; `ingest` needs pyarrow.
"""
