"""The kernel on blocks: by hand, its gradient, and what it finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.sparse import csr_array

from archatlas.encodings.blocks import Blocks
from archatlas.predictors.families.block_kernel import BlockKernel, BlockPosterior, search_block_kernel
from archatlas.predictors.families.column_kernel import matern


def drawn(count: int, seed: int = 0) -> Blocks:
    generator = np.random.default_rng(seed)
    return Blocks.of([generator.normal(size=(count, 2)), csr_array(generator.normal(size=(count, 3)))])


def test_blocks_by_hand() -> None:
    rows = Blocks.of([np.array([[3.0, 4.0], [0.0, 0.0]]), csr_array(np.array([[1.0], [2.0]]))])
    assert [squares.tolist() for squares in rows.squares] == [[25, 0], [1, 4]]
    assert rows.products(rows).tolist() == [[[25, 0], [0, 0]], [[1, 2], [2, 4]]]
    assert rows.distances(rows).tolist() == [[[0, 25], [25, 0]], [[0, 1], [1, 0]]]
    short = Blocks.of_unit_length([np.array([[0.6], [1.0]])])
    np.testing.assert_allclose(short.distances(short), [[[2 - 0.72, 0.8], [0.8, 0]]])
    again = Blocks.from_state(rows.state("rows"), "rows")
    np.testing.assert_array_equal(again.distances(rows), rows.distances(rows))
    assert len(rows[np.array([1])]) == 1


def test_both_kernels_by_hand() -> None:
    rows = Blocks.of([np.array([[0.0], [2.0]]), np.array([[1.0], [0.0]])])
    distances = np.array([[0.0, 0.5 * 4 + 3 * 1], [5.0, 0.0]])
    by_distance = BlockKernel("matern", np.array([0.5, 3.0]), 2.0, 0.1)
    np.testing.assert_allclose(by_distance.between(rows, rows), 2 * matern(distances)[0], rtol=1e-6)
    by_product = BlockKernel("dot", np.array([0.5, 3.0]), 2.0, 0.1)
    np.testing.assert_allclose(by_product.between(rows, rows), [[3.0, 0.0], [0.0, 2.0]])
    for kernel in (by_distance, by_product):
        np.testing.assert_allclose(kernel.variances(rows), np.diag(kernel.between(rows, rows)), rtol=1e-6)


@pytest.mark.parametrize("name", ["matern", "dot"])
def test_the_gradient_is_that_of_the_value(name: str) -> None:
    rows = drawn(12)
    apart = rows.distances(rows) if name == "matern" else rows.products(rows)
    target = np.random.default_rng(1).normal(size=12)
    posterior = BlockPosterior(name, apart, target - target.mean(), np.linspace(0.5, 1.5, 12))  # type: ignore[arg-type]
    point = np.array([-0.3, 0.4, 0.2, -1.0])
    error = check_grad(lambda at: posterior(at)[0], lambda at: posterior(at)[1], point)
    assert error < 1e-4 * np.abs(posterior(point)[1]).max()


@pytest.mark.parametrize("name", ["matern", "dot"])
def test_the_block_that_matters_weighs_most_and_one_that_is_constant_nothing(name: str) -> None:
    rows = drawn(80)
    first = rows.matrices[0]
    assert isinstance(first, np.ndarray)
    target = first @ np.array([1.0, -1.0])
    told = Blocks.of([*rows.matrices, np.ones((80, 1)) * (name == "matern")])
    kernel = search_block_kernel(name, told, target - target.mean(), np.ones(80))  # type: ignore[arg-type]
    assert kernel.weights[0] > 10 * kernel.weights[1]
    assert kernel.weights[2] == 0
    assert kernel.noise < 0.05
