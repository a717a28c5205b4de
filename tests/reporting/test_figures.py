from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.errors import ArchatlasError
from archatlas.reporting.comparison.experiments import Experiment
from archatlas.reporting.comparison.figures import figure_winners
from archatlas.reporting.figures.atlas import density, figure_atlas
from archatlas.reporting.figures.choices import choice_importance, figure_choice_importance
from archatlas.reporting.figures.ranking import (
    figure_accuracy_histogram,
    figure_predicted_against_measured,
    figure_rank_correlation,
)
from archatlas.reporting.figures.results import (
    figure_class_accuracy,
    figure_class_counts,
    figure_comparison,
    figure_latency_check,
)
from archatlas.reporting.figures.theme import DARK, LIGHT
from archatlas.reporting.figures.training import figure_learning_curves, figure_stage_times, figure_tuning
from archatlas.reporting.run import Run, atlas_scores, costs_in, score_column
from archatlas.signals.predictor import constant_predictions
from archatlas.spaces.chain import ChainSpace
from archatlas.storage.table_file import TableFile

SPACE_NAME = "k3e1-skip-skip_k3e1-skip-skip_k3e1-skip"


def test_density_counts_every_network_once() -> None:
    costs = np.array([10.0, 10.0, 20.0, 30.0])
    scores = np.array([0.0, 1.0, 1.0, 0.5])
    cost_edges, score_edges, counts = density(costs, scores, 2)
    assert cost_edges.tolist() == [10, 20, 30]
    assert score_edges.tolist() == [0, 0.5, 1]
    assert counts.tolist() == [[1, 0], [1, 2]]


def test_a_wide_range_of_costs_is_cut_in_equal_ratios() -> None:
    cost_edges, _, counts = density(np.array([1.0, 10.0, 100.0]), np.zeros(3), 2)
    assert cost_edges == pytest.approx([1, 10, 100])
    assert counts.sum() == 3


@pytest.mark.parametrize(("score", "edges"), [(0.2, (0.1975, 0.2025)), (1.0, (0.9975, 1.0)), (1.2, (1.1975, 1.2))])
def test_networks_that_are_predicted_alike_span_no_axis_of_their_own_making(
    score: float, edges: tuple[float, float]
) -> None:
    costs, scores = np.array([0.012, 0.012]), np.array([score, score - 1e-9])
    cost_edges, score_edges, counts = density(costs, scores, 4, (0.0, 1.0))
    assert (score_edges[0], score_edges[-1]) == pytest.approx(edges)
    assert (cost_edges[0], cost_edges[-1]) == pytest.approx((0.01197, 0.01203))
    assert counts.sum() == 2


def test_an_axis_of_accuracies_ends_where_they_do() -> None:
    winner = {"budget": "small", "status": "found", "architecture": "b", "macs": 20, "test_accuracy_mean": 0.9}
    figure = figure_winners([Experiment("one", {}, {"winners": [winner]}, _front())], "macs")
    assert figure.layout.yaxis.autorangeoptions.to_plotly_json() == {"clipmin": 0, "clipmax": 1}


def _atlas() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "network": ["a", "b", "c"],
            "predicted_supernet_accuracy": [0.5, 0.6, 0.7],
            "predicted_std": 0.01,
            "macs": [10, 20, 30],
            "params": [3, 2, 1],
        }
    )


def _front() -> pd.DataFrame:
    rows = [("macs", "b", 0.6, 20, 2), ("macs", "a", 0.5, 10, 3), ("params", "c", 0.7, 30, 1)]
    return pd.DataFrame(rows, columns=["cost", "network", "predicted_score", "macs", "params"])


def test_atlas_shows_counts_the_front_in_order_and_the_winner() -> None:
    winner = {
        "budget": "small", "status": "found", "architecture": "b", "predicted": 0.6, "macs": 20, "params": 2
    }  # fmt: skip
    lost = {"budget": "tiny", "status": "none", "architecture": None}
    figure = figure_atlas(_atlas(), _front(), [winner, lost], pd.DataFrame(), bins=10)
    cells, front, star = figure.data
    assert sum(sum(row) for row in cells.customdata) == 3
    assert (list(front.x), list(front.y)) == ([10, 20], [0.5, 0.6])
    assert (list(star.x), list(star.y), star.name) == ([20], [0.6], "winner: small")
    assert min(value for row in cells.z for value in row if value is not None) > cells.zmin


def test_size_of_the_atlas_figure_does_not_grow_with_the_atlas() -> None:
    rng = np.random.default_rng(0)

    def drawn(rows: int) -> int:
        atlas = pd.DataFrame(
            {
                "network": ["n"] * rows,
                "predicted_supernet_accuracy": rng.random(rows),
                "macs": rng.integers(100, 200, rows),
            }
        )
        return len(figure_atlas(atlas, _front(), [], pd.DataFrame(), bins=20).to_json())

    assert drawn(200_000) < 1.5 * drawn(5_000)


def test_an_atlas_in_a_file_is_told_of_as_the_table(
    run: Run, space: ChainSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    atlas = run.atlas
    assert isinstance(atlas, pd.DataFrame)
    costs = costs_in(atlas)
    figures = [figure_atlas(atlas, run.pareto_front, [], run.verified_candidates, cost=cost) for cost in costs]
    importance = choice_importance(atlas, space)
    atlas.to_parquet(tmp_path / "atlas.parquet", row_group_size=400)
    monkeypatch.setattr("archatlas.storage.table_file._PART", 1000)
    monkeypatch.setattr("archatlas.reporting.figures.atlas._PART", 700)
    file = TableFile(tmp_path / "atlas.parquet")
    assert len(list(file.parts())) == 4
    assert costs_in(file) == costs == ["macs", "params", "predicted_latency_ms"]
    again = [figure_atlas(file, run.pareto_front, [], run.verified_candidates, cost=cost) for cost in costs]
    assert [figure.to_json() for figure in again] == [figure.to_json() for figure in figures]
    pd.testing.assert_frame_equal(choice_importance(file, space), importance)
    assert constant_predictions(file) == constant_predictions(atlas)
    flat = pd.DataFrame({"predicted_accuracy": [0.5] * 9, "predicted_std": 0.1})
    flat.to_parquet(tmp_path / "flat.parquet")
    found = constant_predictions(TableFile(tmp_path / "flat.parquet"))
    assert found == constant_predictions(flat)
    assert found is not None


def test_log_loss_is_negated() -> None:
    atlas = pd.DataFrame({"network": ["a"], "predicted_supernet_log_loss": [0.4]})
    assert atlas_scores(atlas).tolist() == [-0.4]
    with pytest.raises(ArchatlasError, match="predicted_supernet_"):
        score_column(pd.DataFrame({"network": ["a"]}))


def test_rank_correlation_bars_intervals_and_ceiling(run: Run) -> None:
    figure = figure_rank_correlation(run.audit_summary)
    bars = {bar.y[0]: bar for bar in figure.data}
    assert list(bars) == ["params alone", "MACs alone", "super-network", "predictor"]
    assert bars["predictor"].x[0] == 0.6
    assert bars["predictor"].error_x.array[0] == pytest.approx(0.1)
    assert bars["predictor"].error_x.arrayminus[0] == pytest.approx(0.13)
    assert 0.74 in [shape.x0 for shape in figure.layout.shapes]
    assert figure.layout.xaxis.title.text == "Kendall tau-b with the truth"
    short = figure_rank_correlation({**run.audit_summary, "tau_half_time": 0.2})
    assert short.layout.xaxis.title.text == "Kendall tau-b with their accuracy after 4 epochs"
    assert tuple(figure.layout.xaxis.range) == (0, 1)


def test_scores_without_training_have_bars_where_there_are_any_and_room_for_them(run: Run) -> None:
    scored = {"tau_nwot": 0.2, "tau_nwot_ci": [0.0, 0.4], "tau_jacov": -0.1, "tau_untrained": 0.3, "tau_synflow": 0.4}
    figure = figure_rank_correlation({**run.audit_summary, **scored})
    assert [bar.y[0] for bar in figure.data[:4]] == [
        "synflow, untrained", "nwot, untrained", "jacov, untrained", "nwot, jacov and params, untrained",
    ]  # fmt: skip
    assert figure.layout.height == 330 > figure_rank_correlation(run.audit_summary).layout.height
    assert figure.layout.xaxis.range[0] == pytest.approx(-0.1)


def test_rank_correlation_below_zero_and_without_intervals() -> None:
    figure = figure_rank_correlation({"count": 3, "tau_predictor": -0.33, "tau_supernet": None, "tau_ceiling": None})
    assert [bar.y[0] for bar in figure.data] == ["predictor"]
    assert figure.data[0].error_x.array is None
    assert figure.layout.xaxis.range[0] == pytest.approx(-0.4)


def test_predicted_against_measured_pairs_scores_with_truths(run: Run) -> None:
    figure = figure_predicted_against_measured(run.audit, run.verified_candidates, run.winners)
    supernet, predictor, candidates, winners = figure.data
    assert supernet.x.tolist() == run.audit["supernet_score"].tolist()
    assert predictor.y.tolist() == run.audit["truth"].tolist()
    assert len(candidates.x) == len(run.verified_candidates)
    assert winners.y.tolist() == [winner["validation_accuracy_mean"] for winner in run.winners]


def test_histogram_holds_every_audit_network(run: Run) -> None:
    figure = figure_accuracy_histogram(run.audit)
    assert sum(figure.data[0].y) == len(run.audit)
    assert figure.layout.annotations[0].text.startswith("10th: ")


def test_choice_importance_by_hand(space: ChainSpace) -> None:
    """Two networks that differ at position 0 alone: each choice is half their difference away from the mean."""
    names = [SPACE_NAME, SPACE_NAME.replace("k3e1-skip-skip_", "k5e6-skip-skip_", 1)]
    atlas = pd.DataFrame({"network": names, "predicted_supernet_accuracy": [0.8, 0.9]})
    table = choice_importance(atlas, space).set_index(["label", "operation"])
    assert table.loc[("1.1", "k3e1"), "difference"] == pytest.approx(-0.05)
    assert table.loc[("1.1", "k5e6"), "difference"] == pytest.approx(0.05)
    assert table.loc[("1.2", "skip"), "networks"] == 2
    assert table.loc[("1.2", "skip"), "difference"] == pytest.approx(0)
    assert np.isnan(table.loc[("1.2", "k3e1"), "difference"])
    assert len(table) == sum(space.num_choices)


def test_positions_are_labelled_by_stage(space: ChainSpace) -> None:
    assert [space.position_label(position) for position in range(8)] == [
        "1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "3.1", "3.2"
    ]  # fmt: skip


def test_choice_importance_heat_map_is_in_points_around_zero(space: ChainSpace, run: Run) -> None:
    table = choice_importance(run.atlas, space)
    heat = figure_choice_importance(table).data[0]
    assert list(heat.y) == ["k3e1", "k3e3", "k5e3", "k5e6", "skip"]
    first = table[(table["label"] == "1.1") & (table["operation"] == "k5e6")]["difference"].iloc[0]
    assert heat.z[3][0] == pytest.approx(100 * first, abs=1e-4)
    assert heat.z[4][0] is None, "no skip is offered where the shape changes"
    assert heat.zmin == -heat.zmax


def test_learning_curves_have_a_line_per_seed_and_quantity(run: Run) -> None:
    figure = figure_learning_curves(run.supernet_curves)
    assert [(trace.name, trace.xaxis) for trace in figure.data] == [
        ("seed 0", "x"), ("seed 0", "x2"), ("seed 1", "x"), ("seed 1", "x2")
    ]  # fmt: skip
    seed_1 = run.supernet_curves.query("seed == 1")
    assert figure.data[2].y.tolist() == seed_1["loss"].tolist()


def test_tuning_shows_the_best_so_far_and_skips_unfinished_trials() -> None:
    trials = pd.DataFrame(
        {
            "trial": [0, 1, 2, 3],
            "value": [0.2, float("nan"), 0.1, 0.4],
            "family": ["gcn", "gcn", "ridge", "gcn"],
            "settings": "{}",
        }
    )
    gcn, ridge, best = figure_tuning(trials).data
    assert gcn.x.tolist() == [0, 3]
    assert ridge.y.tolist() == [0.1]
    assert best.y.tolist() == [0.2, 0.2, 0.4]


def test_stage_times_in_the_order_of_the_run() -> None:
    stages = pd.DataFrame({"stage": ["first", "second"], "seconds": [2.0, 83.0], "peak_memory_mib": [100.0, 2048.0]})
    bar = figure_stage_times(stages).data[0]
    assert list(bar.y) == ["first", "second"]
    assert list(bar.x) == [2.0, 83.0]
    assert bar.text[1].replace("\N{NO-BREAK SPACE}", " ") == "1 min 23 s, 2.0 GiB"


def test_comparison_shows_only_what_was_tested() -> None:
    trainings = pd.DataFrame(
        [
            ("candidate", "small", "a", 0, 0.9), ("candidate", "small", "b", 0, float("nan")),
            ("random", "small", "c", 0, 0.8), ("mobilenet", "small", "m", 0, 0.85), ("audit", "", "d", 0, float("nan")),
        ],
        columns=["role", "budget", "network", "seed", "test_accuracy"],
    )  # fmt: skip
    figure = figure_comparison(trainings, [{"budget": "small", "architecture": "a"}])
    assert {trace.name: list(trace.x) for trace in figure.data} == {
        "random, same budget": [0.8], "scaled MobileNet": [0.85], "winner": [0.9]
    }  # fmt: skip
    assert sorted(shape.x0 for shape in figure.layout.shapes) == [0.8, 0.85, 0.9]


def test_a_star_stands_once_in_the_row_of_each_budget_that_its_network_won() -> None:
    trainings = pd.DataFrame(
        [
            # A finalist of `small`, drawn for `large` too, has won both; a random network of `small` has won `tiny`.
            ("candidate", "small", "a", 0, 0.9), ("random", "large", "a", 0, 0.9), ("random", "large", "c", 0, 0.8),
            ("random", "small", "r", 0, 0.7), ("random", "tiny", "s", 0, 0.6), ("audit", "", "a", 0, 0.1),
        ],
        columns=["role", "budget", "network", "seed", "test_accuracy"],
    )  # fmt: skip
    won = [("small", "a"), ("large", "a"), ("tiny", "r")]
    figure = figure_comparison(trainings, [{"budget": budget, "architecture": network} for budget, network in won])
    drawn = {trace.name: list(zip(trace.text, np.rint(trace.y), strict=True)) for trace in figure.data}
    assert drawn == {
        "random, same budget": [("r", 2), ("c", 1), ("s", 0)], "winner": [("a", 2), ("a", 1), ("r", 0)]
    }  # fmt: skip


def test_a_budget_without_a_mobilenet_says_why_and_no_empty_series_is_named() -> None:
    rows = [("candidate", "small", "a", 0, 0.9), ("random", "small", "c", 0, 0.8)]
    trainings = pd.DataFrame(rows, columns=["role", "budget", "network", "seed", "test_accuracy"])
    won = [{"budget": "small", "architecture": "a"}]
    figure = figure_comparison(trainings, won, {"small": "none keeps this budget"})
    assert [trace.name for trace in figure.data] == ["random, same budget", "winner"]
    (note,) = figure.layout.annotations
    assert (note.text, note.y) == ("scaled MobileNet: none keeps this budget", 0)


def test_classes_stand_from_the_hardest_to_the_easiest() -> None:
    winners = [
        {"budget": "small", "per_class_accuracy": {"cat": 1.0, "dog": 0.5}},
        {"budget": "large", "per_class_accuracy": {"cat": 1.0, "dog": 0.7}},
        {"budget": "tiny"},
    ]
    small, large = figure_class_accuracy(winners, ["cat", "dog"]).data
    assert list(small.x) == ["dog", "cat"]
    assert list(large.y) == [0.7, 1.0]


def test_class_counts_stack_the_splits() -> None:
    rows = [("test", "cat", 1), ("train", "cat", 5), ("train", "dog", 4)]
    figure = figure_class_counts(pd.DataFrame(rows, columns=["split", "class_name", "images"]))
    assert [(bar.name, list(bar.y)) for bar in figure.data] == [("train", [5, 4]), ("test", [1])]
    assert figure.layout.barmode == "stack"


def test_latency_check_has_quartiles_about_the_median() -> None:
    check = pd.DataFrame(
        {
            "architecture": ["a"],
            "predicted_latency_ms": [1.0],
            "measured_latency_ms": [1.1],
            "measured_latency_lower_quartile_ms": [1.0],
            "measured_latency_upper_quartile_ms": [1.4],
        }
    )
    dots = figure_latency_check(check).data[1]
    assert (dots.x[0], dots.y[0]) == (1.0, 1.1)
    assert dots.error_y.array[0] == pytest.approx(0.3)
    assert dots.error_y.arrayminus[0] == pytest.approx(0.1)


def test_empty_tables_give_a_figure_that_says_so() -> None:
    nothing = pd.DataFrame()
    drawn: list[Any] = [
        figure_rank_correlation({}),
        figure_predicted_against_measured(nothing, nothing, []),
        figure_accuracy_histogram(nothing),
        figure_learning_curves(nothing),
        figure_tuning(nothing),
        figure_stage_times(nothing),
        figure_comparison(nothing, []),
        figure_class_accuracy([], []),
        figure_class_counts(nothing),
        figure_latency_check(nothing),
    ]
    for figure in drawn:
        assert not figure.data
        assert figure.layout.annotations[0].text.endswith(".")


def test_both_templates_set_the_same_things() -> None:
    def keys(value: Any) -> Any:
        return {key: keys(inner) for key, inner in value.items()} if isinstance(value, dict) else None

    assert keys(LIGHT) == keys(DARK)
    assert json.dumps(LIGHT) != json.dumps(DARK)
