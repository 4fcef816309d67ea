"""The datasource `bigquery`: the rows of a table or of a query of BigQuery, as of one moment.

`schema` and `observe` are light: plan asks BigQuery's REST API through google-auth (`rest`). The job reads rows through
the Storage Read API (`reading`), which alone loads Google's SDK.
"""
