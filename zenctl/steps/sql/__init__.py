"""The datasource `sql`: the rows of a query, from SQLite, PostgreSQL or MySQL, through SQLAlchemy.

`schema` and `observe` are light until plan looks at such a source: then `connecting` loads SQLAlchemy.
"""
