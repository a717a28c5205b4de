from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.errors import ArchatlasError
from archatlas.images.splitting import (
    LEFT_OUT,
    UNSPLIT,
    apportion,
    assign_splits,
    bundles_of,
    copies_of,
    divide,
    sample_rows,
)

NAMES = tuple("abcdefghij")


def assign(labels, bundles=None, given_splits=None, *, validation=0.25, test=0.25, seed=0):
    labels = np.asarray(labels, dtype=np.int64)
    bundles = np.arange(len(labels)) if bundles is None else np.asarray(bundles, dtype=np.int64)
    splits = np.full(len(labels), UNSPLIT) if given_splits is None else given_splits
    return assign_splits(
        labels,
        bundles,
        np.asarray(splits, dtype=np.int8),
        class_names=NAMES[: labels.max() + 1],
        validation_fraction=validation,
        test_fraction=test,
        seed=seed,
    )


def test_apportion_by_largest_remainders():
    assert apportion(10, [1, 1, 1]).tolist() == [4, 3, 3]
    assert apportion(7, [5, 3, 1]).tolist() == [4, 2, 1]  # 3.89, 2.33, 0.78
    assert apportion(0, [2, 3]).tolist() == [0, 0]


def test_copies_have_the_same_pixels():
    pixels = np.zeros((4, 1, 2, 2), dtype=np.uint8)
    pixels[1, 0, 1, 1] = 1
    pixels[3, 0, 1, 1] = 1
    assert copies_of(pixels).tolist() == [0, 1, 0, 1]


def test_bundles_join_groups_that_share_a_copy():
    #         images: 0 1 2 3 4; 1 and 2 are copies, which joins groups 0 and 1
    copies, groups = np.array([0, 1, 1, 2, 3]), np.array([0, 0, 1, 1, 2])
    bundles = bundles_of(copies, groups)
    assert len(set(bundles[:4])) == 1
    assert bundles[4] != bundles[0]
    assert bundles_of(copies, None).tolist() == copies.tolist()


def test_images_that_stand_alone_are_split_exactly():
    labels = np.repeat([0, 1, 2], [80, 40, 20])
    side = assign(labels)
    table = [[int(((side == split) & (labels == label)).sum()) for label in range(3)] for split in range(3)]
    assert table == [[40, 20, 10], [20, 10, 5], [20, 10, 5]]


@settings(max_examples=60)
@given(
    st.lists(st.integers(3, 60), min_size=2, max_size=6),
    st.floats(0.05, 0.4),
    st.floats(0.05, 0.4),
    st.integers(0, 1000),
)
def test_every_share_is_right_to_one_image(counts, validation, test, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    side = assign(labels, validation=validation, test=test, seed=seed)
    assert np.array_equal(side, assign(labels, validation=validation, test=test, seed=seed))
    for split, share in ((1, validation), (2, test)):
        for label, count in enumerate(counts):
            found = ((side == split) & (labels == label)).sum()
            # A class of few images has at least one in each split, and leaves one for training.
            assert found >= 1
            assert abs(found - share * count) < 1 + 1e-6
    assert set(np.unique(side)) == {0, 1, 2}
    assert np.bincount(labels[side == 0], minlength=len(counts)).min() >= 1


@settings(max_examples=60)
@given(st.integers(2, 4), st.integers(12, 60), st.integers(1, 6), st.integers(0, 10_000))
def test_groups_stay_together_and_shares_are_right_to_about_a_group(classes, groups, largest, seed):
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, largest + 1, groups)
    bundles = np.repeat(np.arange(groups), sizes)
    labels = np.repeat(np.arange(groups) % classes, sizes)  # a group has one class, as with patients
    side = assign(labels, bundles, seed=seed)
    assert all(len(set(side[bundles == bundle])) == 1 for bundle in range(groups))
    for label in range(classes):
        total = (labels == label).sum()
        for split, share in enumerate((0.5, 0.25, 0.25)):
            assert abs(((side == split) & (labels == label)).sum() - share * total) <= largest + 1


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_groups_of_mixed_classes_keep_the_balance(seed):
    generator = np.random.default_rng(seed)
    bundles = np.sort(generator.integers(0, 60, 600))
    labels = generator.integers(0, 3, 600)
    side = assign(labels, bundles, seed=seed)
    assert all(len(set(side[bundles == bundle])) == 1 for bundle in np.unique(bundles))
    for split, share in enumerate((0.5, 0.25, 0.25)):
        for label in range(3):
            total = (labels == label).sum()
            assert abs(((side == split) & (labels == label)).sum() / total - share) < 0.06


def test_as_well_stratified_as_scikit_learn_where_both_can():
    from sklearn.model_selection import StratifiedGroupKFold

    def deviation(test: np.ndarray) -> float:
        return max(abs(test[labels == label].mean() - 0.25) for label in range(3))

    ours, theirs = [], []
    for seed in range(10):
        generator = np.random.default_rng(seed)
        bundles = np.sort(generator.integers(0, 40, 300))
        labels = generator.integers(0, 3, 300)
        parts = divide(labels, bundles, np.array([0.75, 0.25]), seed=seed, class_names=NAMES)
        ours.append(deviation(parts == 1))
        folds = StratifiedGroupKFold(4, shuffle=True, random_state=seed).split(labels, labels, bundles)
        theirs.append(np.mean([deviation(np.isin(np.arange(300), test)) for _, test in folds]))
    assert np.mean(ours) <= np.mean(theirs)


def test_every_split_gets_every_class_where_three_groups_allow_it():
    labels = np.repeat([0, 0, 0, 1, 1, 1], [20, 1, 1, 5, 5, 5])
    bundles = np.repeat(np.arange(6), [20, 1, 1, 5, 5, 5])
    side = assign(labels, bundles)
    assert {(int(s), int(label)) for s, label in zip(side, labels, strict=True)} == {
        (split, label) for split in range(3) for label in range(2)
    }


def test_seeds_differ():
    labels = np.repeat([0, 1], 50)
    assert not np.array_equal(assign(labels, seed=0), assign(labels, seed=1))


def test_given_splits_are_kept_and_leaks_leave_the_earlier_one():
    labels = np.tile([0, 1], 6)
    given_splits = np.repeat([0, 1, 2], 4)
    bundles = np.arange(12)
    bundles[0] = bundles[8]  # a training image is also a test image
    bundles[5] = bundles[11]  # a validation image is also a test image
    side = assign(labels, bundles, given_splits)
    expected = given_splits.copy()
    expected[[0, 5]] = LEFT_OUT
    assert side.tolist() == expected.tolist()


@pytest.mark.parametrize(("present", "made", "share"), [((0, 2), 1, 0.2), ((0, 1), 2, 0.1)])
def test_a_missing_split_is_taken_from_training(present, made, share):
    labels = np.tile([0, 1], 60)
    given_splits = np.repeat(present, [100, 20])
    side = assign(labels, given_splits=given_splits, validation=0.2, test=0.1)
    assert (side[100:] == present[1]).all()
    assert (side[:100] == made).sum() == share * 100
    assert (side[:100] == 0).sum() == (1 - share) * 100


def test_a_class_in_too_few_groups_is_named():
    labels = np.array([0] * 10 + [1] * 10)
    bundles = np.array([*range(10), *([10] * 5 + [11] * 5)])
    with pytest.raises(ArchatlasError, match=r"class `b` has 2 images for training .* but 3 splits"):
        assign(labels, bundles)


@settings(max_examples=40)
@given(st.lists(st.integers(3, 80), min_size=2, max_size=5), st.integers(0, 100), st.integers(0, 100))
def test_samples_keep_every_class(counts, above, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    most = 3 * len(counts) + above
    rows = sample_rows(labels, np.full(len(labels), UNSPLIT, dtype=np.int8), most, seed)
    assert len(rows) == min(most, len(labels))
    assert (np.diff(rows) > 0).all()
    assert np.bincount(labels[rows], minlength=len(counts)).min() >= 3


def test_too_small_a_sample_is_refused():
    with pytest.raises(ArchatlasError, match=r"images.max_images is 5, .* are 6"):
        sample_rows(np.repeat([0, 1], 10), np.full(20, UNSPLIT, dtype=np.int8), 5, 0)
