"""What is collected, what it decides, and how it is written down."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.schedule.allocation import allocate
from archatlas.schedule.facts import Facts
from archatlas.schedule.pace import Pace
from archatlas.signals.collect import collect_signals
from archatlas.signals.ranking import log_ranking, ranked_by, signals_of_scores
from archatlas.signals.signal import Signal, of_document

NETWORKS = [f"n{number:02d}" for number in range(30)]


def tables(*, learned: bool) -> dict[str, Any]:
    """A run that went well, or one whose super-networks have learned nothing and whose predictor is a constant."""
    generator = np.random.default_rng(0)
    rising = np.linspace(0.3, 0.9, 30)
    evaluations = pd.concat(
        [
            pd.DataFrame(
                {
                    "network": NETWORKS,
                    "seed": seed,
                    "half": "a",
                    "accuracy": rising if learned else generator.normal(0.1, 0.01, 30),
                }
            )
            for seed in (0, 1)
        ]
    )
    counts = pd.DataFrame({"split": "validation", "class_name": list("0123456789"), "images": 100})
    predicted = rising if learned else np.full(30, 0.1)
    atlas = pd.DataFrame({"network": NETWORKS, "predicted_supernet_accuracy": predicted, "predicted_std": 0.05})
    return {"evaluations": evaluations, "class_counts": counts, "atlas": atlas, "target": "accuracy"}


def collected(*, learned: bool, **changes: Any) -> list[Signal]:
    own, beside = (0.9, 0.7) if learned else (0.6, 0.8)
    document = {
        "budget": "b", "status": "found", "test_accuracy_mean": own, "validation_accuracy_mean": own,
        "random_accuracy_mean": beside, "random_count": 5, "mobilenet_accuracy_mean": beside,
        "training_noise": {"std": 0.01, "degrees": 4, "of": "random networks"},
    }  # fmt: skip
    given: dict[str, Any] = {
        **tables(learned=learned),
        "image_description": {"splits": {"validation": 1000, "test": 1000}},
        "predictor_scores": pd.DataFrame(),
        "tuning_summary": {},
        "audit_summary": {
            "count": 40, "tau_predictor": 0.5, "tau_predictor_ci": [0.3, 0.6], "epochs": 8,
            "tau_half_time": 0.7 if learned else 0.1,
        },
        "winners": [document, {"budget": "c", "status": "none"}],
        "schedule": {},
        "looked_up": False,
        **changes,
    }  # fmt: skip
    return collect_signals(**given)


def test_a_good_run_has_nothing_against_it() -> None:
    assert collected(learned=True) == []


def test_a_run_that_takes_longer_than_was_given_says_so() -> None:
    schedule = {"time_budget_s": 1800.0, "promised_s": 1900.0, "gave_up": ["no audit", "30 minutes are too few"]}
    assert collected(learned=True, schedule=schedule) == []
    (signal,) = collected(learned=True, schedule={**schedule, "promised_s": 10_800.0})
    assert (signal.name, signal.level) == ("beyond_the_time", "warning")
    assert "about 180 minutes and was given 30" in signal.what
    assert "30 minutes are too few" in signal.cure


def test_a_broken_run_says_so_worst_first() -> None:
    assert [(signal.name, signal.level) for signal in collected(learned=False)] == [
        ("supernet_near_majority", "broken"),
        ("scores_disagree", "broken"),
        ("constant_predictions", "broken"),
        ("winner_not_better", "broken"),
        ("audit_unsettled", "warning"),
    ]


def settings_in(changes: Mapping[str, Any], section: str) -> set[str]:
    """Names of the fields that a schedule has in the place of a section's own, level by level."""
    names = set()
    for name, value in changes.items():
        below = f"{section}.{name}"
        names |= settings_in(value, below) if isinstance(value, Mapping) else {below}
    return names


def test_cures_name_what_a_schedule_overwrites_only_beside_the_time() -> None:
    pace = Pace(workers=2, train_fixed=5e-4, train_per_mac=2.5e-10, answer_fixed=1e-4, answer_per_mac=7e-11)
    facts = Facts(3068, 341, 256, 9e6, 9e6, 14e6, 141_120, largest_first=True, limits={"small": 6e6})
    planned, longer = allocate(1800, pace, facts), allocate(7200, pace, facts)
    sections = {name: getattr(planned, name) for name in ("supernet", "sample", "verification", "tuning", "finishing")}
    overwritten = {setting for name, changes in sections.items() for setting in settings_in(changes, name)}
    schedule = {"time_budget_s": 1800.0, "promised_s": 1750.0, "gave_up": []}
    short = {"count": 8, "tau_predictor": 0.5, "tau_predictor_ci": [0.3, 0.6], "epochs": 8, "tau_half_time": 0.1}
    flat = pd.DataFrame(
        [(name, "cross_seed", fold, 0.0) for name in ("gcn", "macs") for fold in range(3)],
        columns=["predictor", "protocol", "fold", "kendall_tau"],
    )
    changes = {"audit_summary": short, "predictor_scores": flat, "tuning_summary": {"family": "gcn"}}
    configured = {one.name: one.cure for one in collected(learned=False, **changes)}
    cures = {one.name: one.cure for one in collected(learned=False, schedule=schedule, **changes)}
    assert cures.keys() == configured.keys()
    named = set()
    for name, cure in cures.items():
        free, _, by_hand = cure.partition("`time_budget=null` and ")
        settings = [set(re.findall(r"`([a-z_]+\.[a-z_.]+)`", part)) for part in (free, by_hand)]
        assert settings[0].isdisjoint(overwritten), name
        assert settings[1] <= overwritten, name
        named |= settings[1]
        assert "time_budget" not in configured[name]
        assert set(re.findall(r"`([a-z_]+\.[a-z_.]+)`", configured[name])) == settings[0] | settings[1]
    assert named == {
        "supernet.largest_first_epochs", "supernet.training.epochs", "sample.architectures", "verification.seeds",
        "verification.random_networks", "verification.audit.networks", "verification.audit.training.epochs",
        "verification.audit.seeds", "verification.training.epochs",
    }  # fmt: skip
    # More time brings all of it but what is said to be had without a time budget alone.
    assert cures["audit_unsettled"].startswith("Set `time_budget=null` and raise `verification.audit.training.epochs`")
    assert longer.verification["audit"]["training"] == planned.verification["audit"]["training"]
    assert cures["supernet_near_majority"].startswith(
        "Give more time (`time_budget`), or set `time_budget=null` and set"
    )
    assert longer.supernet["training"]["epochs"] > planned.supernet["training"]["epochs"]
    assert longer.sample["architectures"] > planned.sample["architectures"]
    assert longer.verification["audit"]["networks"] > planned.verification["audit"]["networks"]


def test_documents_hold_all_of_a_signal() -> None:
    for signal in collected(learned=False):
        assert of_document(signal.document()) == signal
        assert all(signal.document().values())


@pytest.mark.parametrize("name", ["evaluations", "atlas"])
def test_without_a_signal_candidates_are_ranked_by_macs(name: str) -> None:
    good, bad = tables(learned=True), tables(learned=False)
    assert ranked_by(signals_of_scores(**good), calibrated=False) == "predicted_score"
    broken = signals_of_scores(**{**good, name: bad[name]})
    assert ranked_by(broken, calibrated=False) == "macs"
    # A calibrated predictor has something better to go by than evaluations.
    assert ranked_by(broken, calibrated=True) == ("macs" if name == "atlas" else "predicted_score")


def test_a_warning_alone_changes_no_ranking() -> None:
    doubt = Signal("map_space", "constant_predictions", "warning", "w", "i", "c")
    other = Signal("verify_candidates", "winner_not_better", "broken", "w", "i", "c")
    assert ranked_by([doubt, other], calibrated=False) == "predicted_score"


def test_the_search_logs_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        log_ranking(logging.getLogger("archatlas.test"), signals_of_scores(**tables(learned=False)), "macs")
    first, last = caplog.messages
    assert first.startswith("map_space, constant_predictions (broken): 30 networks have 1 different prediction: the")
    assert last.endswith("(supernet_near_majority, scores_disagree, constant_predictions).")
    caplog.clear()
    log_ranking(logging.getLogger("archatlas.test"), signals_of_scores(**tables(learned=True)), "predicted_score")
    assert caplog.messages == []


def test_signals_do_not_load_torch() -> None:
    code = "import archatlas.signals.collect, archatlas.signals.ranking, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
