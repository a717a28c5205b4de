from __future__ import annotations

import numpy as np
import pytest

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.errors import ArchatlasError
from archatlas.predictors.families.mixture import mixture_weights
from archatlas.predictors.families.stack import StackPredictor
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.parameters import StackSettings
from archatlas.predictors.protocol import Evaluations

NOBODY = dict.fromkeys(("gp", "flow", "gcn", "ridge", "lightgbm"))


def _stack(**members: object) -> StackPredictor:
    return StackPredictor(StackSettings.model_validate({**NOBODY, **members}), seed=0)


def _exact(score: np.ndarray) -> Evaluations:
    return Evaluations(score, np.zeros(len(score)), np.full(len(score), "table"))


def test_weights_by_hand() -> None:
    first, second = np.array([1.0, 0.0, -1.0, 0.0]), np.array([0.0, 1.0, 0.0, -1.0])
    found = mixture_weights([first, second, -first], 3 + 2 * first + 0.5 * second, np.ones(4))
    np.testing.assert_allclose(found, [3.0, 2.0, 0.5, 0.0], atol=1e-12)


def test_rows_without_weight_do_not_count() -> None:
    part = np.array([1.0, 2.0, 3.0, 4.0])
    found = mixture_weights([part], np.array([2.0, 4.0, 6.0, -50.0]), np.array([1.0, 1.0, 1.0, 0.0]))
    np.testing.assert_allclose(found, [0.0, 2.0], atol=1e-9)


def test_a_stack_of_one_ranks_as_its_member(batch: ArchitectureBatch, truth: np.ndarray) -> None:
    stack, ridge = _stack(ridge={}), make_predictor("ridge", None, seed=0)
    for predictor in (stack, ridge):
        predictor.fit(batch[:120], _exact(truth[:120]))
    assert kendall_tau(ridge.predict(batch[120:]).mean, stack.predict(batch[120:]).mean) == pytest.approx(1)
    assert stack.shares == {"ridge": 1.0}


def test_members_that_fit_the_truth_are_preferred(batch: ArchitectureBatch) -> None:
    # Nothing but the number of nodes of each kind counts, which a ridge on counts can say and shallow trees cannot.
    counts = (batch.choices == 1).sum(axis=1) + 2.0 * (batch.choices == 2).sum(axis=1)
    stack = _stack(ridge={"transform": "raw"}, lightgbm={"trees": 3, "leaves": 2})
    stack.fit(batch[:120], _exact(0.5 + 0.01 * counts[:120]))
    assert stack.shares["ridge"] > 0.9
    predicted = stack.predict(batch[120:])
    assert kendall_tau(counts[120:], predicted.mean) > 0.9


def test_intervals_of_a_stack_cover(batch: ArchitectureBatch, truth: np.ndarray) -> None:
    noisy = truth + np.random.default_rng(3).normal(scale=0.02, size=len(truth))
    stack = _stack(ridge={}, gp={"ensemble": 3})
    stack.fit(batch[:110], _exact(noisy[:110]))
    predicted = stack.predict(batch[110:])
    off = np.abs(predicted.mean - noisy[110:]) / predicted.std
    assert 0.65 < (off < 1.2816).mean() < 0.95
    assert (off < 1.96).mean() > 0.85


def test_a_member_that_learns_only_some_rows(batch: ArchitectureBatch, truth: np.ndarray) -> None:
    stack = _stack(ridge={}, gp={"ensemble": 2, "rows": 60})
    stack.fit(batch[:120], _exact(truth[:120]))
    assert kendall_tau(truth[120:], stack.predict(batch[120:]).mean) > 0.6


def test_a_stack_of_nobody() -> None:
    with pytest.raises(ArchatlasError, match="a stack needs a member"):
        make_predictor("stack", NOBODY, seed=0)
