"""The datasource `tfrecord`: records are counted at plan with the standard library, checked and decoded by a job.

`schema`, `observe` and `walking` are light; `ingest`, `reading` and `messages` are not.
"""
