"""The datasource `csv`: observed at plan with the standard library, taken into a snapshot by a job.

`schema`, `observe`, `files`, `header` and `counting` are light; `ingest`, `reading` and `conversion` need pyarrow.
"""
