"""NASI on small super-networks: exact derivatives, the step of algorithm 1, bounds, what is kept and what is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

from archatlas.costs.constraints import Constraint
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.networks.counting import count_module
from archatlas.scores.parameters import ScoreParameters
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.presets import preset
from archatlas.spaces.restricted import restricted
from archatlas.storage.work_store import WorkStore
from archatlas.systems.account import VISITED
from archatlas.systems.ledger import Ledger, Limit, Spending
from archatlas.systems.nasi import selection
from archatlas.systems.nasi.macs import MacCounter
from archatlas.systems.nasi.method import Nasi
from archatlas.systems.nasi.reward import ADA, CONFIGURED, FIX, Reward, logits_of, thresholds
from archatlas.systems.nasi.selection import favoured, ranked, ranked_by_each, sums_of
from archatlas.systems.nasi.start import Start, looking
from archatlas.systems.nasi.steepness import Draw, draw, gumbel
from archatlas.systems.nasi.sweep import swept
from archatlas.systems.problem import Problem
from archatlas.systems.searches import Search, Searches

SHAPE = (3, 8, 8)
DESCRIPTION = ImageDescription.model_validate(
    {
        "channels": 3,
        "image_size": 8,
        "class_names": ["a", "b", "c"],
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "splits": {},
        "source": "made up",
    }
)
CELLS = NasBench201("small", SHAPE, 3, stem_width=4, stages=(Stage(4, 1, 1), Stage(8, 1, 2)))


@pytest.fixture(scope="module")
def start() -> Start:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (40, *SHAPE), dtype=torch.uint8, generator=generator)
    return Start(CELLS, ImageSplit(images, torch.arange(40) % 3), DESCRIPTION)


def macs_of(choices: np.ndarray) -> int:
    return count_module(lambda: CELLS.build(choices), SHAPE).macs


class Linear(nn.Module):
    """Two choices at one position: ``x w_0`` or ``x w_1``; by hand, T of a path is that of one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            [nn.Parameter(torch.tensor([[0.5, -1.0]])), nn.Parameter(torch.tensor([[2.0, 0.0]]))]
        )

    def mixed(self, images: torch.Tensor, gates: Any, chosen: Any = None) -> torch.Tensor:
        places = (0, 1) if chosen is None else chosen
        return sum(gates[0][place] * images @ self.weights[place] for place in places)  # type: ignore[return-value]


def trace_of(first: float, second: float) -> float:
    """T of gates, by finite arithmetic: the logits are x (g_0 w_0 + g_1 w_1)."""
    network, (x, y) = Linear(), (torch.tensor([[1.0], [3.0]], dtype=torch.float64), torch.tensor([0, 1]))
    network.double()
    gates = [torch.tensor([first, second], dtype=torch.float64)]
    loss = functional.cross_entropy(network.mixed(x, gates), y)
    return float(sum(one.square().sum() for one in torch.autograd.grad(loss, list(network.parameters()))))


def test_the_trace_and_its_gradient_are_those_of_the_gates() -> None:
    images, labels = torch.tensor([[1.0], [3.0]]), torch.tensor([0, 1])
    logits, noise = [torch.zeros(2)], [torch.tensor([0.3, -0.2])]
    made = draw(Linear(), logits, noise, images, labels)  # type: ignore[arg-type]
    assert made.choices == (0,)
    assert made.tensors == 2
    assert made.trace == pytest.approx(trace_of(1.0, 0.0), rel=1e-5)
    step = 1e-5
    by_gates = np.array([trace_of(1 + step, 0.0) - trace_of(1 - step, 0.0), trace_of(1, step) - trace_of(1, -step)])
    soft = torch.softmax(noise[0], 0).double().numpy()
    expected = (np.diag(soft) - np.outer(soft, soft)) @ by_gates / (2 * step)
    np.testing.assert_allclose(made.gradient, expected, rtol=1e-4)
    alone = draw(Linear(), logits, noise, images, labels, through="chosen")  # type: ignore[arg-type]
    assert alone.trace == pytest.approx(made.trace)
    expected = (np.diag(soft) - np.outer(soft, soft)) @ np.array([by_gates[0], 0.0]) / (2 * step)
    np.testing.assert_allclose(alone.gradient, expected, rtol=1e-4)


def test_an_operation_without_second_derivative_is_named() -> None:
    class Refusing(Linear):
        def mixed(self, images: torch.Tensor, gates: Any, chosen: Any = None) -> torch.Tensor:
            raise RuntimeError("derivative for aten::_cdist_backward is not implemented")

    with pytest.raises(ArchatlasError, match="the operation aten::_cdist_backward of this space's super-network"):
        draw(Refusing(), [torch.zeros(2)], [torch.zeros(2)], torch.ones(2, 1), torch.tensor([0, 1]))  # type: ignore[arg-type]


def test_gumbel_noise_draws_every_choice_alike() -> None:
    generator = torch.Generator().manual_seed(1)
    counts = np.bincount([int(gumbel([4], generator)[0].argmax()) for _ in range(4000)], minlength=4)
    assert (np.abs(counts - 1000) < 120).all()


def draws(*rows: tuple[float, list[float]]) -> list[Draw]:
    return [Draw((0,), trace, 1, np.array(gradient), Spending()) for trace, gradient in rows]


def test_one_step_from_zero_as_algorithm_1_has_it() -> None:
    made = draws((50.0, [3.0, 4.0]), (150.0, [0.0, 2.0]), (80.0, [6.0, 8.0]))
    # nu = 100: the second is too steep, its gradient counts -1 times; norms so far 5, 5, 10.
    expected = (np.array([3.0, 4.0]) / 5 - np.array([0.0, 2.0]) / 5 + np.array([6.0, 8.0]) / 10) / 3
    np.testing.assert_allclose(logits_of(made, FIX), expected)
    np.testing.assert_allclose(
        logits_of(made, Reward("fixed", 0.0, 0.0)),
        (np.array([3.0, 4.0]) / 5 + np.array([0.0, 2.0]) / 5 + np.array([6.0, 8.0]) / 10) / 3,
    )
    traces = np.array([50.0, 150.0, 80.0])
    assert thresholds(traces, ADA).tolist() == [500.0, 275.0, pytest.approx(700 / 3)]
    assert thresholds(traces, Reward("quantile", 2.0, 0.5)).tolist() == [80.0] * 3
    # Of the logarithm the gradient is that of T over T.
    np.testing.assert_allclose(logits_of(made[:1], Reward("fixed", 2.0, 100.0, True)), np.array([0.6, 0.8]))
    assert logits_of(draws((1.0, [0.0, 0.0])), FIX).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("values", [(-1.0, 0.5), (2.0, 1.5), (np.nan, 0.5)])
def test_a_reward_that_means_nothing_is_refused(values: tuple[float, float]) -> None:
    with pytest.raises(ArchatlasError, match="at least 0, and a quantile at most 1"):
        Reward("quantile", *values)


def test_a_network_is_favoured_as_its_spellings_are_on_average() -> None:
    space = preset("digits", (1, 8, 8), 10)
    logits = np.random.default_rng(0).normal(size=sum(space.num_choices))
    rows = space.sample(30, np.random.default_rng(1))
    found = favoured(space, logits, rows, np.random.default_rng(2))
    for row, value in zip(rows[:10], found[:10], strict=True):
        assert value == pytest.approx(sums_of(space.twins(row), logits, space.num_choices).mean())


def test_ranked_are_the_most_favoured_within_bounds() -> None:
    logits = np.random.default_rng(3).normal(size=sum(CELLS.num_choices))
    problem = Problem(CELLS)
    every = CELLS.enumerate_networks(0, CELLS.networks)
    all_scores = favoured(CELLS, logits, every, np.random.default_rng(0))
    chosen, scores = ranked(problem, logits, np.random.default_rng(0), 7)
    np.testing.assert_allclose(scores, np.sort(all_scores)[::-1][:7])
    most = int(np.median(problem.costs(chosen)["macs"]))
    bounded = Problem(CELLS, [Constraint("macs", "max", most)])
    chosen, scores = ranked(bounded, logits, np.random.default_rng(0), 7)
    kept = problem.costs(every)["macs"].to_numpy() <= most
    np.testing.assert_allclose(scores, np.sort(all_scores[kept])[::-1][:7])
    several = ranked_by_each(bounded, [-logits, logits], np.random.default_rng(0), 7)
    assert [len(rows) for rows, _ in several] == [7, 7]
    assert several[1][0].tolist() == chosen.tolist()
    np.testing.assert_array_equal(several[1][1], scores)
    np.testing.assert_allclose(several[0][1], np.sort(-all_scores[kept])[::-1][:7])


def test_networks_of_a_table_are_favoured_over_all_their_spellings() -> None:
    logits = np.random.default_rng(3).normal(size=sum(CELLS.num_choices))
    rows = CELLS.enumerate_networks(0, CELLS.networks)[::50]
    part = restricted(CELLS, rows, len(rows))
    found = favoured(part, logits, rows, np.random.default_rng(0))
    np.testing.assert_array_equal(found, favoured(CELLS, logits, rows, np.random.default_rng(1)))


def test_the_sweep_names_what_each_search_has_chosen(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_WRITTEN_OUT", 10_000)  # Networks can be written out, and their spellings not.
    macs = Problem(CELLS).costs(CELLS.enumerate_networks(0, CELLS.networks))["macs"]
    bounds = [(Constraint("macs", "max", int(macs.quantile(share))),) for share in (0.02, 0.03)]
    asked = [Search("small", bounds[0], 0, 7), Search("large", bounds[1], 0, 7)]
    searches = Searches("nasi", Nasi(steps=2, batch=8), CELLS, None, pd.DataFrame(), "accuracy", Limit())  # type: ignore[arg-type]
    sweep = swept(searches, asked, start)
    own = sweep[sweep["reward"] == CONFIGURED].set_index("budget")["network"]
    assert own.to_dict() == {one.budget: searches.one(one, start)["network"][0] for one in asked}


def test_cells_that_lead_nowhere_are_not_looking(start: Start) -> None:
    parameters = ScoreParameters(batch=16)
    supernet, (images, _) = start.supernet(parameters, 0), start.batch(parameters, 0, 0)
    dead, skip = (
        CELLS.parse(np.array(["|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"])),
        CELLS.parse(np.array(["|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|none~2|"] * 3)),
    )
    assert looking(supernet, dead, images, 1, Ledger()).tolist() == []
    ledger = Ledger(Limit(forward_macs=1), closed=True)
    assert looking(supernet, np.concatenate([dead, skip]), images, 2, ledger).tolist() == [1, 2]
    # Three were looked at, with 16 images, whether or not the ledger was closed.
    macs = [macs_of(row) for row in (dead[0], skip[0], skip[1])]
    assert ledger.spent.forward_macs == pytest.approx(16 * sum(macs), rel=0.01)


def test_making_a_super_network_leaves_the_random_numbers_alone(start: Start) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    start.supernet(ScoreParameters(batch=16), 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_search_is_its_generator_s_and_its_draws_are_kept(start: Start, tmp_path: Any) -> None:
    kept = Start(start.space, start.train, start.description, WorkStore(tmp_path))
    method = Nasi(steps=4, batch=16, candidates=3)
    ledger = Ledger()
    first = method.search(Problem(CELLS), kept, ledger, np.random.default_rng(5))
    assert first.columns.tolist() == VISITED
    assert len(first) == 3
    assert first["score"].is_monotonic_decreasing
    assert (first["evaluations"] == 0).all()
    assert ledger.spent.forward_macs > 0
    # A graph of the gradients is differentiated: several times the forward pass.
    assert 3 < ledger.spent.backward_macs / ledger.spent.forward_macs < 12
    assert len(list(tmp_path.glob("nasi-*/draw_*.json"))) == 4
    again = method.search(Problem(CELLS), kept, Ledger(), np.random.default_rng(5))
    assert again.equals(first)
    other = Nasi(steps=4, batch=16, candidates=3, mu=0.0, logarithm=False)
    other.search(Problem(CELLS), kept, Ledger(), np.random.default_rng(5))
    assert len(list(tmp_path.glob("nasi-*"))) == 1  # Another reward draws nothing anew.
    without = method.search(Problem(CELLS), start, Ledger(), np.random.default_rng(5))
    assert without.equals(first)


def test_each_draw_is_charged_what_it_costs(tmp_path: Any) -> None:
    """Through chosen operations a draw costs what its network does, also where it was kept."""
    images = torch.randint(256, (40, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    start = Start(CELLS, ImageSplit(images, torch.arange(40) % 3), DESCRIPTION, WorkStore(tmp_path))
    method = Nasi(steps=5, batch=8, through="chosen")
    supernet = start.supernet(method.parameters(start), 2)
    ledger, again = Ledger(), Ledger()
    made = method.draws(start, supernet, ledger, 2)
    assert ledger.spent.forward_macs == sum(one.spent.forward_macs for one in made)
    macs = [macs_of(np.array(one.choices)) for one in made]
    beyond = np.array([one.spent.forward_macs for one in made]) - 8 * np.array(macs)
    assert (beyond >= 0).all()  # The super-network computes what leads nowhere, too.
    assert (beyond == 0).sum() == 4
    assert len({one.spent.forward_macs for one in made}) > 1
    assert len(method.draws(start, supernet, again, 2)) == 5
    assert (again.spent.forward_macs, again.spent.backward_macs) == (
        ledger.spent.forward_macs,
        ledger.spent.backward_macs,
    )


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_gradients_of_a_grouped_convolution_are_counted_by_group(groups: int) -> None:
    images = torch.randn(2, 4, 5, 5, requires_grad=True)
    weight = torch.randn(4, 4 // groups, 3, 3, requires_grad=True)
    once = 2 * 25 * 9 * 16 / groups
    with MacCounter() as counter:
        out = functional.conv2d(images, weight, padding=1, groups=groups)
        assert counter.macs == once
        gradients = torch.autograd.grad(out.square().sum(), [images, weight], create_graph=True)
        assert counter.macs == 3 * once
        torch.autograd.grad(sum(one.square().sum() for one in gradients), [images, weight])  # type: ignore[arg-type]
    assert counter.macs == 9 * once


def test_a_ledger_ends_the_draws(start: Start) -> None:
    method, ledger = Nasi(steps=4, batch=16), Ledger()
    supernet = start.supernet(ScoreParameters(batch=16), 1)
    assert len(method.draws(start, supernet, ledger, 1)) == 4
    limit = Limit(backward_macs=ledger.spent.backward_macs * 0.6)
    assert len(method.draws(start, supernet, Ledger(limit), 1)) == 2


def test_without_images_batches_are_gaussian() -> None:
    start = Start(CELLS, None, DESCRIPTION)
    found = Nasi(steps=2, batch=8, candidates=2).search(Problem(CELLS), start, Ledger(), np.random.default_rng(0))
    assert len(found) == 2


def test_draws_without_a_finite_trace_are_told(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    from archatlas.systems.nasi import draws as module

    fit = draws((1.0, [1.0]), (float("nan"), [1.0]), (2.0, [float("inf")]))
    assert len(module._finite(fit)) == 1
    assert "leaves out 2 of 3 draws" in caplog.text
    with pytest.raises(ArchatlasError, match="made 1 draws, and none has a finite trace"):
        module._finite(fit[1:2])


def test_too_few_images_for_a_draw_are_told_with_its_own_settings(start: Start) -> None:
    method = Nasi(steps=1, batch=1000)
    with pytest.raises(ArchatlasError) as refused:
        method.search(Problem(CELLS), start, Ledger(), np.random.default_rng(0))
    assert str(refused.value) == (
        "`methods.settings.nasi.batch` asks for 1000 training images, but there are 40: lower it, or set "
        "`methods.settings.nasi.images` to gaussian"
    )


def test_searches_without_scores_leave_the_columns_of_others(start: Start) -> None:
    from archatlas.search.parameters import SearchParameters
    from archatlas.systems.candidates import candidates_of_searches
    from archatlas.systems.comparison import best_of
    from archatlas.systems.searches import nothing_visited

    problem = Problem(CELLS)
    searches = Searches("nasi", Nasi(steps=2, batch=8, candidates=3), CELLS, None, pd.DataFrame(), "accuracy", Limit())  # type: ignore[arg-type]
    visited = searches.by(start, [Search("small", (), 0, 7), Search("large", (), 0, 7)])
    nothing = nothing_visited()
    assert nothing.dtypes.to_dict() == visited.dtypes.to_dict()
    # Without bounds and with one seed both budgets are one search.
    by_budget = [one.drop(columns="budget").reset_index(drop=True) for _, one in visited.groupby("budget")]
    pd.testing.assert_frame_equal(*by_budget)
    asked = SearchParameters.model_validate({"budgets": {"small": {}, "large": {}}, "top_k": 2})
    budgets: dict[str, tuple[Constraint, ...]] = {"small": (), "large": ()}
    candidates = candidates_of_searches(visited, budgets, asked)
    assert candidates["budget"].value_counts().to_dict() == {"small": 2, "large": 2}
    assert len(candidates_of_searches(nothing, budgets, asked)) == 0
    assert len(best_of(nothing, "nasi", 0.0)) == 0
    assert problem.keeps(CELLS.parse(candidates["network"].to_numpy(dtype=np.str_))).all()
