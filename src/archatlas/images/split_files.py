"""Which file went to which split, and why others went to none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.images.folders import LeftOut
from archatlas.images.reading import Records
from archatlas.images.splitting import SPLITS

LEFT_OUT_SPLIT = "left_out"
COLUMNS = ("split", "position", "file", "class_name", "note")

Indices = NDArray[np.int64]


def split_table(
    records: Records,
    rows: Indices,
    orders: Sequence[Indices],
    notes: Mapping[int, str],
    reasons: Mapping[int, str],
) -> pd.DataFrame:
    """A row per image file of the source: split, position, file, class_name, note.

    Args:
        records: of the whole source.
        rows: the records that were decoded, int64 [n].
        orders: of each split in `SPLITS`, which of these it holds, as indices of ``rows`` in the order of its tensor.
        notes: what is odd about an image, by its index of ``rows``.
        reasons: why a record is in no split, by its index of ``records``; those without one were not drawn.

    ``position`` (int64) is the index in the split's tensor, and -1 where the split is ``left_out``; ``note`` then says
    why, and else is empty but for copies with another label. Splits come in order, and files that were left out last,
    by name.
    """
    parts = [
        _frame(
            SPLITS[split],
            np.arange(len(order)),
            [records.names[row] for row in rows[order]],
            [records.class_names[label] for label in records.labels[rows[order]]],
            [notes.get(int(index), "") for index in order],
        )
        for split, order in enumerate(orders)
    ]
    kept = set(rows[np.concatenate(orders)].tolist())
    odd = [
        LeftOut(name, records.class_names[int(records.labels[row])], reasons.get(row, "not drawn: images.max_images"))
        for row, name in enumerate(records.names)
        if row not in kept
    ]
    odd = sorted([*odd, *records.left_out], key=lambda one: one.file)
    parts.append(
        _frame(
            LEFT_OUT_SPLIT,
            np.full(len(odd), -1),
            [one.file for one in odd],
            [one.class_name for one in odd],
            [one.reason for one in odd],
        )
    )
    return pd.concat(parts, ignore_index=True)


def empty_split_table() -> pd.DataFrame:
    """The table of no files."""
    return _frame("", np.arange(0), [], [], [])


def _frame(
    split: str, positions: Indices, files: Sequence[str], class_names: Sequence[str], notes: Sequence[str]
) -> pd.DataFrame:
    texts = {"file": files, "class_name": class_names, "note": notes}
    columns = {name: pd.Series(list(values), dtype=object) for name, values in texts.items()}
    split_column = pd.Series([split] * len(files), dtype=object)
    return pd.DataFrame({"split": split_column, "position": positions.astype(np.int64), **columns})[list(COLUMNS)]


def contradicted(copies: Indices, labels: Indices, names: Sequence[str], class_names: Sequence[str]) -> dict[int, str]:
    """Images with the same pixels as one of another class: what to say of each, by its index.

    ``copies`` int64 [n] has the same code for copies; ``labels`` int64 [n] are indices of ``class_names``.
    """
    first: dict[tuple[int, int], int] = {}  # by code and label
    of_code: dict[int, list[int]] = {}
    for index, pair in enumerate(zip(copies.tolist(), labels.tolist(), strict=True)):
        if pair not in first:
            first[pair] = index
            of_code.setdefault(pair[0], []).append(index)
    notes = {}
    for index, (code, label) in enumerate(zip(copies.tolist(), labels.tolist(), strict=True)):
        others = [other for other in of_code[code] if labels[other] != label]
        if others:
            other = others[0]
            notes[index] = f"the same pixels as {names[other]}, whose class is {class_names[int(labels[other])]}"
    return notes


def leaks(copies: Indices, bundles: Indices, side: NDArray[np.int8], names: Sequence[str]) -> dict[int, str]:
    """Images that were left out since a copy, or another of their group, is in a later split: why, by their index.

    ``copies`` and ``bundles`` int64 [n] are codes of copies and of what must not be split (see `splitting`); ``side``
    int8 [n] is an index of `SPLITS`, negative where the image was left out.
    """
    kept = np.flatnonzero(side >= 0)
    copy_of = dict(zip(copies[kept][::-1].tolist(), kept[::-1].tolist(), strict=True))  # the first of each code
    bundled_with = dict(zip(bundles[kept][::-1].tolist(), kept[::-1].tolist(), strict=True))
    reasons = {}
    for index in np.flatnonzero(side < 0).tolist():
        other = copy_of.get(int(copies[index]))
        what = "copy of" if other is not None else "must not be split from"
        other = bundled_with[int(bundles[index])] if other is None else other
        reasons[index] = f"{what} {names[other]} in {SPLITS[int(side[other])]}"
    return reasons
