"""The datasource `text`: a line or a file is a row.

`schema` and `observe` are light; `ingest` needs pyarrow.
"""
