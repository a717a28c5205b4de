"""Labelled images from each source, still encoded. The readers are those of scikit-learn and of `datasets`."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError, nearest
from archatlas.images.columns import Columns, codes_of, join, labels_of
from archatlas.images.decoding import Encoded
from archatlas.images.folders import METADATA, ImageFolder, LeftOut, all_below, list_folder, warn_of
from archatlas.images.layout import visible
from archatlas.images.parameters import ImagesParameters
from archatlas.images.splitting import SPLIT_NAMES, SPLITS, UNSPLIT

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Records:
    """Labelled images that have not been decoded.

    ``fetch`` gives the encoded images at some rows; ``names`` say where each lies, a file by its path below the source;
    ``labels`` int64 [n] are indices of ``class_names``; ``given`` int8 [n] is the split that the source puts the row
    in (an index of `SPLITS`), or `UNSPLIT`; ``groups`` int64 [n] are codes of what must not be split, or None.
    ``left_out`` are files of the source that are not among the rows.
    """

    fetch: Callable[[Sequence[int]], Sequence[Encoded]]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    given: NDArray[np.int8]
    groups: NDArray[np.int64] | None
    source: str
    left_out: tuple[LeftOut, ...] = ()


@contextmanager
def open_records(parameters: ImagesParameters) -> Iterator[Records]:
    """The records of the source; valid inside the ``with`` block, where `datasets` may keep a temporary cache.

    Raises `ArchatlasError` if there is nothing there, or it is not as the parameters say.
    """
    if parameters.source == "digits":
        yield _read_digits()
        return
    with tempfile.TemporaryDirectory(prefix="archatlas-images-", ignore_cleanup_errors=True) as cache, _quiet():
        if parameters.source == "folder":
            yield _read_folder(parameters, cache)
        elif parameters.path is not None:
            yield _read_parquet(parameters, cache)
        else:
            yield _read_hub(parameters)


def _read_digits() -> Records:
    """8 x 8 handwritten digits; their values 0..16 become 0..255."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return Records(
        fetch=lambda rows: [Image.fromarray(pixels[row]) for row in rows],
        names=tuple(f"digit {row}" for row in range(len(pixels))),
        labels=digits.target.astype(np.int64),
        class_names=tuple(str(name) for name in digits.target_names),
        given=np.full(len(pixels), UNSPLIT, dtype=np.int8),
        groups=None,
        source="digits",
    )


def _read_folder(parameters: ImagesParameters, cache: str) -> Records:
    """One sub-folder per class, perhaps below folders of splits; metadata files, if any, are read as well."""
    root = _existing(parameters, "folder of images")
    folder = list_folder(root)
    columns = _metadata_columns(folder, parameters, cache) if folder.metadata else None
    if columns is None:
        _check_default(parameters, f"`{root}` has no metadata file ({', '.join(METADATA)}) that could hold it")
        listed, given = list(folder.images), _given_by_folders(folder)
    else:
        listed, given = [Path(os.path.relpath(path, root)).as_posix() for path in columns.paths()], columns.given
        if missing := sorted(set(folder.images) - set(listed)):
            raise ArchatlasError(
                f"{len(missing)} images in `{root}` have no row in a metadata file, such as `{missing[0]}`: where "
                "there is one, it must name all images. Add rows, or move the images or the metadata files away"
            )
    labelled = columns is not None and parameters.label_column in columns.rows.column_names
    if parameters.class_names is not None and not labelled:
        raise ArchatlasError(
            f"images.class_names is given, but the classes of `{root}` are its folders: leave images.class_names out, "
            "and rename folders if need be"
        )
    # In the order of paths, not of the disk's listing. Where folders are the classes, an image needs one.
    order = sorted(range(len(listed)), key=listed.__getitem__)
    strays = [] if labelled else [row for row in order if folder.layout.class_of(listed[row]) is None]
    if len(strays) == len(order):
        raise ArchatlasError(
            f"no image in `{root}` lies in a class folder (one is `{listed[order[0]]}`): there must be one sub-folder "
            "per class"
        )
    left_out = tuple(LeftOut(listed[row], "", "it lies in no class folder") for row in strays)
    warn_of(left_out)
    order = sorted(set(order) - set(strays), key=listed.__getitem__)
    paths = [listed[row] for row in order]
    if columns is not None and labelled:
        labels, class_names = labels_of(columns, parameters.label_column, parameters.class_names)
        labels = labels[order]
    else:
        found = [str(folder.layout.class_of(path)) for path in paths]
        class_names = tuple(sorted({*found, *folder.class_folders}))
        codes = {name: code for code, name in enumerate(class_names)}
        labels = np.array([codes[name] for name in found], dtype=np.int64)
    return Records(
        fetch=lambda rows: [root / paths[row] for row in rows],
        names=tuple(paths),
        labels=labels,
        class_names=class_names,
        given=given[order],
        groups=_groups(columns, order, paths, parameters),
        source=f"folder {root.name}",
        left_out=(*folder.left_out, *left_out),
    )


def _given_by_folders(folder: ImageFolder) -> NDArray[np.int8]:
    """The split of each image by its folder; a single split is one that is still to be divided."""
    splits = [folder.layout.split_of(path) for path in folder.images]
    several = len(set(splits)) > 1
    return np.array([SPLITS.index(split) if split and several else UNSPLIT for split in splits], dtype=np.int8)


def _metadata_columns(folder: ImageFolder, parameters: ImagesParameters, cache: str) -> Columns:
    """What the metadata files of a folder say of its images, a row each."""
    from datasets.data_files import DataFilesDict, DataFilesList
    from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder as Reader

    # Not load_dataset("imagefolder", ...), which takes paths for patterns and passes over links. The metadata files
    # alone: the images are opened later, where one that is damaged can be left out.
    files = {split: DataFilesList(paths, []) for split, paths in folder.metadata_files().items()}
    try:
        reader = Reader(
            cache_dir=cache,
            data_files=DataFilesDict(files),
            drop_labels=True,
            drop_metadata=False,
            dataset_name="images",
        )
        reader.download_and_prepare()
        parts = reader.as_dataset()
    except Exception as error:
        raise _unreadable_source(folder.root, error) from error
    known = {name for part in parts.values() for name in part.column_names}
    labelled = all(parameters.label_column in part.column_names for part in parts.values())
    if not labelled:
        _check_default(parameters, f"the metadata files of `{folder.root}` have no such column", known - {"image"})
    wanted = [parameters.label_column] * labelled + _group_columns(parameters)
    return join(parts, image_column="image", columns=wanted)


def _check_default(parameters: ImagesParameters, why: str, known: Iterable[str] = ()) -> None:
    """Raise `ArchatlasError` if a label column was asked for by name: folders are classes only where none was."""
    if parameters.label_column != ImagesParameters.model_fields["label_column"].default:
        raise ArchatlasError(
            f"images.label_column is `{parameters.label_column}`, but {why}{nearest(parameters.label_column, known)}. "
            "Correct it, or leave it out to have a class per folder"
        )


def _read_parquet(parameters: ImagesParameters, cache: str) -> Records:
    """Parquet files as the hub has them: ``train-00000-of-00001.parquet``, or the split's name as a folder."""
    from datasets import load_dataset

    root = _existing(parameters, "Parquet file or folder of such files")
    files = [root]
    if root.is_dir():
        named = (folder / name for folder, _, names in all_below(root) for name in filter(visible, names))
        files = sorted(file for file in named if file.name.endswith(".parquet"))
    if not files:
        raise ArchatlasError(f"images.path is `{root}`, which holds no Parquet files (*.parquet)")
    by_split: dict[str, list[str]] = {}
    for file in files:
        by_split.setdefault(_split_of_file(file.relative_to(root)) if root.is_dir() else "all", []).append(str(file))
    unnamed = by_split.pop("all", [])
    if by_split and unnamed:
        names = ", ".join(Path(file).name for file in unnamed)
        _log.warning("left out, since other files name a split and these do not: %s", names)
    listed = by_split or {"train": unnamed}
    plain = {split: [_by_plain_name(file, Path(cache)) for file in files] for split, files in listed.items()}
    try:
        parts = load_dataset("parquet", data_files=plain, cache_dir=cache)
    except Exception as error:
        raise _unreadable_source(root, error) from error
    return _records_of_columns(parts, parameters, f"parquet {root.name}")


def _by_plain_name(file: str, folder: Path) -> str:
    """The file, by a link in the folder where its path holds what the reader takes for a pattern or an address."""
    if re.fullmatch(r"[\w/. +-]*", file):
        return file
    link = folder / f"{len(list(folder.iterdir())):05}.parquet"
    link.symlink_to(file)
    return str(link)


def _read_hub(parameters: ImagesParameters) -> Records:
    from datasets import DownloadConfig, load_dataset

    name = parameters.hub_name
    assert name is not None, "parameters.py asks for it"
    try:
        parts = load_dataset(name, parameters.hub_config, download_config=DownloadConfig(max_retries=1))
    except Exception as error:
        raise ArchatlasError(
            f"the data set `{name}` cannot be had from the Hugging Face hub ({_first_line(error)}). Check "
            "images.hub_name, images.hub_config and the network; or copy its Parquet files here and give their folder: "
            "--params images.path=DIR"
        ) from error
    return _records_of_columns(parts, parameters, f"hub {name}")


def _records_of_columns(parts: Any, parameters: ImagesParameters, source: str) -> Records:
    wanted = [parameters.label_column, *_group_columns(parameters)]
    columns = join(parts, image_column=parameters.image_column, columns=wanted)
    if not len(columns.rows):
        raise ArchatlasError(f"no images in the source {source}: it has no rows")
    labels, class_names = labels_of(columns, parameters.label_column, parameters.class_names)
    rows = range(len(labels))
    groups = _groups(columns, rows, columns.paths() if parameters.group_pattern else [], parameters)
    return Records(columns.fetch, tuple(columns.places()), labels, class_names, columns.given, groups, source)


def _group_columns(parameters: ImagesParameters) -> list[str]:
    return [parameters.group_column] if parameters.group_column is not None else []


def _groups(
    columns: Columns | None, rows: Sequence[int], paths: Sequence[str], parameters: ImagesParameters
) -> NDArray[np.int64] | None:
    """Codes of the groups of ``rows``, whose paths are ``paths``."""
    if parameters.group_column is not None:
        if columns is None:
            raise ArchatlasError(
                f"images.group_column is `{parameters.group_column}`, but there is no metadata file "
                f"({', '.join(METADATA)}) that could hold it"
            )
        column = columns.values(parameters.group_column)
        values = [column[row] for row in rows]
        if any(value is None for value in values):
            raise ArchatlasError(
                f"{sum(value is None for value in values)} rows have no value in images.group_column "
                f"`{parameters.group_column}`: every image must belong to a group, if only its own"
            )
        return codes_of(values)[0]
    if parameters.group_pattern is None:
        return None
    pattern = re.compile(parameters.group_pattern)
    found = [pattern.search(path) for path in paths]
    for path, match in zip(paths, found, strict=True):
        if match is None or match.group(1) is None:
            raise ArchatlasError(
                f"images.group_pattern `{parameters.group_pattern}` is not found in the file name `{path}`: it must "
                "match every image, if need be with a second alternative such as `(patient\\d+|.*)`"
            )
    return codes_of([match.group(1) for match in found if match is not None])[0]


def _split_of_file(path: Path) -> str:
    """The split that a Parquet file's name, or else a folder above it, says; ``all`` if none does."""
    for part in reversed(path.parts):
        for word in re.split(r"[-_.]", part.lower()):
            if word in SPLIT_NAMES:
                return SPLITS[SPLIT_NAMES[word]]
    return "all"


def _existing(parameters: ImagesParameters, kind: str) -> Path:
    assert parameters.path is not None, "parameters.py asks for it"
    root = Path(parameters.path).expanduser()
    if not root.exists():
        raise ArchatlasError(
            f"images.path is `{parameters.path}`, which does not exist here (`{Path.cwd()}`): give the {kind}"
        )
    return root.absolute()


def _unreadable_source(root: Path, error: Exception) -> ArchatlasError:
    cause = error.__cause__ or error
    return ArchatlasError(
        f"`{root}` cannot be read ({type(cause).__name__}: {_first_line(cause)}): replace what is damaged or give "
        "another images.path"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars, telemetry or download counts of the `datasets` library while reading."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when huggingface_hub is first imported
    import datasets

    counts, bars = datasets.config.HF_UPDATE_DOWNLOAD_COUNTS, datasets.are_progress_bars_disabled()
    library, level = logging.getLogger("huggingface_hub"), logging.getLogger("huggingface_hub").level
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    datasets.disable_progress_bars()
    library.setLevel(logging.ERROR)
    try:
        yield
    finally:
        datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = counts
        library.setLevel(level)
        if not bars:
            datasets.enable_progress_bars()
