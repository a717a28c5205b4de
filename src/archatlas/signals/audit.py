"""What an audit may be asked: whether it is large enough to tell, and long enough to be called truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archatlas.signals.signal import Signal, by_hand, sentence, tau_with_interval

FEWEST_NETWORKS = 12
"""Networks below which a rank correlation of the audit is no headline."""

WIDEST_INTERVAL = 0.5
"""Width of the predictor's interval above which its rank correlation is no headline."""

SETTLED = 0.5
"""Kendall's tau between half time and end of the audit's trainings below which their order is still changing. Both are
of the same seeds, which makes them agree more than the order itself does: below it the audit is surely too short, and
above it nothing is proved."""


def conclusive(summary: Mapping[str, Any]) -> bool:
    """Whether the audit is large enough for its rank correlations to be told at a glance."""
    count, bounds = summary.get("count") or 0, summary.get("tau_predictor_ci")
    return count >= FEWEST_NETWORKS and bounds is not None and bounds[1] - bounds[0] <= WIDEST_INTERVAL


def settled(summary: Mapping[str, Any]) -> bool:
    """Whether what the audit's networks reached may be called truth; always so where it was looked up (no epochs)."""
    if summary.get("epochs") is None:
        return True
    half_time = summary.get("tau_half_time")
    return half_time is not None and float(half_time) >= SETTLED


def reference(summary: Mapping[str, Any]) -> str:
    """What the audit holds scores against, by the name it deserves: the truth, or an accuracy after some epochs.

    A truth that is no accuracy (``summary["truth"]``) says what it is.
    """
    if settled(summary):
        return "the truth" if _measure(summary) == "accuracy" else f"the truth ({_measure(summary)})"
    return f"their {_measure(summary)} after {_epochs(summary)}"


def _measure(summary: Mapping[str, Any]) -> str:
    return str(summary.get("truth") or "accuracy").replace("_", " ")


def _epochs(summary: Mapping[str, Any]) -> str:
    epochs = int(summary["epochs"])
    return f"{epochs} epoch{'s' * (epochs > 1)}"


def audit_too_small(summary: Mapping[str, Any], *, scheduled: bool = False) -> Signal | None:
    """Whether an audit is too small to say anything: few networks, or a wide interval of the predictor's tau.

    Args:
        summary: count, tau_predictor and tau_predictor_ci of ``verification.audit.summarise``. Of no audit (count 0)
            nothing is said: it was not asked for.
        scheduled: whether a time budget decides how large it is.
    """
    count = summary.get("count") or 0
    if not count or conclusive(summary):
        return None
    tau, bounds = summary.get("tau_predictor"), summary.get("tau_predictor_ci")
    told = "" if tau is None else f" (the predictor's {tau_with_interval(float(tau), bounds)})"
    return Signal(
        "verify_candidates",
        "audit_too_small",
        "warning",
        f"The audit has {count} networks, too few to say how well scores rank{told}.",
        "No rank correlation stands among the headlines.",
        sentence(by_hand("raise `verification.audit.networks` (40 or more)", scheduled=scheduled)),
    )


def audit_unsettled(summary: Mapping[str, Any], *, scheduled: bool = False) -> Signal | None:
    """Whether the order of the audit's networks at half time of their trainings was another than at the end.

    Noise of the trainings does that too; either way it is not an order to be called truth.

    Args:
        summary: count, truth, epochs (None where accuracies were looked up), tau_half_time and tau_half_time_ci.
        scheduled: whether a schedule decides how long its networks are trained: as long, whatever the time.
    """
    if not summary.get("count") or settled(summary):
        return None
    tau = summary.get("tau_half_time")
    found = (
        f"Of {_epochs(summary)} there is no half time that tells whether the order of the audit's networks has settled."
        if tau is None
        else f"After half of {_epochs(summary)} the audit's networks stood in another order than at the end "
        f"({tau_with_interval(float(tau), summary.get('tau_half_time_ci'))}): their trainings are too short for an "
        "order to have settled, or too noisy to show one."
    )
    return Signal(
        "verify_candidates",
        "audit_unsettled",
        "warning",
        found,
        f"The report calls it the {_measure(summary)} after {_epochs(summary)}, and not the truth.",
        sentence(
            by_hand(
                "raise `verification.audit.training.epochs`, up to `verification.training.epochs`, and then "
                "`verification.audit.seeds`",
                scheduled=scheduled,
                with_time=False,
            )
        ),
    )
