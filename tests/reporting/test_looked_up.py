"""The page of a run whose accuracies come from a public table."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from archatlas.costs.network_latency import network_latency_table
from archatlas.reporting import sentences
from archatlas.reporting.figures.choices import choice_importance, figure_choice_importance, position_title
from archatlas.reporting.figures.ranking import MOST_DRAWN, figure_predicted_against_measured
from archatlas.reporting.page import render_page
from archatlas.reporting.run import Run
from archatlas.reporting.sections.asked import why_twins
from archatlas.reporting.tables import predictors_table
from archatlas.spaces.presets import preset

from ..vertex_spellings import sample_spellings

TABLE = {"name": "nas_bench_macro", "path": None, "label": "validation", "truth": "test"}


@pytest.fixture(scope="module")
def looked_up(run: Run) -> Run:
    audit = run.audit.drop(columns=["supernet_score", "validation_accuracy_mean"], errors="ignore")
    atlas = run.atlas.rename(columns={"predicted_supernet_accuracy": "predicted_accuracy"})
    beside = {"best_accuracy": 0.991, "best_latency_ms": 1.5, "accuracy_gap": 0.0123, "accuracy_rank": 7}
    summary = {**run.audit_summary, "tau_supernet": None, "tau_difference": None, "tau_table": 0.88}
    summary |= {"tau_table_ci": [0.8, 0.93], "epochs": None, "tau_half_time": None}
    reason = "accuracies were looked up in the public table nas_bench_macro, so nothing was trained"
    return dataclasses.replace(
        run,
        parameters={**run.parameters, "table": TABLE},
        class_counts=run.class_counts.iloc[:0],
        supernet_curves=run.supernet_curves.iloc[:0],
        latency_check=run.latency_check.iloc[:0],
        latency_table=network_latency_table(pd.Series([1.0, np.nan], index=["a", "b"]), "help_pixel3"),
        atlas=atlas,
        audit=audit.assign(table_score=audit["truth"]),
        audit_summary=summary,
        winners=[{**winner, **beside, "networks_in_budget": 1234, "per_class_accuracy": {}} for winner in run.winners],
        export_summary={"budgets": {"small": {"status": "skipped", "reason": reason}}},
    )


def text_of(page: str) -> str:
    page = re.sub(r"<script.*?</script>|<style.*?</style>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\N{NO-BREAK SPACE}", " ")


def test_the_page_says_that_nothing_was_trained(looked_up: Run) -> None:
    page = render_page(looked_up)
    text = text_of(page)
    for said in (
        "Nothing was trained: accuracies come from the public table nas_bench_macro.",
        "The winner is chosen by the validation accuracy of the table, and its test accuracy was read afterwards.",
        "best possible 99.10 %",
        "rank by test accuracy in the budget 7 of 1,234",
        "behind the best possible 1.23 points",
        "The predictor ranks 44 networks that it was not fitted to by their test accuracy with tau 0.60 (0.47 to",
        "Looking up the validation accuracy of every one of them, which it learned from, would give tau 0.88 (0.80 to",
        "Latency is the column help_pixel3 of the public table nas_bench_macro. 1 networks have none",
        "There is nothing to load: accuracies were looked up",
        "networks that the public table nas_bench_macro knows",
    ):
        assert said in text, said
    for silent in ("super-network&#39;s accuracy", "Accuracy of each class", "trained alone", "Images of each split"):
        assert silent not in text, silent
    assert "predicted score (accuracy)" in page
    assert "predicted latency (ms)" not in page


def test_without_another_accuracy_the_page_owns_up(looked_up: Run) -> None:
    table = {**TABLE, "label": "test"}
    text = text_of(render_page(dataclasses.replace(looked_up, parameters={**looked_up.parameters, "table": table})))
    assert "the table has nothing else, so that the same test accuracy is reported" in text


def test_of_a_large_audit_a_sample_is_drawn(looked_up: Run) -> None:
    audit = pd.concat([looked_up.audit] * 50, ignore_index=True)
    figure = figure_predicted_against_measured(audit, looked_up.verified_candidates, [], titles=("test", "validation"))
    assert [len(trace.x) for trace in figure.data[:2]] == [MOST_DRAWN, MOST_DRAWN]
    assert figure.layout.yaxis.title.text == "test"
    assert figure.layout.yaxis3.title.text == "validation"


def test_an_audit_too_small_says_nothing() -> None:
    assert "no audit" in sentences.predictor_against_table({"count": 0}, "validation accuracy", "test accuracy")


@pytest.mark.parametrize(
    ("name", "title", "first"),
    [
        ("nas_bench_201", "edge of the cell (from-to)", "0-1"),
        ("nas_bench_101", "edge of the cell (from-to) or vertex", "0-1"),
        ("nas_bench_macro", "position (stage.place)", "1.1"),
    ],
)
def test_positions_are_called_what_they_are(name: str, title: str, first: str) -> None:
    space = preset(name, (3, 32, 32), 10)
    generator = np.random.default_rng(0)
    rows = space.sample(9, generator) if name != "nas_bench_101" else sample_spellings(space, 9, generator)
    atlas = pd.DataFrame({"network": space.names(rows), "predicted_accuracy": np.arange(9.0)})
    assert position_title(space) == title
    importance = choice_importance(atlas, space)
    assert importance["label"].iloc[0] == first
    assert figure_choice_importance(importance, positions=title).layout.xaxis.title.text == title


def test_scores_on_held_out_networks_are_no_diagnostic() -> None:
    one = {"predictor": "gcn", "fold": 0, "fit_seed": 0, "score_seed": 0, "fit_half": "a", "score_half": "a"}
    metrics = {"kendall_tau": 0.7, "spearman": 0.8, "kendall_tau_top_half": 0.5, "rmse": 0.1}
    scores = pd.DataFrame([{**one, **metrics, "protocol": protocol} for protocol in ("held_out", "same_seed")])
    table = predictors_table(scores)
    assert [row[1].text for row in table.rows] == ["held-out networks"]
    assert table.rows[0][1].note == ""


def twins_of(size: int, networks: int, space: str = "digits", table: str | None = None) -> str:
    why = why_twins(preset(space, (3, 32, 32), 10))
    return sentences.twins({"size": size, "networks": networks}, why, table)


def test_what_one_network_is_depends_on_the_space() -> None:
    assert twins_of(9, 9) == "Every architecture of the space is a network of its own."
    assert "wherever within a stage a skip stands" in twins_of(9, 5)
    assert "in what leads nowhere" in twins_of(9, 5, "nas_bench_201")
    assert twins_of(5, 5, table="t").startswith("Searched are the 5 networks that the public table t knows")
    assert twins_of(9, 5, table="t").endswith("each by its canonical architecture.")
