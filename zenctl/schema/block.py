"""BlockModel: the typed form of a configuration block, a pydantic model whose fields are the block's attributes."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.fields import FieldInfo

if TYPE_CHECKING:
    from typing_extensions import Self

_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
_BUILDING = threading.RLock()

FINGERPRINT = "x-fingerprint"
"""The key under which a field says whether it is part of the fingerprint: true (default), false, or UNLESS_DEFAULT."""
UNLESS_DEFAULT = "unless default"

SECRET_REFERENCE = "x-secret-reference"  # noqa: S105 - the key's name
"""The key under which a field says that it refers to secrets."""


class BlockModel(BaseModel):
    """Base of every block's model: unknown attributes are refused, values are not coerced silently, and it is frozen.

    Field descriptions are the reference documentation and the texts of the JSON Schema.
    """

    # Validators are built with the first use: most models of a program that plans are never used.
    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True, defer_build=True
    )

    @classmethod
    def model_rebuild(cls, *, _parent_namespace_depth: int = 2, **options: Any) -> bool | None:
        """As pydantic's, without its plugins: to look for them it reads the metadata of every installed package."""
        # The variable is that of all threads, and apply has several that use a model for the first time.
        with _BUILDING:
            disabled = os.environ.get(_PLUGINS)
            os.environ[_PLUGINS] = "__all__"
            try:
                return super().model_rebuild(_parent_namespace_depth=_parent_namespace_depth + 1, **options)
            finally:
                del os.environ[_PLUGINS]
                if disabled is not None:
                    os.environ[_PLUGINS] = disabled


class SourceModel(BlockModel):
    """Base of every datasource's model: what all of them can be told."""

    version: str = Field(
        "",
        description="An older snapshot to stay with, whatever the source holds now: the beginning of its digest (6 "
        "digits at least), or the serial of the apply that took it. Without it, the source as it is.",
        json_schema_extra={FINGERPRINT: False},
    )
    compression: Literal["none", "gzip", "zstd"] = Field(
        "none",
        description="How the snapshot's shards are compressed, and those that `split` makes of them. "
        "tf.data.TFRecordDataset reads none as it is and gzip if it is told; Dataset reads all of them.",
    )

    @property
    def in_bucket(self) -> bool:
        """Whether its `path` names objects of a bucket instead of files of this machine."""
        return "://" in str(getattr(self, "path", ""))

    @property
    def on_disk(self) -> str:
        """The attribute that names files of the machine it is read on; empty where it reads none."""
        return "path" if getattr(self, "path", "") and not self.in_bucket else ""

    @property
    def asks(self) -> str:
        """Who is asked what, with whose credentials, where that is a server; told to people. It holds no secret."""
        return ""


class RowsModel(SourceModel):
    """Base of the model of a datasource whose rows can be bad one by one. (The defaults count for no fingerprint.)"""

    bad_rows: Literal["fail", "skip", "quarantine"] = Field(
        "fail",
        description="What becomes of rows that cannot be read, or hold a value that does not have its column's "
        "declared type. fail: the snapshot fails at the first one. skip: they are left out, and counted in a warning. "
        "quarantine: they are kept besides in the output `quarantine`, JSON lines of file, line, reason and text.",
        json_schema_extra={FINGERPRINT: UNLESS_DEFAULT},
    )
    max_bad_rows: int | float | None = Field(
        None,
        description="How many rows may be left out before the snapshot fails after all: a number of rows or, below 1, "
        "a share of all rows (0.01). Default: any number, as long as one row is left.",
        json_schema_extra={FINGERPRINT: UNLESS_DEFAULT},
        ge=0,
    )

    @field_validator("max_bad_rows")
    @classmethod
    def _count_or_share(cls, most: int | float | None) -> int | float | None:
        if most is not None and most >= 1 and most != int(most):
            raise ValueError("max_bad_rows is a whole number of rows, or a share of them below 1")
        return most

    @model_validator(mode="after")
    def _limit_of_something(self) -> Self:
        if self.max_bad_rows is not None and self.bad_rows == "fail":
            raise ValueError('max_bad_rows is for rows that are left out: give bad_rows = "skip" or "quarantine", too')
        return self


def attribute(
    description: str,
    *,
    default: Any = ...,
    fingerprint: bool = True,
    sensitive: bool = False,
    exclusive: bool = False,
    secret_reference: bool = False,
    **constraints: Any,
) -> Any:
    """Declare an attribute: what it means, its default (none = required), and pydantic constraints (`gt=0` ...).

    `fingerprint=False` marks what cannot change the result (a path, a port, a name): editing it makes nothing stale.
    `sensitive=True` marks a secret, which is never shown, whatever value it is given. `exclusive=True` marks what only
    one live endpoint can have at a time (a port): another takes it after it is given up. The default stands for none.
    `secret_reference=True` marks what says where a secret is (`env:NAME`), or does so by name: that the backend can get
    at it is checked before anything runs.
    """
    marks = (("x-sensitive", sensitive), ("x-exclusive", exclusive), (SECRET_REFERENCE, secret_reference))
    extra: dict[str, Any] = {FINGERPRINT: fingerprint, **{name: True for name, on in marks if on}}
    return Field(default, description=description, json_schema_extra=extra, **constraints)


def is_sensitive(info: FieldInfo) -> bool:
    """Whether an attribute was declared as a secret."""
    return _declared(info, "x-sensitive")


def is_exclusive(info: FieldInfo) -> bool:
    """Whether only one live endpoint can have a value of the attribute."""
    return _declared(info, "x-exclusive")


def is_secret_reference(info: FieldInfo) -> bool:
    """Whether an attribute says where a secret is, or where secrets are by name."""
    return _declared(info, SECRET_REFERENCE)


def _declared(info: FieldInfo, name: str) -> bool:
    return isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get(name) is True


def is_fingerprinted(info: FieldInfo) -> bool:
    """Whether an attribute is part of the fingerprint, be it only with another value than its default."""
    return not (isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get(FINGERPRINT) is False)


def counts(info: FieldInfo, value: Any) -> bool:
    """Whether an attribute that has this value is part of the fingerprint."""
    later = isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get(FINGERPRINT) == UNLESS_DEFAULT
    return is_fingerprinted(info) and not (later and value == info.default)


def fingerprinted(model: BlockModel) -> dict[str, Any]:
    """The attributes that are part of the fingerprint, as plain data; defaults included, so that they are pinned.

    Left out while they have their default are those that came to be later (`UNLESS_DEFAULT`): what is recorded without
    them stands.
    """
    data = model.model_dump(mode="python")
    return {name: data[name] for name, info in type(model).model_fields.items() if counts(info, data[name])}
