"""How an artifact lies in a store: content-addressed blobs and a tree that lists them, as git has it.

`blobs/<aa>/<sha256>` is one file's content; `trees/<aa>/<sha256>.json` lists an artifact's files with size and digest.
The digest of that list is the artifact's content digest. Blobs are written before their tree, and both only where
absent, so what is there is whole, equal content is stored once, and nothing needs a staging area.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from zenctl.digests import CHUNK, canonical_json, sha256_bytes, sha256_file, sha256_stream
from zenctl.jobs.storage import Distant, FolderStorage, ObjectInfo, Storage, StorageError, check_path, each
from zenctl.lazy_dataclasses import dataclass

NOTES = "known/"
"""Where jobs keep what later ones may start from (`sdk.memory`); it can be deleted at any time."""

ARCHIVES = "archives/"
"""Where archives stand that jobs make environments with; whoever orders a job puts there what it needs."""


class CorruptArtifact(Exception):
    """A stored artifact is not what its digest says. `missing` tells gone from damaged; `path` names the object."""

    def __init__(self, message: str, *, path: str, missing: bool) -> None:
        super().__init__(message)
        self.path = path
        self.missing = missing


@dataclass(frozen=True)
class TreeFile:
    """One file of an artifact: POSIX path inside it, bytes, digest."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Tree:
    """An artifact's files, sorted by path."""

    files: Tuple[TreeFile, ...]

    def to_json(self) -> bytes:
        """The canonical form, whose digest is the artifact's."""
        return canonical_json(
            {"format": 1, "files": [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in self.files]}
        )

    @property
    def digest(self) -> str:
        return sha256_bytes(self.to_json())

    @property
    def bytes(self) -> int:
        return sum(f.size for f in self.files)


def blob_path(digest: str) -> str:
    """Where one file's content stands in the store."""
    return f"blobs/{digest[:2]}/{digest}"


def tree_path(digest: str) -> str:
    """Where an artifact's list of files stands: the artifact's URI, relative to the store."""
    return f"trees/{digest[:2]}/{digest}.json"


def code_path(digest: str) -> str:
    """Where a code archive stands; its digest is that of the zip's bytes."""
    return f"code/{digest[:2]}/{digest}.zip"


def archive_path(digest: str) -> str:
    """Where an archive stands that environments are made with, such as a wheel; its digest is that of its bytes."""
    return f"{ARCHIVES}{digest[:2]}/{digest}"


def note_path(artifact: str, note: str) -> str:
    """Where the note with this digest stands; it says what the artifact was made of, and is of use as long as that."""
    return f"{NOTES}{artifact[:2]}/{artifact}/{note}"


def noted_artifact(path: str) -> str:
    """The digest of the artifact that the note at this path is about."""
    return path.rpartition("/")[0].rpartition("/")[2]


def scan_folder(folder: Path) -> Tree:
    """The tree of a local folder (or of one file, then named as it is). Symbolic links are followed only inside it."""
    if folder.is_file():
        return Tree((TreeFile(folder.name, folder.stat().st_size, sha256_file(folder)),))
    found = [TreeFile(name, path.stat().st_size, sha256_file(path)) for name, path in folder_files(folder)]
    return Tree(tuple(sorted(found, key=lambda f: f.path)))


def folder_files(folder: Path) -> Iterator[Tuple[str, Path]]:
    """The files of a folder that is to be an artifact, each with its name in it; StorageError for what cannot be."""
    root = folder.resolve()
    for path in _files(folder):
        real = path.resolve()
        if root not in real.parents:
            raise StorageError("INVALID", f"{path.name} is a link to a place outside of the artifact: {real}")
        if not real.is_file():
            raise StorageError("INVALID", f"{path.name} is no file: an artifact holds files and folders of files")
        yield check_path(path.relative_to(folder).as_posix()), path


def store_folder(storage: Storage, folder: Path, references: Sequence[TreeFile] = ()) -> Tree:
    """Put a local folder (or file) into the store as an artifact: blobs first, the tree last.

    `references` are files of the artifact that the folder lacks because the store has them.
    """
    own = scan_folder(folder)
    alone = folder.is_file()

    def put(file: TreeFile) -> None:
        _put_whole(storage, blob_path(file.sha256), folder if alone else folder / file.path, file.size)

    for _ in each(storage, put, {file.sha256: file for file in own.files}.values()):
        pass
    tree = Tree(tuple(sorted((*own.files, *references), key=lambda f: f.path))) if references else own
    listing = tree.to_json()
    _put_whole(storage, tree_path(tree.digest), listing, len(listing))
    return tree


def _put_whole(storage: Storage, path: str, source: Union[bytes, Path], size: int) -> None:
    """Put content under its digest. What is there with another size is damage (a crash of the machine), replaced."""
    if storage.put(path, source) or isinstance(storage, Distant):
        # What a distant store has it has whole: no crash of a machine cuts it.
        return
    there = storage.stat(path)
    if there is None or there.size != size:
        storage.put(path, source, overwrite=True)


def read_tree(storage: Storage, digest: str) -> Tree:
    """Read an artifact's list of files and verify it; raises CorruptArtifact."""
    path = tree_path(digest)
    try:
        with storage.open(path) as stream:
            data = stream.read()
    except StorageError as error:
        if error.kind == "NOT_FOUND":
            raise CorruptArtifact(f"artifact {digest[:12]} is gone: {path}", path=path, missing=True) from error
        raise
    if sha256_bytes(data) != digest:
        raise CorruptArtifact(f"artifact {digest[:12]} is damaged: {path}", path=path, missing=False)
    try:
        return Tree(tuple(TreeFile(check_path(f["path"]), f["size"], f["sha256"]) for f in json.loads(data)["files"]))
    except (StorageError, ValueError, KeyError, TypeError) as error:
        message = f"artifact {digest[:12]} lists its files in a way that cannot be: {path}: {error}"
        raise CorruptArtifact(message, path=path, missing=False) from error


def check_tree(storage: Storage, digest: str) -> None:
    """Cheap check of an artifact: its tree is right, every blob is there and has its size; raises CorruptArtifact."""
    for problem in check_trees(storage, [digest]).values():
        raise problem


def check_trees(storage: Storage, digests: Iterable[str]) -> Dict[str, CorruptArtifact]:
    """The same of several artifacts: what is wrong, by digest. A distant store is asked for many things at a time."""
    wanted = list(dict.fromkeys(digests))
    trees = dict(zip(wanted, each(storage, lambda digest: _tree_or_problem(storage, digest), wanted)))  # noqa: B905
    paths = dict.fromkeys(blob_path(f.sha256) for tree in trees.values() if isinstance(tree, Tree) for f in tree.files)
    found = dict(zip(paths, each(storage, storage.stat, paths)))  # noqa: B905 - `strict` needs Python 3.10
    problems: Dict[str, CorruptArtifact] = {}
    for digest, tree in trees.items():
        problem = tree if isinstance(tree, CorruptArtifact) else _missing_file(tree, digest, found)
        if problem is not None:
            problems[digest] = problem
    return problems


def _tree_or_problem(storage: Storage, digest: str) -> Union[Tree, CorruptArtifact]:
    try:
        return read_tree(storage, digest)
    except CorruptArtifact as problem:
        return problem


def _missing_file(tree: Tree, digest: str, found: Mapping[str, Optional[ObjectInfo]]) -> Optional[CorruptArtifact]:
    for file in tree.files:
        path = blob_path(file.sha256)
        info = found[path]
        if info is None:
            return CorruptArtifact(f"{file.path} of artifact {digest[:12]} is gone: {path}", path=path, missing=True)
        if info.size != file.size:
            message = f"{file.path} of artifact {digest[:12]} has {info.size} bytes instead of {file.size}: {path}"
            return CorruptArtifact(message, path=path, missing=False)
    return None


def remove_damaged(storage: Storage, digest: str) -> List[str]:
    """Read every byte of an artifact and delete objects that are not what they should be; gives their paths.

    What is removed is proved worthless; that it is missing is seen by every later check, and it can be made anew.
    """
    try:
        tree = read_tree(storage, digest)
    except CorruptArtifact as problem:
        storage.delete(problem.path)
        return [problem.path]
    removed = []
    for file in tree.files:
        path = blob_path(file.sha256)
        if storage.stat(path) is None:
            continue
        with storage.open(path) as stream:
            if sha256_stream(stream) != file.sha256:
                storage.delete(path)
                removed.append(path)
    return removed


def fetch_tree(
    storage: Storage, digest: str, target: Path, *, link: bool = True, told: Callable[[int], None] = lambda _: None
) -> Tree:
    """Lay an artifact out as a local folder and verify every byte; raises CorruptArtifact.

    From a folder on the same file system files are hard links, unless `link` is false, else copies; read-only both.
    `target` is made anew and is complete when this returns; what an interrupted call left there is replaced. `told`
    hears how many bytes were copied since the last time, from several threads.
    """
    tree = read_tree(storage, digest)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)

    def fetch(file: TreeFile) -> None:
        place = target / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        _fetch_blob(storage, file, place, digest, link, told)

    for _ in each(storage, fetch, tree.files):
        pass
    return tree


def _fetch_blob(
    storage: Storage, file: TreeFile, place: Path, artifact: str, link: bool, told: Callable[[int], None]
) -> None:
    path = blob_path(file.sha256)
    linked = link and isinstance(storage, FolderStorage) and _link(storage.local_path(path), place)
    try:
        found = sha256_file(place) if linked else _copy_hashed(storage, path, place, told)
    except StorageError as error:
        if error.kind != "NOT_FOUND":
            raise
        message = f"{file.path} of artifact {artifact[:12]} is gone: {path}"
        raise CorruptArtifact(message, path=path, missing=True) from error
    if found != file.sha256:
        message = f"{file.path} of artifact {artifact[:12]} is damaged: {path}"
        raise CorruptArtifact(message, path=path, missing=False)


def _copy_hashed(storage: Storage, path: str, place: Path, told: Callable[[int], None]) -> str:
    """Copy an object to a new read-only file and give the digest of what was copied."""
    hasher = hashlib.sha256()
    with storage.open(path) as reader, open(place, "xb") as writer:
        for chunk in iter(lambda: reader.read(CHUNK), b""):
            hasher.update(chunk)
            writer.write(chunk)
            told(len(chunk))
    os.chmod(place, 0o444)
    return hasher.hexdigest()


def _link(source: Path, place: Path) -> bool:
    # Objects are stored read-only, so that a step which writes into its input fails instead of changing the artifact.
    # Where links are not possible (another file system, too many links) the caller copies.
    try:
        os.link(source, place)
    except OSError:
        return False
    return True


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        # A linked folder would silently be left out: its link is yielded, and refused as what is no file.
        linked = [name for name in folders if os.path.islink(os.path.join(where, name))]
        for name in sorted(names + linked):
            yield Path(where, name)
