"""Source: what a kind of data needs in order to become snapshots. A new kind of source is a class and a function.

A source is told apart into parts: stretches of rows that can be read by themselves, a few MiB each, cut where the
content says so, that a change leaves most of them as they were. `digest` names a part's content. A part whose digest is
known from the last snapshot is neither read nor encoded, as far as shards can be taken over (`steps.data.assembling`);
so `digest` must change with whatever could change the part's rows, and hold still otherwise. Parts do not show in a
snapshot: the same rows give the same bytes, however they were cut, and whichever kind of source they came from.

What there is to write, and where:

1. `observe(model, root, cache) -> SourceState`, named by the `DatasourceType`: looks at the source for plan, with the
   standard library only (`schema.types.Observe`).
   `observe_objects(model, buckets, cache)` does the same for a `path` in a bucket, if such are to be read: with
   `steps.data.objects`, of what the store says of its objects. The job finds local files in their place.
2. `parts` and `digest`: cuts the source, in the job. Raises StepError source_changed if it is not what plan saw
   (`job.expect["source"]` is the digest that `observe` gave).
3. `read(part)`: a part's rows. Raises StepError source_changed if they are not those that were cut.
4. `locate(part, row, problem)`: the error for a value, by its place in the user's data.

A source whose rows can be bad one by one has more to say, `steps.data.bad_rows.Salvageable`, and its block is a
`schema.RowsModel`: then `bad_rows` and `max_bad_rows` are heeded for it.

The job's function makes the source and calls `ingesting.ingest(job, source)`. A source must be picklable: Beam workers
read its parts. `steps.data.testing.SourceConformance` holds it to all of this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from zenctl.sdk.errors import StepError


class Source(Protocol):
    """Rows in parts, in order."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in the order of the snapshot."""
        ...

    @property
    def declared(self) -> Mapping[str, str]:
        """Types that the block declares for some columns: int, float or string."""
        ...

    @property
    def form(self) -> Mapping[str, Any]:
        """What a part's rows follow from besides its bytes, as JSON: the kind of source, its dialect."""
        ...

    @property
    def parts(self) -> int:
        """How many parts there are."""
        ...

    def digest(self, part: int) -> str:
        """Names the content of a part: equal digests, equal rows."""
        ...

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """The part's rows: batches of a MiB or more with the columns `names`, in this order.

        A column of strings that is not declared becomes int or float if all its values are numbers, so a source that
        knows better declares its texts. Any other Arrow type that a Dataset can hold stays what it is.
        """
        ...

    def locate(self, part: int, row: int, problem: str) -> StepError:
        """The error for row `row` of the part, counted from 0, with the file and the line, or whatever finds it."""
        ...
