"""The datasource `parquet`: its footer is read at plan with the standard library, its row groups by a job.

`schema`, `observe` and `footer` are light; `ingest` and `typing` need pyarrow.
"""
