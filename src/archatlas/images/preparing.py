"""From a source of images to three splits, with what must be known of them."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.decoding import bits_in_use, decode
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import ImagesParameters
from archatlas.images.reading import Records, open_records
from archatlas.images.split_files import contradicted, empty_split_table, leaks, split_table
from archatlas.images.splitting import SPLITS, assign_splits, bundles_of, copies_of, sample_rows
from archatlas.images.suitable_size import suitable_size
from archatlas.storage.large_arrays import taken

_FEWEST_BITS_OF_COLOURS = 14
_IMBALANCE = 3.0
_NAMED = 5
_NEEDED = (
    ("train", 2, "for batch-norm statistics"),
    ("validation", 2, "to judge networks on two halves"),
    ("test", 1, "for a figure of the winner"),
)
"""Of each split in order: how many images it must have, and for what."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedImages:
    """The splits, their description, the images of each class in each split (split, class_name, images), and files.

    ``split_files`` has a row for each image of the source (`split_files.split_table`).
    """

    train: ImageSplit
    validation: ImageSplit
    test: ImageSplit
    description: ImageDescription
    class_counts: pd.DataFrame
    split_files: pd.DataFrame


def prepare(parameters: ImagesParameters, seed: int, seconds: float | None = None) -> PreparedImages:
    """Read, decode and split. Each split is in random order, so that any part of it is a fair sample of it.

    The same parameters, files and seed give the same splits. ``seconds`` is the time of the whole run, by which images
    are sized where the parameters leave it open. Raises `ArchatlasError` if the source is not there, is
    damaged, or has too few images of a class.
    """
    with open_records(parameters) as records:
        _warn_of_names_alike(records.class_names)
        _check_classes(records.labels, records.class_names, parameters.min_images_per_class)
        rows = np.arange(len(records.labels))
        if parameters.max_images is not None:
            rows = sample_rows(records.labels, records.given, parameters.max_images, seed)
        suitable: tuple[int, ...] = ()
        image_size = parameters.image_size
        if image_size is None:
            image_size, suitable = suitable_size(records.fetch, rows, seconds)
        pixels, failures, bits = _decoded(records, rows, image_size, parameters)
        kept = _without_failures(records, rows, failures, parameters.skip_unreadable)
    reasons = {int(rows[at]): f"unreadable: {why}" for at, why in failures.items()}
    if failures:
        pixels, rows = taken(pixels, np.flatnonzero(kept)), rows[kept]
        _check_classes(records.labels[rows], records.class_names, 3)
    labels, given = records.labels[rows], records.given[rows]
    copies = copies_of(pixels)
    bundles = bundles_of(copies, None if records.groups is None else records.groups[rows])
    side = assign_splits(
        labels,
        bundles,
        given,
        class_names=records.class_names,
        validation_fraction=parameters.validation_fraction,
        test_fraction=parameters.test_fraction,
        seed=seed,
    )
    left_out = int((side < 0).sum())
    names = [records.names[row] for row in rows]
    odd = contradicted(copies, labels, names, records.class_names)
    _report_copies(copies, {names[index]: note for index, note in odd.items()}, left_out)
    leaking = leaks(copies, bundles, side, names)
    reasons |= {int(rows[at]): "; ".join([why, *([odd[at]] if at in odd else [])]) for at, why in leaking.items()}
    _check_splits(side)
    orders = _orders(side, seed)
    splits = _gather(pixels, labels, orders)
    mean, std = channel_statistics(splits[0].images)
    description = ImageDescription(
        class_names=records.class_names,
        channels=pixels.shape[1],
        image_size=image_size,
        mean=mean,
        std=std,
        splits={name: len(split) for name, split in zip(SPLITS, splits, strict=True)},
        source=records.source,
        aspect=parameters.aspect,
        bits=bits,
        suitable_sizes=suitable,
        unreadable_images=len(failures),
        leaking_images=left_out,
    )
    counts = count_classes(splits, records.class_names)
    _report_counts(description, counts)
    return PreparedImages(*splits, description, counts, split_table(records, rows, orders, odd, reasons))


def no_images(description: ImageDescription) -> PreparedImages:
    """Splits without any image: for a run that looks up in a table what training on such images has given."""
    height, width = description.input_shape[1:]
    pixels = torch.empty((0, description.channels, height, width), dtype=torch.uint8)
    splits = (ImageSplit(pixels, torch.empty(0, dtype=torch.int64)),) * 3
    counts = count_classes(splits, description.class_names).iloc[:0]
    return PreparedImages(*splits, description, counts, empty_split_table())


def channel_statistics(images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of uint8 [n, c, h, w], pixel values in 0..1.

    Exact sums from a histogram of the 256 values. The deviation is 1/255 at least, so that blank images can be divided.
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in range(images.shape[1]):
        # Part by part: bincount works on 64-bit copies.
        weights = torch.zeros(256, dtype=torch.float64)
        for start in range(0, len(images), 1024):
            weights += torch.bincount(images[start : start + 1024, channel].flatten().long(), minlength=256)
        weights /= images[:, channel].numel()
        mean = (weights * levels).sum()
        means.append(float(mean))
        deviations.append(max(float((weights * (levels - mean) ** 2).sum().sqrt()), 1 / 255))
    return tuple(means), tuple(deviations)


def count_classes(splits: tuple[ImageSplit, ...], class_names: tuple[str, ...]) -> pd.DataFrame:
    """A row per split and class, also where there are none: split, class_name, images."""
    return pd.DataFrame(
        [
            {"split": split_name, "class_name": class_name, "images": count}
            for split_name, split in zip(SPLITS, splits, strict=True)
            for class_name, count in zip(
                class_names, torch.bincount(split.labels, minlength=len(class_names)).tolist(), strict=True
            )
        ]
    )


def _decoded(
    records: Records, rows: NDArray[np.int64], image_size: int, parameters: ImagesParameters
) -> tuple[NDArray[np.uint8], dict[int, str], int]:
    """Pixels and failures as of ``decode``, and the bits that are in use in 16-bit images.

    A camera of 12 bits fills a sixteenth of the range of 16, so that the highest 8 bits would hold next to nothing.
    What is in use is known once all have been read: where it is less, those images are read again, and colours among
    them are refused. Where these are missing one or two bits, 6 or 7 bits of them are left: all stay as they are read.
    """
    pixels, failures, largest, colours = decode(
        records.fetch, rows, image_size, channels=parameters.channels, aspect=parameters.aspect
    )
    bits = bits_in_use(largest.values())
    if colours and bits >= _FEWEST_BITS_OF_COLOURS:
        bits = 16
    if bits < 16:
        if len(largest) > len(colours):
            _log.warning(
                "%d images have 16 bits, but no value above %d: read as images of %d bits",
                len(largest) - len(colours), max(largest.values()), bits,
            )  # fmt: skip
        deep = np.array(sorted(largest))
        channels: Literal[1, 3] = 1 if pixels.shape[1] == 1 else 3
        again = decode(records.fetch, rows[deep], image_size, channels=channels, aspect=parameters.aspect, bits=bits)
        pixels[deep] = again.pixels
        failures |= {int(deep[at]): why for at, why in again.failures.items()}
    return pixels, failures, bits


def _check_classes(labels: NDArray[np.int64], class_names: tuple[str, ...], least: int) -> None:
    if len(class_names) < 2:
        raise ArchatlasError(
            f"only one class (`{class_names[0]}`) was found: images of two classes at least are needed, one sub-folder "
            "each"
        )
    counts = np.bincount(labels, minlength=len(class_names))
    few = [f"`{name}` ({count})" for name, count in zip(class_names, counts, strict=True) if count < least]
    if few:
        raise ArchatlasError(
            f"too few images in class {', '.join(few)}: each class needs {least} at least "
            "(images.min_images_per_class). Add images or leave the class out"
        )


def _check_splits(side: NDArray[np.int8]) -> None:
    for split, (name, least, why) in enumerate(_NEEDED):
        count = int((side == split).sum())
        if count < least:
            raise ArchatlasError(
                f"the {name} split has {count} image{'s' * (count != 1)}, but {least} at least are needed {why}: add "
                "images, or change `images.validation_fraction` and `images.test_fraction`"
            )


def _warn_of_names_alike(class_names: Sequence[str]) -> None:
    """Two folders of one class are easily made: `Cat` and `cat`."""
    alike: dict[str, list[str]] = {}
    for name in class_names:
        alike.setdefault(unicodedata.normalize("NFKC", name).casefold().strip(), []).append(f"`{name}`")
    for names in alike.values():
        if len(names) > 1:
            _log.warning("%s are taken for different classes: rename them if they are one", " and ".join(names))


def _without_failures(
    records: Records, rows: NDArray[np.int64], failures: dict[int, str], skip: bool
) -> NDArray[np.bool_]:
    kept = np.ones(len(rows), dtype=bool)
    if not failures:
        return kept
    kept[list(failures)] = False
    named = [f"{records.names[rows[at]]} ({failures[at]})" for at in sorted(failures)[:_NAMED]]
    more = f" and {len(failures) - len(named)} more" if len(failures) > len(named) else ""
    what = f"{len(failures)} of {len(rows)} images of the {records.source} cannot be read: {'; '.join(named)}{more}"
    if not skip:
        raise ArchatlasError(f"{what}. Repair or remove them, or leave them out with images.skip_unreadable=true")
    _log.warning("%s. They are left out", what)
    return kept


def _orders(side: NDArray[np.int8], seed: int) -> list[NDArray[np.int64]]:
    """Which images each split holds, in random order."""
    generator = np.random.default_rng([seed, 2])
    return [generator.permutation(np.flatnonzero(side == split)) for split in range(len(SPLITS))]


def _gather(
    pixels: NDArray[np.uint8], labels: NDArray[np.int64], orders: list[NDArray[np.int64]]
) -> tuple[ImageSplit, ImageSplit, ImageSplit]:
    train, validation, test = (
        ImageSplit(torch.from_numpy(taken(pixels, order)), torch.from_numpy(labels[order])) for order in orders
    )
    return train, validation, test


def _report_copies(copies: NDArray[np.int64], contradictions: Mapping[str, str], left_out: int) -> None:
    if extra := len(copies) - len(np.unique(copies)):
        _log.info("%d images are exact copies of another; copies stay in one split", extra)
    if contradictions:
        named = "; ".join(f"{file} has {note}" for file, note in list(contradictions.items())[:_NAMED])
        more = f"; {len(contradictions) - _NAMED} more in split_files" if len(contradictions) > _NAMED else ""
        _log.warning(
            "%d images have exact copies with another label: check the labels (%s%s)", len(contradictions), named, more
        )
    if left_out:
        _log.warning(
            "%d images are left out, since a copy or another image of the group is in a later one of the given splits",
            left_out,
        )


def _report_counts(description: ImageDescription, counts: pd.DataFrame) -> None:
    kind = "grey" if description.channels == 1 else "RGB"
    parts = ", ".join(f"{count} {name}" for name, count in description.splits.items())
    side, classes = description.image_size, description.num_classes
    _log.info("%s: %s images of %d classes, %d x %d %s", description.source, parts, classes, side, side, kind)
    by_class = counts.groupby("class_name", sort=False)["images"].sum()
    if by_class.max() > _IMBALANCE * by_class.min():
        _log.warning(
            "classes are unequal: `%s` has %d images, `%s` only %d. Look at the accuracy of each class",
            by_class.idxmax(), by_class.max(), by_class.idxmin(), by_class.min(),
        )  # fmt: skip
    for row in counts[counts["images"] == 0].itertuples():
        _log.warning("the %s split has no image of class `%s`", row.split, row.class_name)
