"""The page of a run that was compared with a table of true accuracies, and its figures."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.pipelines.compare_with_truth import nodes as compare_nodes
from archatlas.reporting.figures import truth as figures
from archatlas.reporting.page import render_page
from archatlas.reporting.run import Run
from archatlas.reporting.sections.truth import correlations_table, picks_table, truth_section, verdict
from archatlas.scorers.registry import SCORERS
from archatlas.spaces.tables.table import BenchmarkTable, Label
from archatlas.verification.truth import comparison
from archatlas.verification.truth.scores import SUPERNET_SCORERS

COUNT = 300
LABEL = Label("test", 100, ("test_accuracy_0", "test_accuracy_1", "test_accuracy_2"))


def compared_with(run: Run, unscored: int = 0) -> dict[str, Any]:
    """Outputs of compare_with_truth for a made-up table of ``COUNT`` networks whose predictor is nearly right."""
    rng = np.random.default_rng(0)
    names = run.space.names(run.space.sample(COUNT, rng))
    truth = 0.9 + 0.03 * rng.random(COUNT)
    trainings = truth[:, None] + 0.001 * rng.normal(size=(COUNT, 3))
    rows = pd.DataFrame({"architecture": names, "network": names, "test_accuracy": trainings.mean(axis=1)})
    rows[list(LABEL.trainings)] = trainings
    table = BenchmarkTable("made_up", run.space, rows, (LABEL,))
    noisy = {name: truth + spread * rng.normal(size=COUNT) for name, spread in _SPREADS.items()}
    scores = pd.DataFrame({"network": names, "fitted": np.arange(COUNT) < 100, **noisy, "macs": rng.random(COUNT)})
    for scorer in ("supernet_accuracy", "supernet_log_loss", "predictor"):
        for seed in (0, 1):
            scores[f"{scorer}/seed_{seed}"] = scores[scorer] + 0.001 * rng.normal(size=COUNT)
    scores.loc[: unscored - 1, "supernet_accuracy"] = np.nan
    joined = comparison.joined(scores, table, LABEL)
    none = pd.DataFrame({name: [] for name in ("architecture", "network", "seed", "half", "accuracy", "log_loss")})
    ranked = comparison.correlations(joined, comparison.by_architecture(joined, none, table, LABEL))
    chosen = comparison.picks(joined, ("30%", "60%"), 10)
    return {
        "truth_by_network": joined,
        "truth_correlations": ranked,
        "truth_picks": chosen,
        "truth_summary": comparison.summarise(joined, ranked, chosen, table, LABEL, 10),
    }


_SPREADS = {"supernet_accuracy": 0.02, "supernet_log_loss": 0.01, "predictor": 0.003, "predictor_and_residual": 0.002}


@pytest.fixture(scope="module")
def compared(run: Run) -> Run:
    parameters = {**run.parameters, "truth": {"name": "made_up", "accuracy": "test"}}
    beside = {"best_accuracy": 0.991, "accuracy_gap": 0.0123, "accuracy_rank": 7, "networks_in_budget": 1234}
    winners = [{**winner, **beside} for winner in run.winners]
    return dataclasses.replace(run, parameters=parameters, winners=winners, **compared_with(run))


def text_of(page: str) -> str:
    page = re.sub(r"<script.*?</script>|<style.*?</style>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\N{NO-BREAK SPACE}", " ")


def test_the_page_tells_of_the_truth(compared: Run) -> None:
    text = text_of(render_page(compared))
    for said in (
        "Against the truth",
        "300 of the networks inside were scored, a predictor (",
        "(table made_up, test accuracy)",
        "over 300 networks. Predictors were fitted to the super-networks&#39; scores of 100",
        "no true accuracy was used in this run to train, to fit, to tune or to choose",
        "; ahead in 2 of 2 single super-networks)",
        "Over all networks the predictor ranks better than the better of the raw scores",
        "the least accurate 1% lie below the edge",
        "accuracies of the public table made_up, and the best for each budget were looked up there",
        "nothing was chosen by it",
        "rank by test accuracy in the budget 7 of 1,234",
        "The super-network&#39;s training",
    ):
        assert said in text, said
    for silent in ("Nothing was trained:", "Accuracy of each class", "scaled MobileNet within"):
        assert silent not in text, silent


def test_what_a_calibrated_run_has_seen_is_said(compared: Run) -> None:
    summary = {"networks": 30, "tau_before": 0.5, "tau_after": 0.6, "tau_alone": 0.4}
    text = text_of(render_page(dataclasses.replace(compared, calibration_summary=summary)))
    assert "from the true accuracies of 30 too. No other true accuracy was used in this run" in text
    assert "no true accuracy was used in this run to train" not in text
    assert "nothing was chosen by it" not in text


def test_every_scorer_of_a_run_has_a_name_on_the_page() -> None:
    assert {compare_nodes.DEFAULT, compare_nodes.TUNED, compare_nodes.CALIBRATED, *SUPERNET_SCORERS} <= set(SCORERS)


def test_a_run_without_a_table_has_no_such_section(run: Run) -> None:
    assert "Against the truth" not in text_of(render_page(run))


@pytest.mark.parametrize(
    "draw",
    [
        lambda run: figures.figure_true_correlations(run.truth_correlations, run.truth_summary),
        lambda run: figures.figure_predicted_against_true(run.truth_by_network),
        lambda run: figures.figure_rank_against_rank(run.truth_by_network),
        lambda run: figures.figure_top_under_lens(run.truth_by_network),
        lambda run: figures.figure_true_picks(run.truth_picks, 10),
    ],
)
def test_what_is_not_there_is_said(run: Run, compared: Run, draw: Callable[[Run], Any]) -> None:
    assert "was not compared" in draw(run).layout.annotations[0].text
    assert len(draw(compared).data) >= 3


def test_every_network_lies_in_one_bin(compared: Run) -> None:
    for panel in figures.figure_rank_against_rank(compared.truth_by_network).data:
        assert np.nansum(np.array(panel.z, dtype=float)) == COUNT


def test_the_lens_shows_the_top_by_either(compared: Run) -> None:
    figure = figures.figure_top_under_lens(compared.truth_by_network, share=0.1)
    for number, panel in enumerate(figure.data):
        score, truth = np.array(panel.x), np.array(panel.y)
        assert ((score <= 30) | (truth <= 30)).all()
        both = ((score <= 30) & (truth <= 30)).sum()
        assert len(score) == 60 - both
        assert figure.layout.annotations[number].text.endswith(f": {both} of 30 in both")


def test_drawn_are_the_least_and_the_truest(compared: Run) -> None:
    rows = compared.truth_by_network
    drawn = figures.evenly_by_truth(rows, 50)
    assert len(drawn) == 50
    assert drawn["true_accuracy"].agg(["min", "max"]).tolist() == rows["true_accuracy"].agg(["min", "max"]).tolist()
    assert len(figures.evenly_by_truth(rows, 10_000)) == COUNT


def test_tables_hold_every_scorer(compared: Run) -> None:
    table = correlations_table(compared)
    names = [row[0].text for row in table.rows]
    assert names == [
        "predictor and residual", "predictor", "super-network, log loss", "super-network, accuracy", "MACs alone",
    ]  # fmt: skip
    tau = compared.truth_summary["scorers"]["predictor"]["kendall_tau"]
    assert table.rows[1][2].text == f"{tau:.3f}"
    assert "±" in table.rows[1][3].text
    assert "±" not in table.rows[0][3].text
    picks = picks_table(compared)
    assert [title for title, _ in picks.columns] == ["scorer", "no budget", "MACs up to 30%", "MACs up to 60%"]
    assert picks.rows[-1][0].text == "the truly best"


def test_unlike_numbers_of_networks_are_owned_up_to(run: Run) -> None:
    part = compared_with(run, unscored=200)
    assert "over unlike numbers of networks" in verdict(part["truth_summary"], part["truth_correlations"])
    few = compared_with(run, unscored=COUNT - 1)
    assert verdict(few["truth_summary"], few["truth_correlations"]).startswith("Too few networks")
    asked = {**run.parameters, "truth": {"name": "made_up", "accuracy": "test"}}
    section = truth_section(dataclasses.replace(run, parameters=asked, **few))
    assert any(row[1].text == "1" for block in section.blocks if hasattr(block, "table") for row in block.table.rows)
