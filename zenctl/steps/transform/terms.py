"""Takes texts apart into words and n-grams of words, column by column. `keras_layers.Terms` does the same to tensors.

A word is a run of letters and digits of any script; ASCII letters count as lower case. An n-gram is n words in a row,
joined by spaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

BETWEEN = r"[^\pL\pN]+"
"""What stands between words, as RE2 (which both Arrow and TensorFlow use) reads it."""


def terms(texts: Any, ngrams: int) -> tuple[Any, NDArray[np.int64]]:
    """All terms of 1 to `ngrams` words of a text column, a string array, and the row of each."""
    plain = pc.ascii_lower(pc.fill_null(pc.cast(texts, pa.large_string()), ""))
    words = pc.split_pattern(pc.replace_substring_regex(plain, BETWEEN, " "), " ")
    rows = pc.list_parent_indices(words).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = pc.list_flatten(words)
    full = pc.not_equal(flat, "")
    flat, rows = flat.filter(full), rows[np.asarray(full.to_numpy(zero_copy_only=False), dtype=bool)]
    found, places, joined = [flat], [rows], flat
    for count in range(2, ngrams + 1):
        if len(flat) < count:
            break
        joined = pc.binary_join_element_wise(joined[:-1], flat[count - 1 :], pa.scalar(" ", flat.type))
        whole = rows[: len(joined)] == rows[count - 1 :]
        found.append(joined.filter(pa.array(whole)))
        places.append(rows[: len(joined)][whole])
    return pa.concat_arrays(found), np.concatenate(places)


def counts(texts: Any, vocabulary: Any, ngrams: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each term of the vocabulary is in each text, [rows, terms], and all terms of each text, [rows]."""
    found, rows = terms(texts, ngrams)
    at = pc.index_in(found, value_set=pa.array(vocabulary, found.type))
    known = np.asarray(pc.is_valid(at).to_numpy(zero_copy_only=False), dtype=bool)
    index = pc.fill_null(at, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    size = len(vocabulary)
    cells = np.bincount(rows[known] * size + index[known], minlength=len(texts) * size)
    whole = np.bincount(rows, minlength=len(texts))
    return cells.reshape(len(texts), size).astype(np.float64), whole.astype(np.float64)


def documents(texts: Any, ngrams: int) -> dict[str, int]:
    """In how many texts each term is."""
    found, rows = terms(texts, ngrams)
    if not len(found):
        return {}
    once = pa.table({"term": found, "row": rows}).group_by(["term", "row"]).aggregate([])
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(once.column("term")).to_pylist()}
