from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.predictors.metrics import wilson_interval
from archatlas.reporting import numbers, tables
from archatlas.reporting.blocks import safe_json
from archatlas.reporting.cards import budget_cards
from archatlas.reporting.page import render_page
from archatlas.reporting.parameters import ReportParameters
from archatlas.reporting.run import Run
from archatlas.reporting.sections.embedding import embedding_section
from archatlas.reporting.sections.meta_graph import pruned_drawings
from archatlas.signals.signal import Signal
from archatlas.spaces.presets import preset
from archatlas.verification.parameters import VerificationParameters

FINISHED = {
    "epochs": 7, "better": True, "with_validation": False, "validation_accuracy": 0.91, "teacher": "contenders",
    "taught_epochs": 4, "contenders": 2,
}  # fmt: skip
"""What training a winner on has left."""
VOID = {"meta", "link", "br", "wbr", "input", "hr", "img"}


class _Outline(HTMLParser):
    """Checks that elements close in order; collects ids, links and everything that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.anchors: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        for name in ("src", "href", "data", "action"):
            target = values.get(name)
            if target and target.startswith("#"):
                self.anchors.append(target[1:])
            elif target and not target.startswith("data:"):
                self.fetched.append(target)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _outline(page: str) -> _Outline:
    outline = _Outline()
    outline.feed(page)
    outline.close()
    assert outline.open == []
    return outline


def _text(page: str) -> str:
    page = re.sub(r"<script.*?</script>|<style.*?</style>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return render_page(run)


def test_the_page_is_one_well_formed_file_that_fetches_nothing(page: str) -> None:
    outline = _outline(page)
    assert outline.fetched == []
    assert set(outline.anchors) <= set(outline.ids)
    assert len(outline.ids) == len(set(outline.ids))
    assert "default-src 'none'" in page
    assert page.count("plotly.js v") == 1


def test_the_page_answers_what_was_asked_and_found(page: str) -> None:
    text = _text(page)
    for said in (
        "digits: a network for each of 3 budgets",
        "Every budget has a winner.",
        "141,120",
        "The classes are balanced",
        "The predictor ranks networks better than the super-network&#39;s raw scores do",
        "The GCN (default settings) beats the additive ridge",
        "cross-seed",
        "diagnostic",
        "archatlas.load_network(&#34;data/current/digits/networks/small&#34;)",
        "give the same logits to 3.1e-06",
        "python data/current/digits/networks/small/predict.py --network network_int8.onnx image.jpg",
        "0.0420 ms / 0.0210 ms",
        "a processor, onnxruntime",
        "All parameters (YAML)",
        "1a2b3c4d5e6f, with uncommitted changes",
        "What was reused counts with the time that it took when it was made.",
        "super-network seeds 0, 1",
        "Versions of libraries (3)",
        "manifest.json/2026-01-03T08.00.00.000Z/manifest.json",
    ):
        assert said in text, said


def test_every_section_says_what_it_shows(page: str) -> None:
    sections = re.findall(r'<section id="([\w-]+)".*?</section>', page, flags=re.DOTALL)
    assert len(sections) == 14
    leads = re.findall(r'<p class="lead">(.*?)</p>', page, flags=re.DOTALL)
    assert len(leads) == 14
    assert all(len(lead) > 20 and lead.rstrip().endswith(".") for lead in leads)


def test_no_atlas_row_is_embedded(page: str, run: Run) -> None:
    named = set(re.findall(r"(?:k\de\d|skip)(?:[-_](?:k\de\d|skip)){7}", page))
    assert len(named) < len(run.atlas) / 10


def test_what_is_missing_is_said_plainly(run_data: dict[str, Any], make_run: Any) -> None:
    nothing = {
        "latency_table": run_data["latency_table"].iloc[:0],
        "latency_check": run_data["latency_check"].iloc[:0],
        "audit": run_data["audit"].iloc[:0],
        "audit_summary": {"count": 0, "tau_predictor": None},
        "atlas": run_data["atlas"].drop(columns="predicted_latency_ms"),
        "supernet_curves": run_data["supernet_curves"].query("seed == 0"),
        "predictor_scores": run_data["predictor_scores"].query("protocol == 'same_seed'"),
        "tuning_trials": run_data["tuning_trials"].iloc[:0],
        "tuning_summary": {},
        "trainings": run_data["trainings"].iloc[:0],
        "verified_candidates": run_data["verified_candidates"].iloc[:0],
        "export_summary": {},
        "manifest": {},
        "split_files": pd.DataFrame(),
        "test_predictions": pd.DataFrame(),
        "test_mistakes": {},
        "winners": [
            {
                "budget": "small",
                "status": "none",
                "architecture": None,
                "reason": "none of the 20 candidates keeps max_latency_ms 0.1 when measured",
                "nearest_misses": [
                    {"network": "k3e1-skip", "macs": 14_200, "params": 900, "latency_ms": 0.11, "excess": 0.1}
                ],
            }
        ],
    }
    page = render_page(make_run({**run_data, **nothing}))
    _outline(page)
    text = _text(page).replace("\N{NO-BREAK SPACE}", " ")
    for said in (
        "No network met any of the budgets.",
        "None of the 20 candidates keeps max_latency_ms 0.1 when measured",
        "k3e1-skip: 14.2 k MACs, 900 params, 0.110 ms",
        "There was no audit",
        "This run has no latency table",
        "Only one seed was trained",
        "There is no winner to draw.",
        "There is no winner to load.",
    ):
        assert said in text, said


def test_a_log_loss_target_and_a_title(run_data: dict[str, Any], make_run: Any) -> None:
    atlas = run_data["atlas"].rename(columns={"predicted_supernet_accuracy": "predicted_supernet_log_loss"})
    tuned = {**run_data["calibrated_predictor"], "target": "log_loss"}
    winners = [{**winner, "predicted": -0.312} for winner in run_data["winners"]]
    changed = {**run_data, "atlas": atlas, "calibrated_predictor": tuned, "winners": winners}
    page = render_page(make_run(changed, report=ReportParameters(title="Digits & <digits>")))
    text = _text(page)
    assert "Digits &amp; &lt;digits&gt;" in text
    assert "predicted score (shared weights) -0.312" in text
    assert "minus log loss" in page


def _doubted(run_data: dict[str, Any], make_run: Any) -> Run:
    """A run whose candidates were ranked by MACs, whose audit is short, and whose winners are nothing special."""
    ahead = {"small": 0.0, "medium": 0.002, "large": -0.2}
    winners = [
        {**winner, "test_accuracy_mean": 0.7, "random_accuracy_mean": 0.7 - ahead[winner["budget"]]}
        for winner in run_data["winners"]
    ]
    signals = [
        Signal("evaluate_subnets", "scores_disagree", "broken", "Noise <b>.", "By MACs.", "Train `longer`."),
        Signal("verify_candidates", "audit_unsettled", "warning", "Too short.", "Not the truth.", "More epochs."),
    ]
    return make_run(  # type: ignore[no-any-return]
        {
            **run_data,
            "winners": winners,
            "signals": [signal.document() for signal in signals],
            "candidates": run_data["candidates"].assign(ranked_by="macs"),
            "audit_summary": {**run_data["audit_summary"], "tau_half_time": 0.2, "tau_difference_ci": [-0.1, 0.2]},
        }
    )


def test_a_run_without_a_signal_does_not_contradict_itself(run_data: dict[str, Any], make_run: Any) -> None:
    page = render_page(_doubted(run_data, make_run))
    _outline(page)
    text = _text(page).replace("\N{NO-BREAK SPACE}", " ")
    for said in (
        "Broken. Noise &lt;b&gt;. By MACs. Train longer .",
        "Careful. Too short. Not the truth. More epochs.",
        "Every budget has a network that was chosen for it; that it is better than others of its budget, this run does "
        "not show.",
        "the largest for each budget, for want of a signal in their scores, were trained alone",
        "small: test accuracy of the chosen network",
        "no winner: others are better",
        "+0.0 points against 5 random networks of the same budget: within noise, so this run cannot tell",
        "-20.0 points against 5 random networks of the same budget: worse beyond noise",
        "candidates ranked by MACs, for want of a signal",
        "Rank correlation with their accuracy after 4 epochs",
        "This run cannot tell whether the predictor or the super-network&#39;s raw scores rank networks better",
    ):
        assert said in text, said
    for silent in ("has a winner.", "ahead of the super-network", "with the truth", "correlation of the predictor"):
        assert silent not in text, silent
    assert '<article class="card good' not in page
    assert page.index('class="doubts"') < page.index('class="tiles"')


def test_a_good_run_shows_each_budget_with_its_interval_and_a_tau_with_its_own(page: str, run: Run) -> None:
    text = _text(page).replace("\N{NO-BREAK SPACE}", " ")
    assert 'class="doubts"' not in page
    assert page.count('<article class="card good') == 3
    for winner in run.winners:
        low, high = wilson_interval(winner["test_accuracy_mean"], 359)
        tile = f"{winner['budget']}: test accuracy of the winner, {100 * low:.1f} % to {100 * high:.1f} % by 359 images"
        assert tile in text
    assert "0.60 rank correlation of the predictor with the truth, 0.47 to 0.70 by 44 audit networks" in text


def test_a_small_audit_is_no_headline(run_data: dict[str, Any], make_run: Any) -> None:
    small = {**run_data["audit_summary"], "tau_predictor_ci": [0.1, 0.9]}
    text = _text(render_page(make_run({**run_data, "audit_summary": small})))
    assert "rank correlation of the predictor with" not in text
    assert "The audit is too small to say whether the predictor ranks better than the raw scores (tau 0.60" in text


def test_scores_without_training_stand_among_the_predictors_where_the_sample_has_them(
    page: str, run_data: dict[str, Any], make_run: Any
) -> None:
    assert "untrained" not in _text(page)
    known = run_data["predictor_scores"]
    alone = known.query("predictor == 'macs' and protocol == 'cross_seed'")
    nwot = alone.assign(predictor="nwot, untrained", kendall_tau=0.25, spearman=0.3, rmse=np.nan)
    text = _text(render_page(make_run({**run_data, "predictor_scores": pd.concat([known, nwot])})))
    assert "Untrained are scores of the same networks at initialisation, each by its own order" in text
    assert re.search(r"nwot, untrained cross-seed 0\.25 ± 0\.00 0\.30 ± 0\.00 0\.21 ± 0\.00 \N{EN DASH}", text)


def test_scores_on_shared_weights_are_folded_away_from_test_accuracies(page: str) -> None:
    card = page[page.index('<article class="card') : page.index("</article>")]
    shown, folded = card.split('<details class="scores">')
    assert "shared weights" not in shown
    assert "predicted accuracy (shared weights)" in folded
    assert "super-network&#39;s accuracy (shared weights)" in folded


def test_why_learning_curves_start_anew_and_differ(run: Run, page: str) -> None:
    supernet = {"largest_first_epochs": 3, "image_sizes": [8, 4]}
    text = _text(render_page(dataclasses.replace(run, parameters={**run.parameters, "supernet": supernet})))
    assert "In the first 3 epochs the largest path is trained alone" in text
    assert "images of 8, 4 pixels, in turn" in text
    assert "largest path" not in _text(page)
    assert "in turn" not in _text(page)


def test_names_cannot_end_a_script() -> None:
    assert json.loads(safe_json({"class": "</script><!--"})) == {"class": "</script><!--"}
    assert "<" not in safe_json({"class": "</script><!--"})


def test_the_page_names_neither_host_nor_places_of_the_machine(run: Run) -> None:
    parameters = {**run.parameters, "images": {"path": "/home/someone/cats"}, "table": ["~/tables"]}
    page = render_page(dataclasses.replace(run, parameters=parameters))
    assert ".../cats" in page
    assert ".../tables" in page
    assert run.manifest["hardware"]["host"] == "workshop"
    assert "workshop" not in page
    assert "someone" not in page


def test_hostile_class_names_stay_text(run_data: dict[str, Any], make_run: Any) -> None:
    evil = "</script><script>alert(1)</script>"
    counts = run_data["class_counts"].replace({"class_name": {"0": evil}})
    winners = [
        {**winner, "per_class_accuracy": {evil: 0.1, **winner["per_class_accuracy"]}} for winner in run_data["winners"]
    ]
    description = {**run_data["image_description"], "class_names": [evil, *map(str, range(1, 10))]}
    page = render_page(
        make_run({**run_data, "class_counts": counts, "winners": winners, "image_description": description})
    )
    assert "<script>alert" not in page


def test_reporting_does_not_load_torch() -> None:
    code = "import archatlas.reporting.page, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "src"}, cwd=_root()).returncode == 0


def _root() -> Path:
    return Path(__file__).resolve().parents[2]


def test_chromium_draws_every_figure_without_a_console_message(page: str, drawn_by_chromium: Any) -> None:
    assert drawn_by_chromium(page) == (17, [])


def test_tables_are_those_of_the_run(page: str, run: Run) -> None:
    text = _text(page).replace("\N{NO-BREAK SPACE}", " ")
    winner = run.winners[0]
    assert f"{100 * winner['test_accuracy_mean']:.1f} % ± {100 * winner['test_accuracy_std']:.1f}" in text
    assert winner["architecture"] in text
    assert isinstance(run.feasibility, pd.DataFrame)
    assert "15%" in text


def test_why_no_scaled_mobilenet_stands_beside_a_winner_is_said(run_data: dict[str, Any], make_run: Any) -> None:
    nothing = {name: None for name in run_data["winners"][0] if name.startswith("mobilenet_")}
    first, *others = run_data["winners"]
    made = make_run({**run_data, "winners": [first | nothing, *others]})
    cards = budget_cards(made)
    told = "none keeps this budget, with all widths of the space times 0.01 to 4"
    assert [dict(card.facts).get("scaled MobileNet") for card in cards] == [told, *[None] * len(others)]
    assert f"scaled MobileNet: {told}" in render_page(made)
    unasked = dataclasses.replace(
        made, parameters={**made.parameters, "verification": VerificationParameters(mobilenet=False)}
    )
    assert "scaled MobileNet" not in dict(budget_cards(unasked)[0].facts)


def test_a_mobilenet_that_wins_is_named_as_such_and_drawn(run_data: dict[str, Any], make_run: Any) -> None:
    winners = [
        {
            **winner,
            "architecture": "mobilenet_x0.50",
            "role": "mobilenet",
            "predicted": None,
            "supernet_accuracy": None,
            "exported_accuracy": 0.9,
            "finished": FINISHED,
        }
        if winner["status"] == "found"
        else winner
        for winner in run_data["winners"]
    ]
    page = render_page(make_run({**run_data, "winners": winners}))
    assert "a MobileNet scaled by hand" in page
    assert "7 epochs of training images, then 4 taught by all that were; the best of 2 so trained" in page
    assert "mobilenet_x0.50</figcaption>" in page or ": mobilenet_x0.50" in page


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"role": "random", "from_budget": "small"}, {"this is": "a random network of the budget"}),
        ({"role": "random", "from_budget": "large"}, {"this is": "a random network of the budget large"}),
        ({"role": "candidate", "from_budget": "small"}, {}),
        ({"role": "candidate", "from_budget": "large"}, {"found for the budget": "large"}),
        (
            {"role": "mobilenet", "from_budget": "large", "mobilenet_architecture": None,
             "mobilenet_accuracy_mean": None},
            {"this is": "a MobileNet scaled by hand to the budget large",
             "scaled MobileNet": "none but this network, which is not compared with itself"},
        ),
        (
            {"role": "random", "random_count": 0, "random_accuracy_mean": None},
            {"this is": "a random network of the budget",
             "random networks": "none but this network, which is not compared with itself"},
        ),
    ],
)  # fmt: skip
def test_a_card_says_whose_draw_won_and_what_was_not_compared(
    run_data: dict[str, Any], make_run: Any, changes: dict[str, Any], facts: dict[str, str]
) -> None:
    first, *others = run_data["winners"]
    card = budget_cards(make_run({**run_data, "winners": [first | changes, *others]}))[0]
    told = {name: text for name, text in card.facts if name in {"this is", "found for the budget", *facts}}
    assert told == facts


def test_noise_that_is_not_known_gives_no_badge_and_that_of_random_networks_is_named(
    run_data: dict[str, Any], make_run: Any
) -> None:
    unknown = [{**winner, "training_noise": None} for winner in run_data["winners"]]
    page = render_page(make_run({**run_data, "winners": unknown}))
    assert '<article class="card plain' in page
    assert "this run cannot tell which is better, since one training of each does not say how far" in _text(page)
    assert "stands for that of trainings" not in _text(page)
    drawn = {"std": 0.007, "degrees": 4, "of": "random networks"}
    once = [{**winner, "seeds": [0], "training_noise": drawn} for winner in run_data["winners"]]
    text = _text(render_page(make_run({**run_data, "winners": once})))
    assert "the spread of the random networks stands for that of trainings" in text


def test_what_was_not_audited_is_not_described(run_data: dict[str, Any], make_run: Any) -> None:
    nothing = {"audit": run_data["audit"].iloc[:0], "audit_summary": {"count": 0}}
    text = _text(render_page(make_run({**run_data, **nothing})))
    assert "No networks were drawn for an audit, which would say how well scores put networks in order." in text
    for silent in ("drawn uniformly", "dashed line", "Whiskers"):
        assert silent not in text, silent
    once = {**run_data["audit_summary"], "tau_ceiling": None, "tau_ceiling_ci": None}
    text = _text(render_page(make_run({**run_data, "audit_summary": once})))
    assert "drawn uniformly" in text
    assert "dashed line" not in text


def test_what_was_not_trained_on_is_not_shorter_than_what_is_exported(run_data: dict[str, Any], make_run: Any) -> None:
    def text_of(*better: bool | None) -> str:
        finished = [None if one is None else {**FINISHED, "better": one} for one in better]
        told = [{**winner, "finished": one} for winner, one in zip(run_data["winners"], finished, strict=True)]
        return _text(render_page(make_run({**run_data, "winners": told})))

    nothing = text_of(None, None, None)
    assert "trained alike, and so was the network itself there." in nothing
    assert "before winners were trained on" not in nothing
    assert "itself there: shorter than what is exported." in text_of(True, True, True)
    some = text_of(True, False, True)
    assert "itself there: shorter than what is exported, where training on has helped." in some
    assert "trained alike from scratch, before winners were trained on;" in some


def test_where_no_score_ranks_all_networks_the_first_screen_says_so(run_data: dict[str, Any], make_run: Any) -> None:
    nothing = dict.fromkeys(
        ("supernet_curves", "evaluations", "predictor_scores", "tuning_trials", "atlas"), pd.DataFrame()
    )
    nothing |= {"audit": run_data["audit"].iloc[:0], "audit_summary": {"count": 0}}
    nothing |= {key: {} for key in ("tuning_summary", "calibrated_predictor", "atlas_speed", "evaluation_speed")}
    candidates = run_data["candidates"].assign(method="nasi", predicted_score=-0.0312)
    verified = run_data["verified_candidates"].assign(method="nasi", predicted_score=-0.0312)
    found = {"candidates": candidates, "verified_candidates": verified}
    found["winners"] = [{**winner, "method": "nasi", "predicted": -0.0312} for winner in run_data["winners"]]
    page = render_page(make_run({**run_data, **nothing, **found}))
    text = _text(page)
    assert "Searched by nasi at initialisation; no super-network was trained, so no score ranks all networks" in text
    assert "score of the search" in text
    assert "-0.0312" in text
    assert "-3.1" not in text
    sections = re.findall(r'<section id="([\w-]+)"', page)
    assert not {"atlas", "trust", "measured", "choices", "predictor", "supernet"} & set(sections)


def test_a_meta_graph_is_shown_over_time_with_how_dense_winners_are(run_data: dict[str, Any], make_run: Any) -> None:
    weights = {(0, 1): (1.0, 3.25), (0, 2): (1.0, 0.5), (1, 2): (1.0, 1.0)}
    history = pd.DataFrame(
        [
            (budget, 0, networks, cell, source, target, weight)
            for budget in ("small", "large")
            for cell in (0, 1)
            for (source, target), over_time in weights.items()
            for networks, weight in zip((0, 20), over_time, strict=True)
        ],
        columns=["budget", "seed", "networks", "cell", "source", "target", "weight"],
    )
    page = render_page(make_run({**run_data, "meta_graph_of_gram": history}))
    text = _text(page)
    assert "Search by a meta-graph" in text
    assert "cell 1 in-1 (3.25), 1-2 (1.00), in-2 (0.50); cell 2 in-1 (3.25)" in text
    assert "points per million MACs" in text
    assert '<section id="meta_graph"' not in render_page(make_run(run_data))


def test_a_search_on_an_embedding_is_shown_as_a_map_and_by_how_it_follows_the_kernel(
    run_data: dict[str, Any], make_run: Any
) -> None:
    embedded = pd.DataFrame(
        {
            "budget": ["small", "small", ""],
            "network": ["a", "b", "c"],
            "score": [0.8, 0.9, np.nan],
            "x": [0.0, 1.0, 2.0],
            "y": [0.0, 1.0, 0.5],
        }
    )
    pairs = pd.DataFrame({"kernel": [0.1, 0.5, 0.9], "cosine": [0.0, 0.4, 0.8]})
    with_map = {**run_data, "embedding_of_nasgem": embedded, "embedding_pairs_of_nasgem": pairs}
    section = embedding_section(make_run(with_map))
    assert section is not None
    said = section.blocks[1].text
    assert "2 networks were scored, and 1 more are drawn in grey" in said
    assert "Over 3 pairs of these others, kernel and cosine have a correlation of 1.00" in said
    figure = section.blocks[0].figure
    assert [len(trace.x) for trace in figure.data] == [1, 2, 3]
    assert '<section id="embedding"' in render_page(make_run(with_map))
    assert embedding_section(make_run(run_data)) is None


def test_the_best_network_of_a_meta_graph_is_drawn_before_and_after_pruning(
    run_data: dict[str, Any], make_run: Any
) -> None:
    space = preset("wired_cells", (1, 8, 8), 10)
    names = space.names(space.sample(2, np.random.default_rng(0)))
    best = {
        "budget": "small",
        "network": names[0],
        "score": 0.912,
        "macs": 200_000,
        "params": 9_000,
        "pruned": names[1],
    }
    best |= {"pruned_macs": 150_000, "pruned_params": 7_000}
    before, after = pruned_drawings(dataclasses.replace(make_run(run_data), space=space), best)
    assert before.caption == "As drawn: 200\xa0k MACs, 9\xa0k params, score 0.912"
    assert after.caption.endswith("150\xa0k MACs, 7\xa0k params; not trained")
    assert before.svg.count("<rect") == space.graphs(space.parse([names[0]])).mask.sum()


def test_what_was_trained_beside_candidates_has_no_rank_and_comes_after_them(
    run_data: dict[str, Any], make_run: Any
) -> None:
    candidates = run_data["candidates"].assign(ranked_by="predicted_score")
    verified = run_data["verified_candidates"].groupby("budget", sort=False).head(3)
    beside = verified.groupby("budget", sort=False).head(1).assign(rank=0, verdict="random network: keeps the budget")
    run = make_run(run_data | {"candidates": candidates, "verified_candidates": pd.concat([beside, verified])})
    table = tables.candidates_table(run)
    titles = [title for title, _ in table.columns]
    shown = [(row[titles.index("rank")].text, row[titles.index("ranked by")].text) for row in table.rows]
    one = [("1", "predicted score"), ("2", "predicted score"), ("3", "predicted score"), (numbers.DASH, numbers.DASH)]
    assert shown == one * (len(verified) // 3)
