"""The block `datasource "bigquery"`: its attributes."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import field_validator, model_validator

from zenctl.schema import DatasourceType, SourceModel, attribute

if TYPE_CHECKING:
    from typing_extensions import Self

_NAME = r"[\w\- ]+"
_PROJECT = r"^(|([a-z0-9.\-]+:)?[a-z][a-z0-9\-]{4,28}[a-z0-9])$"
_TABLE = re.compile(rf"(?:(?:[a-z0-9.\-]+:)?[a-z0-9\-]+\.)?\w+\.{_NAME}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")


class BigQuery(SourceModel):
    """The block's attributes."""

    project: str = attribute(
        "The project of tables that are named without one. Default: that of the credentials.",
        default="",
        fingerprint=False,
        pattern=_PROJECT,
    )
    table: str = attribute("The table to read: `dataset.table` or `project.dataset.table`.", default="")
    query: str = attribute("A SELECT in GoogleSQL, instead of a table.", default="")
    snapshot_time: str = attribute(
        "Read the table as it was at this time (RFC 3339, such as 2026-01-31T00:00:00Z), at most seven days ago. Later "
        "changes then change nothing. Default: as it is.",
        default="",
    )
    columns: list[str] = attribute("The columns to read from a table, in this order. Default: all.", default=[])
    filter: str = attribute(
        'Which rows to read from a table: a condition in GoogleSQL, such as `country = "DE"`.', default=""
    )
    partition: str = attribute(
        "A column of whole numbers, such as a key that grows: rows are read range by range of its values, and ranges "
        "that did not change are not written anew. Default: the column that the table is partitioned by; without one "
        "all rows are one part.",
        default="",
    )
    partition_size: int = attribute(
        "How many values of `partition` a range has.", default=100_000, fingerprint=False, gt=0
    )
    version_query: str = attribute(
        "A SELECT of one value that changes whenever the rows of `query` do. Default: they change if a table changes "
        "that the query reads.",
        default="",
    )
    types: dict[str, Literal["int", "float", "string"]] = attribute(
        "Types of columns. Default: what BigQuery says; decimals, dates and times are string.", default={}
    )
    location: str = attribute(
        "Where queries run, such as EU. Default: where the tables are.", default="", fingerprint=False
    )
    billing_project: str = attribute(
        "The project that queries and reads are made and paid for in. Default: `project`.",
        default="",
        fingerprint=False,
        pattern=_PROJECT,
    )
    maximum_bytes_billed: int | None = attribute(
        "A query that would process more bytes is refused when it is planned.", default=None, fingerprint=False, gt=0
    )
    endpoint: str | None = attribute(
        "URL of another server for BigQuery's API: a private endpoint, or an emulator (http://..., which gets no "
        "credentials). Without it BIGQUERY_EMULATOR_HOST, else Google's.",
        default=None,
        fingerprint=False,
        pattern=r"^https?://[^/\s]+/?$",
    )
    read_endpoint: str | None = attribute(
        "URL of another server for the Storage Read API; of an emulator that has a port of its own for it. Default: "
        "`endpoint` if that is an emulator, else Google's.",
        default=None,
        fingerprint=False,
        pattern=r"^https?://[^/\s]+/?$",
    )
    retry_seconds: int = attribute(
        "How long a request is repeated that fails for a reason which may pass.", default=60, fingerprint=False, ge=0
    )

    @model_validator(mode="after")
    def _one_of_table_and_query(self) -> Self:
        if bool(self.table) == bool(self.query):
            raise ValueError("give either table or query")
        if self.query:
            for name, hint in (
                ("columns", "select them in the query"),
                ("filter", "write it into the query"),
                ("snapshot_time", "write FOR SYSTEM_TIME AS OF after the tables in the query"),
            ):
                if getattr(self, name):
                    raise ValueError(f"{name} goes with table; {hint}")
        elif self.version_query:
            raise ValueError("version_query goes with query; of a table BigQuery knows when it changed")
        return self

    @field_validator("table")
    @classmethod
    def _a_table(cls, name: str) -> str:
        if name and not _TABLE.fullmatch(name):
            raise ValueError('name it "dataset.table" or "project.dataset.table", without quotes')
        return name

    @field_validator("columns")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
        if twice is not None:
            raise ValueError(f'"{twice}" is named twice')
        return names

    @field_validator("snapshot_time")
    @classmethod
    def _a_moment(cls, text: str) -> str:
        if text:
            if not _MOMENT.fullmatch(text):
                raise ValueError("give a time as RFC 3339 has it, such as 2026-01-31T00:00:00Z")
            datetime.fromisoformat(text[:19])
        return text

    @property
    def asks(self) -> str:
        """The projects, the server and what it is asked for: plan has BigQuery run queries, and someone pays."""
        where = f" at {self.endpoint}" if self.endpoint else ""
        where += f" and {self.read_endpoint}" if self.read_endpoint else ""
        payer = self.billing_project or self.project or "the credentials' project"
        texts = (self.table, self.query, self.filter, self.version_query)
        wanted = " and ".join(f'"{text}"' for text in texts if text)
        limit = f", at most {self.maximum_bytes_billed} bytes" if self.maximum_bytes_billed else ""
        columns = f" ({', '.join(self.columns)})" if self.columns else ""
        moment = f" as of {self.snapshot_time}" if self.snapshot_time else ""
        of = f" of {self.project}" if self.project else ""
        return f"BigQuery{where} for {wanted}{columns}{moment}{of}, paid by {payer}{limit}"


BIGQUERY = DatasourceType(
    name="bigquery",
    description="The rows of a table or a query in BigQuery. Needs the extra `bigquery`.",
    model=BigQuery,
    observe="zenctl.steps.bigquery.observe:observe",
    implementation="zenctl.steps.bigquery.ingest:ingest",
    imports=("numpy", "pyarrow", "google.cloud.bigquery_storage_v1"),
)
