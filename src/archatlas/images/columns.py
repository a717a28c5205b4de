"""Tables of the `datasets` library to rows of encoded images with labels and groups."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError, nearest
from archatlas.images.decoding import Encoded
from archatlas.images.splitting import SPLIT_NAMES, SPLITS, UNSPLIT

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Columns:
    """The rows of all splits in one `datasets.Dataset`; ``given`` int8 [n] is the split of each, or `UNSPLIT`."""

    rows: Any
    image_column: str
    given: NDArray[np.int8]

    def values(self, name: str) -> list[Any]:
        return list(self.rows.data.column(name).to_pylist())

    def paths(self) -> list[str]:
        """The file name that comes with each image, or an empty string."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self.rows.data.column(self.image_column)
        if not pa.types.is_struct(column.type) or column.type.get_field_index("path") < 0:
            return [""] * len(self.rows)
        return [path or "" for path in pc.struct_field(column, "path").to_pylist()]

    def fetch(self, rows: Sequence[int]) -> list[Encoded]:
        """The encoded images at some rows."""
        part = self.rows.with_format("arrow")[list(rows)].column(self.image_column)
        return [_encoded(item) for item in part.to_pylist()]

    def places(self) -> list[str]:
        """Where each row lies, for messages: its number within its split, and the file name that comes with it."""
        first = {int(split): int(np.argmax(self.given == split)) for split in np.unique(self.given)}
        places = []
        for row, (split, path) in enumerate(zip(self.given.tolist(), self.paths(), strict=True)):
            place = f"row {row - first[split]}" + (f" of split {SPLITS[split]}" if split != UNSPLIT else "")
            places.append(f"{path} ({place})" if path else place)
        return places


def _encoded(item: Any) -> Encoded:
    from pathlib import Path

    if isinstance(item, bytes):
        return item
    if item is None:
        return b""  # reported as unreadable, with its row
    content: bytes | None = item.get("bytes")
    return content if content is not None else Path(item["path"])


def join(parts: dict[str, Any], *, image_column: str, columns: Iterable[str]) -> Columns:
    """The splits of a `DatasetDict` one after the other, with the image column and the asked ``columns`` alone.

    A single split is one that is still to be divided. Raises `ArchatlasError` if a column is missing, or if there are
    several splits and none is for training.
    """
    from datasets import concatenate_datasets

    known = {name: part for name, part in parts.items() if name.lower() in SPLIT_NAMES}
    if len(parts) == 1:
        chosen = [(UNSPLIT, next(iter(parts.values())))]
    else:
        chosen = sorted(((SPLIT_NAMES[name.lower()], part) for name, part in known.items()), key=lambda item: item[0])
        if not any(split == 0 for split, _ in chosen):
            raise ArchatlasError(f"the source has the splits {', '.join(sorted(parts))}; one must be called `train`")
        if len(known) < len(parts):
            _log.warning("splits %s are left out: their names say no use", ", ".join(sorted(set(parts) - set(known))))
    wanted = list(dict.fromkeys([image_column, *columns]))
    tables = [_undecoded(part, image_column, wanted) for _, part in chosen]
    try:
        rows = concatenate_datasets(tables)
    except Exception as error:
        raise ArchatlasError(
            f"the splits of the source do not have the same columns ({error}): make them so"
        ) from error
    given = np.repeat(np.array([split for split, _ in chosen], dtype=np.int8), [len(table) for table in tables])
    return Columns(rows, image_column, given)


def _undecoded(part: Any, image_column: str, wanted: list[str]) -> Any:
    from datasets import Image

    for name in wanted:
        if name not in part.column_names:
            raise ArchatlasError(f"the source has no column `{name}`{nearest(name, part.column_names)}")
    part = part.select_columns(wanted)
    feature = part.features[image_column]
    if isinstance(feature, Image):
        return part.cast_column(image_column, Image(decode=False))
    if (isinstance(feature, dict) and "bytes" in feature) or getattr(feature, "dtype", "").endswith("binary"):
        return part
    raise ArchatlasError(
        f"column `{image_column}` holds no encoded images but {feature}: "
        "name the column that does by images.image_column"
    )


def labels_of(
    columns: Columns, label_column: str, class_names: tuple[str, ...] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels int64 [n] and the class names that they index.

    Names are those of the column's feature, or ``class_names``, or else the distinct values in order. Raises
    `ArchatlasError` if a row has no label, or the column holds neither whole numbers nor strings.
    """
    from datasets import ClassLabel

    values = columns.values(label_column)
    feature = columns.rows.features[label_column]
    numbered = isinstance(feature, ClassLabel) or all(isinstance(value, int) for value in values if value is not None)
    unlabelled = sum(value is None or (numbered and value < 0) for value in values)
    if unlabelled:
        raise ArchatlasError(
            f"{unlabelled} rows have no label (null or below 0) in column `{label_column}`: leave these rows, or the "
            "split that they are in, out of the source"
        )
    if not numbered and not all(isinstance(value, str) for value in values):
        raise ArchatlasError(f"column `{label_column}` must hold whole numbers or strings; it holds {feature}")
    if class_names is not None and not numbered:
        raise ArchatlasError(
            f"images.class_names is given, but column `{label_column}` holds the names of the classes itself: leave "
            "images.class_names out"
        )
    names = class_names or (tuple(feature.names) if isinstance(feature, ClassLabel) else None)
    if names is None or not numbered:
        codes, distinct = codes_of(values)
        return codes, tuple(str(value) for value in distinct)
    labels = np.asarray(values, dtype=np.int64)
    if len(labels) and labels.max() >= len(names):
        raise ArchatlasError(
            f"column `{label_column}` has the label {labels.max()}, but there are only {len(names)} class names "
            f"({', '.join(names)}): correct images.class_names"
        )
    return labels, names


def codes_of(values: Sequence[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    """``values`` as indices of their distinct values in ascending order; both are returned."""
    distinct: list[Hashable] = sorted(set(values))
    index = {value: code for code, value in enumerate(distinct)}
    return np.array([index[value] for value in values], dtype=np.int64), distinct
