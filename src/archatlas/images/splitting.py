"""Which image goes to which split: stratified, with bundles of images that are never parted.

A bundle is what groups and exact copies hold together. scikit-learn's `StratifiedGroupKFold` keeps groups together too,
but its folds are all equal, so that a share of 0.1 or two different shares need another rule; the one here gives exact
shares where images stand alone, and shares to within a bundle where they do not.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError

SPLITS = ("train", "validation", "test")
SPLIT_NAMES = {"train": 0, "training": 0, "validation": 1, "valid": 1, "val": 1, "dev": 1, "test": 2, "testing": 2}
UNSPLIT = -1
LEFT_OUT = -1

_ATTEMPTS = 20
_log = logging.getLogger(__name__)

Indices = NDArray[np.int64]


def copies_of(pixels: NDArray[np.uint8]) -> Indices:
    """Codes int64 [n], the same for images with the same pixels. ``pixels`` is uint8 [n, c, h, w], contiguous."""
    seen: dict[bytes, int] = {}
    digests = (hashlib.blake2b(image.data, digest_size=16).digest() for image in pixels)
    return np.array([seen.setdefault(digest, len(seen)) for digest in digests], dtype=np.int64)


def bundles_of(copies: Indices, groups: Indices | None) -> Indices:
    """Codes int64 [n] of the connected components of "is a copy of" and "is in a group with"."""
    if groups is None:
        return copies
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first_group = int(copies.max(initial=-1)) + 1
    nodes = first_group + int(groups.max(initial=-1)) + 1
    links = coo_array((np.ones(len(copies), dtype=np.int8), (copies, first_group + groups)), shape=(nodes, nodes))
    component = connected_components(links, directed=False)[1]
    return np.asarray(component[copies], dtype=np.int64)


def apportion(total: int, weights: Sequence[float] | NDArray[np.float64] | Indices) -> Indices:
    """Whole numbers that sum to ``total``, in proportion to ``weights`` by largest remainders (Hamilton's method)."""
    exact = np.asarray(weights, dtype=np.float64)
    return _rounded(exact * (total / exact.sum()), total)


def _rounded(exact: NDArray[np.float64], total: int) -> Indices:
    """``exact``, which sums to ``total`` to within a half, rounded up or down so that the sum is ``total``."""
    shares: Indices = np.floor(exact + 1e-9).astype(np.int64)
    largest = np.argsort(-(exact - shares), kind="stable")[: total - int(shares.sum())]
    shares[largest] += 1
    return shares


def sample_rows(labels: Indices, given: NDArray[np.int8], most: int, seed: int) -> Indices:
    """At most ``most`` rows, ascending, with every class of every given split in proportion, but three where possible.

    Raises `ArchatlasError` if that is too few to have three of each class.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    generator = np.random.default_rng([seed, 0])
    _, strata, counts = np.unique(np.stack([given, labels]), axis=1, return_inverse=True, return_counts=True)
    strata = strata.reshape(-1)
    least = np.minimum(counts, 3)
    if least.sum() > most:
        raise ArchatlasError(
            f"images.max_images is {most}, but three images of every class in every split are {least.sum()}: raise it"
        )
    kept = _lowered(np.maximum(apportion(most, counts), least), most)
    return np.sort(
        np.concatenate(
            [generator.permutation(np.flatnonzero(strata == stratum))[:keep] for stratum, keep in enumerate(kept)]
        )
    )


def assign_splits(
    labels: Indices,
    bundles: Indices,
    given: NDArray[np.int8],
    *,
    class_names: Sequence[str],
    validation_fraction: float,
    test_fraction: float,
    seed: int,
) -> NDArray[np.int8]:
    """The split of each image, int8 [n]: an index of `SPLITS`, or `LEFT_OUT`.

    ``given`` splits are kept, but of a bundle that is in several of them only the images in the last stay (test before
    validation before train), and the others are left out. The splits that are not given are drawn from the images of no
    split, or else from those for training; the fractions are shares of the images that are so divided. Raises
    `ArchatlasError` if a class has fewer bundles than there are splits to fill.
    """
    side = given.copy()
    last = np.full(int(bundles.max(initial=-1)) + 1, UNSPLIT, dtype=np.int8)
    np.maximum.at(last, bundles, given)
    side[given < last[bundles]] = LEFT_OUT
    is_given = [bool((given == split).any()) for split in range(3)]
    free = np.flatnonzero(side == 0 if is_given[0] else given == UNSPLIT)
    fractions = [0.0 if is_given[1] else validation_fraction, 0.0 if is_given[2] else test_fraction]
    shares = np.array([1 - sum(fractions), *fractions])
    _check_classes(labels[free], bundles[free], class_names, sides=int((shares > 0).sum()))
    side[free] = divide(labels[free], bundles[free], shares, seed=seed, class_names=class_names)
    return side


def _check_classes(labels: Indices, bundles: Indices, class_names: Sequence[str], sides: int) -> None:
    pairs = np.unique(np.stack([labels, bundles]), axis=1)
    counts = np.bincount(pairs[0], minlength=len(class_names))
    for name, count in zip(class_names, counts, strict=True):
        if count < sides:
            raise ArchatlasError(
                f"class `{name}` has {count} images for training (copies of one image, and a group, count "
                f"once), but {sides} splits need one each: add images or leave the class out"
            )


def divide(
    labels: Indices, bundles: Indices, shares: NDArray[np.float64], *, seed: int, class_names: Sequence[str]
) -> NDArray[np.int8]:
    """Divide images into parts of the given ``shares`` (summing to 1), stratified, without parting a bundle.

    Returns the part of each image, int8 [n]. Bundles go first, the largest before the others, each to the part where
    it lowers ``sum over classes and parts of (count - quota)^2 / quota`` most; images that stand alone then fill every
    class's quotas. Should a part get none of a class, other orders of the bundles are tried.
    """
    count = int(labels.max(initial=-1)) + 1
    quotas = _quotas(np.bincount(labels, minlength=count), shares)
    best, fewest = np.zeros(len(labels), dtype=np.int8), np.inf
    for attempt in range(_ATTEMPTS):
        parts = _divide_once(labels, bundles, quotas, np.random.default_rng([seed, 1, attempt]))
        found = np.zeros_like(quotas)
        np.add.at(found, (parts, labels), 1)
        empty = np.argwhere((found == 0) & (quotas > 0))
        if len(empty) < fewest:
            best, fewest, missing = parts, len(empty), empty
        if not fewest:
            return best
    if len(missing):
        _log.warning(
            "groups and copies could not be kept together so that every split has every class: %s",
            ", ".join(f"part {part} has no `{class_names[label]}`" for part, label in missing),
        )
    return best


def _quotas(counts: Indices, shares: NDArray[np.float64]) -> Indices:
    """Images wanted in each part and of each class, int64 [parts, classes]; one at least where a class has enough."""
    total = int(counts.sum())
    quotas = np.zeros((len(shares), len(counts)), dtype=np.int64)
    if not total:
        return quotas
    for part in range(1, len(shares)):
        if shares[part] > 0:
            quotas[part] = np.maximum(_rounded(counts * shares[part], round(total * shares[part])), counts > 0)
    for label, available in enumerate(counts):
        while quotas[1:, label].sum() > max(available - 1, 0):
            quotas[1 + int(quotas[1:, label].argmax()), label] -= 1
    quotas[0] = counts - quotas[1:].sum(axis=0)
    return quotas


def _divide_once(
    labels: Indices, bundles: Indices, quotas: Indices, generator: np.random.Generator
) -> NDArray[np.int8]:
    parts = np.zeros(len(labels), dtype=np.int8)
    _, code, size = np.unique(bundles, return_inverse=True, return_counts=True)
    found = np.zeros_like(quotas)
    allowed = np.flatnonzero(quotas.sum(axis=1) > 0)
    # By size, and in random order among the equal ones: `code` is renumbered by rank.
    order = np.lexsort((generator.random(len(size)), -size))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    rows = np.argsort(rank[code], kind="stable")
    ends = np.cumsum(size[order])
    for bundle in range(int((size > 1).sum())):
        members = rows[ends[bundle] - size[order[bundle]] : ends[bundle]]
        classes, images = np.unique(labels[members], return_counts=True)
        have, want = found[np.ix_(allowed, classes)], quotas[np.ix_(allowed, classes)]
        change = ((images**2 + 2 * images * (have - want)) / np.maximum(want, 1)).sum(axis=1)
        part = allowed[int(change.argmin())]
        parts[members] = part
        found[part, classes] += images
    alone = rows[ends[int((size > 1).sum()) - 1] if (size > 1).any() else 0 :]
    for label in np.unique(labels[alone]):
        members = generator.permutation(alone[labels[alone] == label])
        wanted = _lowered(np.maximum(quotas[:, label] - found[:, label], 0), len(members))
        parts[members] = np.repeat(np.arange(len(wanted)), wanted)
    return parts


def _lowered(wanted: Indices, total: int) -> Indices:
    """``wanted`` with its largest entries lowered until the sum is ``total``, so that small ones do not vanish."""
    wanted = wanted.copy()
    while (excess := int(wanted.sum()) - total) > 0:
        largest = int(wanted.argmax())
        others = int(np.delete(wanted, largest).max(initial=0))
        wanted[largest] -= min(excess, max(int(wanted[largest]) - others, 1))
    return wanted
