"""Decides which stored objects nobody needs any more. Pure, but for the lists of files that it has read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping

from zenctl.jobs.artifacts import ARCHIVES, NOTES, Tree, blob_path, code_path, noted_artifact, tree_path
from zenctl.jobs.checkpoints import CHECKPOINTS, checkpoint_key, key_of
from zenctl.jobs.queue import QUEUES, RUNNERS
from zenctl.jobs.storage import ObjectInfo
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.inventory import Inventory, Run
from zenctl.metadata.store import Artifact, ArtifactState

TREES = "trees/"
"""Where the lists of artifacts' files lie."""

PREFIXES = (ARCHIVES, "blobs/", CHECKPOINTS, "code/", "jobs/", NOTES, QUEUES, RUNNERS, TREES)
"""What zenctl writes in an artifact store; anything else there is not its own."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What stays although nothing needs it: the newest `keep` versions of each address in each workspace that is there,
    and what was run or reused in the last `older_than` seconds.
    """

    keep: int = 0
    older_than: float = 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What deciding is based on.

    `project` is the one whose results may be freed, `workspaces` those of it that are there. `needed` are digests of
    artifacts that must stay, unless they are recorded as deleted; `written` those of what jobs wrote whose end nobody
    has recorded. `stored` are all objects of the artifact store by path, `leftovers` what interrupted writes left.
    Objects that no record names stay if they were written at `written_since` (Unix time) or later.
    """

    inventory: Inventory
    project: str
    workspaces: Collection[str]
    needed: Collection[str]
    stored: Mapping[str, ObjectInfo]
    written: Collection[str] = ()
    leftovers: tuple[ObjectInfo, ...] = ()
    written_since: float | None = None
    now_ms: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """What is freed of one address: how many different results, of which workspaces, and their files."""

    address: str
    workspaces: tuple[str, ...]
    versions: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Garbage:
    """What may be freed. `deleted` are records of artifacts to be marked before an object is touched.

    `objects` are the files and lists of files to be deleted then. `staging` are objects that no record names; those of
    them that an interrupted job may still be writing are `held`. `foreign` are jobs in the artifact store that the
    metadata store does not know: somebody else uses it too.
    """

    deleted: tuple[Artifact, ...] = ()
    objects: tuple[ObjectInfo, ...] = ()
    staging: tuple[ObjectInfo, ...] = ()
    held: tuple[ObjectInfo, ...] = ()
    groups: tuple[Group, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(info.size for info in (*self.objects, *self.staging))

    @property
    def is_empty(self) -> bool:
        return not (self.deleted or self.objects or self.staging)


def find_garbage(facts: Facts, policy: Policy, read: Callable[[Collection[str]], Mapping[str, Tree]]) -> Garbage:
    """What may go. `read` gives the lists of files of artifacts by digest; those that are damaged are left out."""
    artifacts = facts.inventory.artifacts
    by_digest: dict[str, list[Artifact]] = defaultdict(list)
    for artifact in artifacts.values():
        by_digest[_digest(artifact)].append(artifact)
    # What an interrupted collection has marked is nobody's any more, and is gone in part: only a job makes it anew.
    deleted = {digest for digest, found in by_digest.items() if not any(map(_is_live, found))}
    own = {*facts.needed, *(_digest(artifacts[id_]) for id_ in _kept(facts, policy))} - deleted
    kept = own | {*facts.written} | {_digest(artifacts[id_]) for id_ in _of_others(facts)}
    makers = _makers(facts)
    dead = {d: run for d, run in makers.items() if d not in kept and tree_path(d) in facts.stored}
    # No record names yet what a job wrote whose end nobody has recorded.
    live = [*kept, *(d for d in by_digest if d not in kept | deleted | dead.keys())]
    # An artifact whose list of files is damaged cannot be used, nor said what it needs: it will be made anew.
    trees = read([d for d in live if tree_path(d) in facts.stored])
    named = {tree_path(d) for d in live} | {blob_path(f.sha256) for tree in trees.values() for f in tree.files}
    files = _files_of(dead, read(list(dead)), named, facts.stored)
    objects = [info for several in files.values() for info in several]
    named |= {info.path for info in objects} | {code_path(run.archive) for run in facts.inventory.runs if run.archive}
    # A note is of use as long as the shards that it names are there: those of the artifact that it is about.
    notes = (path for path in facts.stored if path.startswith(NOTES))
    named |= {path for path in notes if noted_artifact(path) in trees}
    awaited = _awaited(facts, policy)
    named |= {path for path in facts.stored if path.startswith(CHECKPOINTS) and key_of(path) in awaited}
    unnamed, foreign = _unnamed(facts, named)
    since = facts.written_since
    held = tuple(info for info in unnamed if since is not None and info.modified >= since)
    return Garbage(
        deleted=tuple(a for d in dead for a in by_digest[d] if _is_live(a)),
        objects=tuple(objects),
        staging=tuple(info for info in unnamed if since is None or info.modified < since),
        held=held,
        groups=_groups(facts, dead, files),
        foreign=foreign,
    )


def _awaited(facts: Facts, policy: Policy) -> set[str]:
    """Keys of checkpoints from which an attempt may still go on: the newest one of an address gave no result.

    Those of workspaces of the project that are gone are nobody's.
    """
    since = facts.now_ms - int(policy.older_than * 1000) if policy.older_than else None
    return {
        checkpoint_key(run.project, run.workspace, run.fingerprint)
        for run in facts.inventory.runs
        if run.fingerprint
        and (run.project != facts.project or run.workspace in facts.workspaces)
        and (run.attempted or (since is not None and not run.is_result and run.recorded_ms >= since))
    }


def _kept(facts: Facts, policy: Policy) -> set[int]:
    """Ids of artifacts that the policy keeps."""
    kept: set[int] = set()
    since = facts.now_ms - int(policy.older_than * 1000) if policy.older_than else None
    versions: dict[tuple[str, str], set[tuple[int, ...]]] = defaultdict(set)
    for run in reversed(facts.inventory.runs):
        if run.project == facts.project and run.is_result and run.outputs:
            if since is not None and run.recorded_ms >= since:
                kept |= set(run.outputs)
            newest = versions[run.workspace, run.address]
            if run.workspace in facts.workspaces and (len(newest) < policy.keep or run.outputs in newest):
                newest.add(run.outputs)
                kept |= set(run.outputs)
    return kept


def _of_others(facts: Facts) -> set[int]:
    """Ids of artifacts of projects whose results are not freed here."""
    others = (run for run in facts.inventory.runs if run.project != facts.project)
    return {id_ for run in others for id_ in (*run.inputs, *run.outputs)}


def _makers(facts: Facts) -> dict[str, Run]:
    """Who made what the project has: the oldest execution with it as an output, else the oldest that read it."""
    found: dict[str, Run] = {}
    own = [run for run in facts.inventory.runs if run.project == facts.project]
    for run, ids in (*((run, run.outputs) for run in own), *((run, run.inputs) for run in own)):
        for id_ in ids:
            found.setdefault(_digest(facts.inventory.artifacts[id_]), run)
    return found


def _files_of(
    dead: Mapping[str, Run], trees: Mapping[str, Tree], named: Collection[str], stored: Mapping[str, ObjectInfo]
) -> dict[str, list[ObjectInfo]]:
    """The objects of each dead artifact that nothing else has, each once."""
    taken: set[str] = set()
    found: dict[str, list[ObjectInfo]] = {}
    for digest in dead:
        paths = [blob_path(file.sha256) for file in trees[digest].files] if digest in trees else []
        paths = [path for path in dict.fromkeys((*paths, tree_path(digest))) if path in stored]
        found[digest] = [stored[path] for path in paths if path not in named and path not in taken]
        taken |= {info.path for info in found[digest]}
    return found


def _unnamed(facts: Facts, named: Collection[str]) -> tuple[tuple[ObjectInfo, ...], tuple[str, ...]]:
    """Objects that no record names, and jobs that nobody here ordered."""
    jobs = {run.job_id for run in facts.inventory.runs}
    # The second job of a step that is run twice has no record; but for its end it is called as the first.
    siblings = {_stem(job) for job in jobs}
    staging, foreign = list(facts.leftovers), dict[str, None]()
    for path, info in facts.stored.items():
        if path in named:
            continue
        job = path.split("/")[1] if path.startswith("jobs/") else ""
        if job and job not in jobs and _stem(job) not in siblings:
            foreign[job] = None
        if job not in jobs:
            staging.append(info)
    return tuple(staging), tuple(foreign)


def _groups(facts: Facts, dead: Mapping[str, Run], files: Mapping[str, list[ObjectInfo]]) -> tuple[Group, ...]:
    """What is freed by address, in the order of addresses."""
    artifacts = facts.inventory.artifacts
    versions: dict[str, dict[tuple[int, ...], None]] = defaultdict(dict)
    places: dict[str, dict[str, None]] = defaultdict(dict)
    for run in facts.inventory.runs:
        if run.project == facts.project and run.is_result and any(_digest(artifacts[i]) in dead for i in run.outputs):
            versions[run.address][run.outputs] = None
            places[run.address][run.workspace] = None
    objects: dict[str, list[ObjectInfo]] = defaultdict(list)
    for digest, run in dead.items():
        objects[run.address] += files[digest]
    # What another address has reused or taken over is counted once, where it was made.
    return tuple(
        Group(address, tuple(sorted(places[address])), len(versions[address]), len(own), sum(info.size for info in own))
        for address, own in sorted(objects.items())
        if own
    )


def _stem(job_id: str) -> str:
    return job_id.rpartition("-")[0]


def _digest(artifact: Artifact) -> str:
    return str(artifact.properties.get("digest", ""))


def _is_live(artifact: Artifact) -> bool:
    return artifact.state is ArtifactState.LIVE
