"""The datasource `jsonl`: one JSON object a line, counted at plan with the standard library, parsed by a job.

`schema`, `observe`, `lines` and `kinds` are light; `ingest` and `reading` need pyarrow.
"""
