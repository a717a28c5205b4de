from __future__ import annotations

from typing import Any

import pytest

from archatlas.signals.audit import audit_too_small, audit_unsettled, conclusive, reference, settled


def summary(**changes: Any) -> dict[str, Any]:
    known = {"count": 40, "tau_predictor": 0.6, "tau_predictor_ci": [0.4, 0.7], "epochs": 8, "tau_half_time": 0.8}
    return {**known, "tau_half_time_ci": [0.6, 0.9], **changes}


@pytest.mark.parametrize(
    ("changes", "enough"),
    [
        ({}, True),
        ({"count": 12}, True),
        ({"count": 11}, False),
        ({"tau_predictor_ci": [0.0, 0.5]}, True),
        ({"tau_predictor_ci": [0.0, 0.51]}, False),
        ({"tau_predictor_ci": None}, False),
    ],
)
def test_an_audit_tells_something_if_it_is_large_and_its_interval_narrow(changes: dict[str, Any], enough: bool) -> None:
    assert conclusive(summary(**changes)) is enough
    assert (audit_too_small(summary(**changes)) is None) is enough


def test_no_audit_is_not_too_small() -> None:
    assert audit_too_small({"count": 0}) is None
    assert audit_unsettled({"count": 0, "epochs": 1, "tau_half_time": None}) is None
    assert not conclusive({})


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "the truth"),
        ({"tau_half_time": 0.5}, "the truth"),
        ({"tau_half_time": 0.49}, "their accuracy after 8 epochs"),
        ({"tau_half_time": None, "epochs": 1}, "their accuracy after 1 epoch"),
        ({"epochs": None, "tau_half_time": None}, "the truth"),
        ({"truth": "accuracy"}, "the truth"),
        ({"truth": "log_loss"}, "the truth (log loss)"),
        ({"truth": "log_loss", "tau_half_time": 0.1}, "their log loss after 8 epochs"),
    ],
)
def test_what_changes_in_the_second_half_is_not_called_truth(changes: dict[str, Any], name: str) -> None:
    asked = summary(**changes)
    assert reference(asked) == name
    assert settled(asked) is name.startswith("the truth")
    assert (audit_unsettled(asked) is None) is settled(asked)


def test_the_cure_is_named() -> None:
    found = audit_unsettled(summary(tau_half_time=0.1, tau_half_time_ci=[-0.2, 0.4]))
    assert found is not None
    assert "tau 0.10 (-0.20 to 0.40)" in found.what
    assert "verification.audit.training.epochs" in found.cure
    assert found.instead == "The report calls it the accuracy after 8 epochs, and not the truth."
    by_loss = audit_unsettled(summary(truth="log_loss", tau_half_time=0.1))
    assert by_loss is not None
    assert by_loss.instead == "The report calls it the log loss after 8 epochs, and not the truth."
