"""Looks at a source of images in a bucket for plan: at what the store says of its objects. Standard library only."""

from __future__ import annotations

from dataclasses import replace

from zenctl.diagnostics import DiagnosticError, error
from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.schema.types import Buckets
from zenctl.steps.data.objects import content_digest, find_objects, locations_of, state_of
from zenctl.steps.data.observing import empty, placed
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.images.listing import IMAGE, by_folder, is_image
from zenctl.steps.images.observe import images_digest
from zenctl.steps.images.schema import Images


def observe_objects(model: BlockModel, buckets: Buckets, cache: SourceCache) -> SourceState:  # noqa: ARG001 - none is read
    """The source as its bucket says it is. With a file of labels, which is not read, all images below `path` count.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_labels, source_unsupported.
    """
    if not isinstance(model, Images):
        raise TypeError(f"observe_objects takes the block of an images datasource, not {type(model).__name__}")
    if model.labels and "://" not in model.labels:
        detail = f"The images are in a bucket: put {model.labels} there, too, and name it as it is named there."
        raise DiagnosticError(error("source_unsupported", "path and labels lie in different places", detail))
    folder = f"{model.path.rstrip('/')}/"
    if set("*?[") & set(folder):
        detail = "An images datasource reads all images below a folder."
        raise DiagnosticError(error("source_unsupported", f"{model.path} is a pattern", detail))
    images = {name: found for name, found in find_objects(folder, buckets, "images", ["*"]).items() if is_image(name)}
    if not images:
        raise empty(model.path, "images")
    labels = find_objects(model.labels, buckets, "images", ["*.csv"]) if model.labels else {}
    if len(labels) > 1:
        detail = "Name the one object that holds the labels."
        raise DiagnosticError(error("source_unsupported", f"{model.labels} is several objects", detail))
    try:
        tops = by_folder(images) if not labels else dict.fromkeys(images)
    except FileProblem as problem:
        raise DiagnosticError(placed(problem, model.path)) from problem
    digests = [content_digest(found) for found in (*images.values(), *labels.values())]
    named = {**tops, **{f"labels {name}": None for name in labels}}
    everything = {f"{IMAGE}{name}": found for name, found in images.items()}
    everything |= {"labels": next(iter(labels.values()))} if labels else {}
    state = state_of("images", everything, None if labels else len(images))
    types = {"image": "bytes", "label": "string", "path": "string"}
    return replace(state, digest=images_digest(named, digests), columns=types, locations=locations_of(everything))
