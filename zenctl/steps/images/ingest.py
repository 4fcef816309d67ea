"""The images source in a job: the very files that plan saw, many of them a part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import pyarrow as pa

from zenctl.digests import sha256_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.data import ingesting
from zenctl.steps.data.pieces import Piece, grouped, whole_digest
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.reading import changed, gone, read_stretch
from zenctl.steps.images.formats import problem_of
from zenctl.steps.images.listing import IMAGE, by_folder, images_of, labelled
from zenctl.steps.images.observe import images_digest

if TYPE_CHECKING:
    from zenctl.sdk import Job

PART = PartSize()
_HINT = "Write the image anew, or take it out of the folder."


def ingest(job: Job) -> None:
    """Write the snapshot as output `data`.

    Raises StepError: source_changed if the images are not those that plan saw (`job.expect["source"]`), bad_data for
    one that is none, or cut off.
    """
    ingesting.ingest(job, ImagesSource.of(job))


@dataclass(frozen=True)
class ImagesSource:
    """Parts are groups of files; see `steps.data.sources.Source`. `labels` by the name of the file."""

    labels: Mapping[str, str | None]
    pieces: tuple[tuple[Piece, ...], ...]

    @classmethod
    def of(cls, job: Job, size: PartSize | None = None) -> ImagesSource:
        """The source of a job, its files digested. Raises StepError."""
        images, paths = _fetched(job) if "images" not in job.locations else _listed(job)
        files = []
        for name in images:
            length, sha256 = whole_digest(paths[name])
            files.append(Piece(name, paths[name], 0, length, sha256))
        expected = job.expect.get("source")
        if expected and images_digest(images, [file.sha256 for file in files]) != expected:
            raise changed(Path(job.locations["images"]))
        return cls(images, tuple(grouped(files, size or PART)))

    @property
    def names(self) -> tuple[str, ...]:
        return ("image", "label", "path")

    @property
    def declared(self) -> Mapping[str, str]:
        return {"image": "bytes", "label": "string", "path": "string"}

    @property
    def form(self) -> Mapping[str, Any]:
        return {"type": "images"}

    @property
    def parts(self) -> int:
        return len(self.pieces)

    def digest(self, part: int) -> str:
        """Of the images' names, labels and bytes."""
        return sha256_json([[piece.name, self.labels[piece.name] or "", piece.sha256] for piece in self.pieces[part]])

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """The part's rows: one batch."""
        pieces = self.pieces[part]
        images = []
        for row, piece in enumerate(pieces):
            data = read_stretch(piece.path, 0, piece.length, piece.sha256)
            problem = problem_of(data)
            if problem:
                raise self.locate(part, row, problem)
            images.append(data)
        arrays = [
            pa.array(images, pa.large_binary()),
            pa.array([self.labels[piece.name] for piece in pieces], pa.string()),
            pa.array([piece.name for piece in pieces], pa.string()),
        ]
        yield pa.RecordBatch.from_arrays(arrays, names=list(self.names))

    def locate(self, part: int, row: int, problem: str) -> StepError:
        """With the image's file."""
        if not self.pieces:
            return StepError(problem, _HINT)
        piece = self.pieces[part][row]
        return StepError(f"{piece.name}: {problem}", _HINT, file=str(piece.path))


Listed = tuple[Mapping[str, Union[str, None]], Mapping[str, Path]]
"""Labels and files by the images' names."""


def _listed(job: Job) -> Listed:
    """The images of a folder as they are now."""
    folder = Path(job.locations["images"])
    labels = Path(job.locations["labels"]) if "labels" in job.locations else None
    try:
        images = images_of(folder, labels)
    except OSError as problem:
        raise gone(folder, problem) from problem
    except FileProblem as problem:
        raise changed(labels or folder) from problem
    return images, {name: folder / name for name in images}


def _fetched(job: Job) -> Listed:
    """The images that were fetched from a bucket. Of the labels plan knew nothing: what is wrong with them is told."""
    paths = {name.removeprefix(IMAGE): Path(at) for name, at in job.locations.items() if name.startswith(IMAGE)}
    if "labels" not in job.locations:
        return by_folder(paths), paths
    labels = Path(job.locations["labels"])
    try:
        found = labelled("named by `path`", labels, paths.__contains__)
    except FileProblem as problem:
        at = f"{labels.name}:{problem.line}" if problem.line else labels.name
        raise StepError(f"{at}: {problem.message}", problem.hint, str(labels), problem.line) from problem
    return dict(sorted(found.items())), paths
