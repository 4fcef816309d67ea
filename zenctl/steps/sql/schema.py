"""The block `datasource "sql"`: its attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import field_validator, model_validator

from zenctl.schema import DatasourceType, RowsModel, attribute

if TYPE_CHECKING:
    from typing_extensions import Self


class Sql(RowsModel):
    """The block's attributes."""

    dialect: Literal["sqlite", "postgresql", "mysql"] = attribute("What kind of database it is.", fingerprint=False)
    database: str = attribute(
        "The database's name; of SQLite the file, relative to the configuration's folder.",
        fingerprint=False,
        min_length=1,
    )
    host: str = attribute("The server's name or address.", default="127.0.0.1", fingerprint=False, min_length=1)
    port: int | None = attribute("The server's port. Default: 5432, or 3306.", default=None, fingerprint=False, gt=0)
    user: str = attribute("Who signs in.", default="", fingerprint=False)
    password: str = attribute(
        'Where the password is, never the password itself: "env:NAME" or "file:PATH", where zenctl plans and where the '
        "job runs.",
        default="",
        fingerprint=False,
        secret_reference=True,
        pattern="^(|env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$",
    )
    table: str = attribute("The table to read, with its schema if it needs one.", default="")
    query: str = attribute("A SELECT, instead of a table.", default="")
    partition: str = attribute(
        "A column of whole numbers, such as a key that grows: rows are read range by range of its values, and ranges "
        "that did not change are not written anew. Without it all rows are one part.",
        default="",
    )
    partition_size: int = attribute("How many values of `partition` a range has.", default=100_000, gt=0)
    version_query: str = attribute(
        "A SELECT of one value that changes whenever the rows do, such as the time of the last change. Without it plan "
        "reads all rows to see whether they changed.",
        default="",
    )
    types: dict[str, Literal["int", "float", "string"]] = attribute(
        "Types of columns. Default: what the database gives; decimals, dates and times are string.", default={}
    )

    @model_validator(mode="after")
    def _one_of_table_and_query(self) -> Self:
        if bool(self.table) == bool(self.query):
            raise ValueError("give either table or query")
        return self

    @field_validator("query", "version_query")
    @classmethod
    def _one_statement(cls, text: str) -> str:
        if ";" in text.strip().rstrip(";"):
            raise ValueError(
                'a semicolon would begin another statement: give one SELECT; in a text write chr(59) for ";"'
            )
        return text

    @property
    def on_disk(self) -> str:
        return "database" if self.dialect == "sqlite" else ""

    @property
    def asks(self) -> str:
        """The database, where the password is, and the queries: plan has the server run them."""
        place = f"{self.dialect}://{self.user}@{self.host}:{self.port or ''}/{self.database}"
        queries = " and ".join(f'"{text}"' for text in (self.table, self.query, self.version_query) if text)
        return f"{place} (password {self.password or 'none'}) for {queries}"


SQL = DatasourceType(
    name="sql",
    description="The rows of a table or a query in SQLite, PostgreSQL, MySQL or MariaDB. Needs the extra `sql`.",
    model=Sql,
    observe="zenctl.steps.sql.observe:observe",
    implementation="zenctl.steps.sql.ingest:ingest",
    imports=("numpy", "pyarrow", "sqlalchemy"),
)
