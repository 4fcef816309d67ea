"""Lists the images of a folder with their labels, for plan and for the job alike. Standard library only."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from zenctl.diagnostics import did_you_mean
from zenctl.steps.data.problems import FileProblem

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")
COLUMNS = ("file", "label")

IMAGE = "image/"
"""What names an image among the locations of a source in a bucket, before its own name."""


def images_of(folder: Path, labels: Path | None) -> dict[str, str | None]:
    """Labels by file name relative to the folder, sorted by it; None where there are no labels at all.

    Raises OSError, and FileProblem for a file of labels that is none, and for images beside folders of others.
    """
    if labels is not None:
        return dict(sorted(labelled(folder.name, labels, lambda name: (folder / name).is_file()).items()))
    return by_folder(_below(folder, ""))


def is_image(name: str) -> bool:
    """Whether a file's name is that of an image which is meant: what begins with a dot is not."""
    return name.lower().endswith(SUFFIXES) and not any(part.startswith(".") for part in name.split("/"))


def by_folder(names: Iterable[str]) -> dict[str, str | None]:
    """The first folder of each image, sorted by name; None where none lies in any. Raises FileProblem for a mixture."""
    found = sorted(names)
    tops = {name: name.partition("/")[0] if "/" in name else None for name in found}
    loose = next((name for name, top in tops.items() if top is None), None)
    if loose is not None and any(tops.values()):
        message = f"{loose} lies beside folders of images: it has no label"
        raise FileProblem(message, "Move it into a folder, or name a file of `labels`.", code="source_labels")
    return tops


def _below(folder: Path, prefix: str) -> list[str]:
    """Images at any depth; what begins with a dot is not meant, and links to folders are not followed."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                found += _below(folder / entry.name, f"{prefix}{entry.name}/")
            elif entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                found.append(prefix + entry.name)
    return found


def labelled(folder: str, labels: Path, is_there: Callable[[str], bool]) -> Mapping[str, str]:
    """Labels by the names that a file of labels gives, in its order. Raises OSError and FileProblem."""
    found: dict[str, str] = {}
    try:
        with open(labels, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            names = list(reader.fieldnames or [])
            missing = [name for name in COLUMNS if name not in names]
            if missing:
                hint = f"Its first line names the columns file and label.{did_you_mean(missing[0], names)}"
                raise FileProblem(f'it has no column "{missing[0]}"', hint, 1, code="source_labels")
            for row in reader:
                name, label = os.path.normpath(row["file"] or ""), row["label"]
                if not row["file"] or not label or name.startswith(("..", "/")):
                    hint = "Give a file below the folder of images and its label in every line."
                    raise FileProblem("it names no file, or no label", hint, reader.line_num, code="source_labels")
                if name in found:
                    raise FileProblem(
                        f"{name} is there twice", "Name each image once.", reader.line_num, code="source_labels"
                    )
                if not is_there(name):
                    hint = f"Paths are relative to the folder of images, {folder}."
                    raise FileProblem(f"there is no image {name}", hint, reader.line_num, code="source_labels")
                found[name] = label
    except (UnicodeDecodeError, csv.Error) as problem:
        raise FileProblem(
            f"it cannot be read as CSV in UTF-8: {problem}", "Export it anew.", code="source_labels"
        ) from problem
    return found
