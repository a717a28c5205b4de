"""What the figures say, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from archatlas.predictors.noise import reach_over_folds
from archatlas.reporting import numbers
from archatlas.scorers.registry import audited_scorers
from archatlas.signals.audit import conclusive
from archatlas.signals.predictor import unseen_by_fold

_RIVALS = {"ridge": "the additive ridge", "params": "counting params", "macs": "counting MACs"}


def coverage(parameters: Mapping[str, Any]) -> str:
    """How much the audit's intervals cover, as asked in `verification.audit.confidence`: ``95%``."""
    audit = _field(_field(parameters, "verification"), "audit")
    confidence = _field(audit, "confidence")
    return f"{100 * float(0.95 if confidence is None else confidence):g}%"


def _field(owner: Any, name: str) -> Any:
    return owner.get(name) if isinstance(owner, Mapping) else getattr(owner, name, None)


def predictor_against_supernet(audit_summary: Mapping[str, Any], covered: str = "95%") -> str:
    """Whether the predictor ranks the audit better than the raw scores, by the paired interval.

    Where the interval includes zero, or the audit is too small, the sentence says that this run cannot tell.
    """
    bounds = audit_summary.get("tau_difference_ci")
    if not audit_summary.get("count"):
        return "There was no audit, so this run cannot say whether the predictor ranks better than the raw scores."
    if not bounds:
        return "The audit is too small to say whether the predictor ranks better than the raw scores."
    predictor, supernet = audit_summary.get("tau_predictor"), audit_summary.get("tau_supernet")
    difference = audit_summary.get("tau_difference")
    if difference is None and predictor is not None and supernet is not None:
        difference = predictor - supernet
    low, high = float(bounds[0]), float(bounds[1])
    facts = (
        f"{_tau(audit_summary, 'predictor')} against {_tau(audit_summary, 'supernet')}, difference "
        f"{_signed(difference)}, paired {covered} interval {_signed(low)} to {_signed(high)}, "
        f"{audit_summary['count']} audit networks"
    )
    if not conclusive(audit_summary):
        return f"The audit is too small to say whether the predictor ranks better than the raw scores ({facts})."
    if low > 0:
        return f"The predictor ranks networks better than the super-network's raw scores do ({facts})."
    if high < 0:
        return f"The predictor ranks networks worse than the super-network's raw scores do ({facts})."
    return (
        "This run cannot tell whether the predictor or the super-network's raw scores rank networks better: the "
        f"interval of their difference includes zero ({facts})."
    )


def _tau(audit_summary: Mapping[str, Any], name: str) -> str:
    """A rank correlation of the audit with its interval: ``tau 0.60 (0.47 to 0.70)``."""
    return (
        f"tau {numbers.tau(audit_summary.get(f'tau_{name}'))} ({numbers.interval(audit_summary.get(f'tau_{name}_ci'))})"
    )


def predictor_against_table(audit_summary: Mapping[str, Any], label: str, truth: str) -> str:
    """How well the predictor ranks networks by a table's ``truth``, and how well its ``label`` itself does."""
    count, tau = audit_summary.get("count"), audit_summary.get("tau_predictor")
    if not count or numbers.is_missing(tau):
        return "There was no audit, so this run cannot say how well the predictor ranks."
    text = (
        f"The predictor ranks {numbers.whole(count)} networks that it was not fitted to by their {truth} with "
        f"{_tau(audit_summary, 'predictor')}."
    )
    own = audit_summary.get("tau_table")
    if numbers.is_missing(own):
        return text
    known = _tau(audit_summary, "table")
    return f"{text} Looking up the {label} of every one of them, which it learned from, would give {known}."


def _signed(value: Any) -> str:
    return numbers.DASH if numbers.is_missing(value) else f"{float(value):+.2f}"


def against_params(audit_summary: Mapping[str, Any]) -> str:
    """How the predictor stands to what needs no training (counted costs, say), and to the ceiling."""
    if not audit_summary.get("count") or numbers.is_missing(audit_summary.get("tau_predictor")):
        return ""
    counted = {
        key: float(audit_summary[f"tau_{key}"])
        for key, scorer in audited_scorers().items()
        if scorer.control and not numbers.is_missing(audit_summary.get(f"tau_{key}"))
    }
    ceiling = audit_summary.get("tau_ceiling")
    parts = []
    if counted:
        best = max(counted, key=lambda key: counted[key])
        parts.append(_against_control(audit_summary, best, len(counted)))
    if not numbers.is_missing(ceiling):
        parts.append(
            f"Two trainings of the same networks agree to {_tau(audit_summary, 'ceiling')}. Scores are held against "
            "the mean of all trainings, which is less noisy than one, so that a score could go somewhat beyond."
        )
    return " ".join(parts)


def _against_control(audit_summary: Mapping[str, Any], control: str, of: int) -> str:
    """Whether the best ``of`` so many controls ranks better or worse than the predictor, if intervals stand apart."""
    own, counted = audit_summary.get("tau_predictor_ci"), audit_summary.get(f"tau_{control}_ci")
    name = audited_scorers()[control].label
    facts = f"{_tau(audit_summary, control)} against {_tau(audit_summary, 'predictor')}"
    facts += f", the best of {of} controls" if of > 1 else ""
    if own and counted and counted[1] < own[0]:
        return f"Ranking by {name} does less well than the predictor ({facts})."
    if own and counted and counted[0] > own[1]:
        return f"Ranking by {name} does better than the predictor ({facts})."
    return f"This run cannot tell whether the predictor ranks better than {name} ({facts})."


def half_time(audit_summary: Mapping[str, Any]) -> str:
    """How the order after half of the audit's epochs agrees with that at the end; empty where it is not known."""
    if numbers.is_missing(audit_summary.get("tau_half_time")):
        return ""
    return (
        f"After half of {numbers.whole(audit_summary['epochs'])} epochs the networks stood in the order of the end "
        f"with {_tau(audit_summary, 'half_time')}. Both are of the same trainings, which flatters it."
    )


def gcn_against(predictor_scores: pd.DataFrame, other: str = "ridge") -> str:
    """Whether the GCN beats another predictor on what they have not seen, paired over the same folds."""
    if predictor_scores.empty:
        return ""
    paired = unseen_by_fold(predictor_scores)
    if not {"gcn", other} <= set(paired.columns):
        return ""
    paired = paired[["gcn", other]].dropna()
    if paired.empty:
        return ""
    difference = (paired["gcn"] - paired[other]).to_numpy(np.float64)
    mean, reach, ahead = float(difference.mean()), reach_over_folds(difference), int((difference > 0).sum())
    facts = (
        f"tau {numbers.tau(paired['gcn'].mean())} against {numbers.tau(paired[other].mean())} "
        f"on what they have not seen; the GCN is ahead in {ahead} of {len(difference)} folds"
    )
    subject, rival = "The GCN (default settings)", _RIVALS.get(other, f"the {other} predictor")
    if mean > reach:
        return f"{subject} beats {rival} ({facts})."
    if mean < -reach:
        return f"{subject} does not beat {rival}: it is worse ({facts})."
    return f"{subject} does not clearly beat {rival}: their difference is within the spread of the folds ({facts})."


def tuned_sentence(tuning_summary: Mapping[str, Any]) -> str:
    """What the study chose and how that scored where the study had not looked, beside the baselines."""
    outer = numbers.known(tuning_summary.get("outer_kendall_tau"))
    if outer is None:
        return ""
    family = tuning_summary.get("family")
    text = (
        f"The study chose {family}: tau {numbers.tau(tuning_summary.get('inner_kendall_tau'))} within the study, where "
        f"it was the best of {numbers.whole(tuning_summary.get('trials'))} trials, and {numbers.tau(outer)}"
        f"{_of_outer(tuning_summary)} in the outer loop, which the study has not seen."
    )
    rest = {k: v for k, v in (tuning_summary.get("outer_baselines") or {}).items() if not numbers.is_missing(v)}
    if rest:
        ordered = sorted(rest, key=lambda name: -rest[name])
        listed = ", ".join(f"{name} {numbers.tau(rest[name])}" for name in ordered)
        beaten = all(float(value) < outer for value in rest.values())
        text += f" Baselines in the same outer loop: {listed}." + (
            "" if beaten else " At least one baseline does as well or better there."
        )
    return text


def _of_outer(tuning_summary: Mapping[str, Any]) -> str:
    """The interval of the outer tau: its difference to that of a constant, which is 0."""
    bounds = ((tuning_summary.get("outer_difference_to") or {}).get("constant") or {}).get("ci")
    return f" ({numbers.interval(bounds)})" if bounds else ""


def calibrated_sentence(summary: Mapping[str, Any]) -> str:
    """What learning from a few networks trained alone has brought; empty where nothing was calibrated."""
    if not summary:
        return ""
    before, after, alone = (numbers.tau(summary.get(f"tau_{name}")) for name in ("before", "after", "alone"))
    return (
        f"It was then calibrated: it learned what {numbers.whole(summary['networks'])} networks of all levels of its "
        f"score reach when they are trained alone, and from here on its scores are such accuracies. Its tau with them "
        f"was {before} before, and for networks left out of the fit it is {after} now; they alone, without scores of "
        f"super-networks, give {alone}."
    )


def untrained_sentence(predictor_scores: pd.DataFrame) -> str:
    """What scores without training do in the table of predictors; empty where there are none (``proxies_alone``)."""
    if predictor_scores.empty or not predictor_scores["predictor"].str.endswith(", untrained").any():
        return ""
    return (
        "Untrained are scores of the same networks at initialisation, each by its own order: nothing was fitted, so "
        "that there is no RMSE."
    )


def twins(space: Mapping[str, Any], why: str, table: str | None) -> str:
    """How many networks the architectures of the space are, and why."""
    size, networks = space.get("size"), space.get("networks")
    if size is None or networks is None:
        return "Nobody has counted the architectures of this space: what is said of it is said of samples."
    text = f"{numbers.whole(size)} architectures are {numbers.whole(networks)} networks: {why}."
    if table is None:
        return text if size != networks else "Every architecture of the space is a network of its own."
    known = f"Searched are the {numbers.whole(networks)} networks that the public table {table} knows, each by its "
    return f"{f'{text} ' if size != networks else ''}{known}canonical architecture."


def imbalance(class_counts: pd.DataFrame) -> str:
    """How unequal the classes of the training images are."""
    train = class_counts[class_counts["split"] == "train"] if len(class_counts) else class_counts
    if train.empty:
        return ""
    most, least = float(train["images"].max()), float(train["images"].min())
    if least == 0:
        return "At least one class has no training image."
    ratio = most / least
    verdict = "balanced" if ratio < 1.5 else "mildly imbalanced" if ratio < 3 else "imbalanced"
    return f"The classes are {verdict}: the largest has {ratio:.1f} times the training images of the smallest."


def spread(audit_summary: Mapping[str, Any]) -> str:
    """How far apart the networks of the space are."""
    low, high = numbers.known(audit_summary.get("spread_p10")), numbers.known(audit_summary.get("spread_p90"))
    if low is None or high is None:
        return ""
    return (
        f"From the 10th to the 90th percentile the accuracies span {100 * (high - low):.1f} points "
        f"({numbers.percent(low)} to {numbers.percent(high)})."
    )


def latency_error(latency_check: pd.DataFrame) -> str:
    """How far predicted latencies are from measured ones."""
    if latency_check.empty:
        return ""
    relative = latency_check["predicted_latency_ms"] / latency_check["measured_latency_ms"] - 1
    return (
        f"Over {len(latency_check)} networks the prediction is off by {100 * relative.abs().median():.1f}% in the "
        f"median and by {100 * relative.abs().max():.1f}% at worst."
    )


def schedule(schedule: Mapping[str, Any], taken_s: float) -> list[str]:
    """What a run promised with the time that it was given, what it gave up, and what more time would buy."""
    if not schedule:
        return []
    given, promised = numbers.seconds(schedule["time_budget_s"]), numbers.seconds(schedule["promised_s"])
    told = [f"Given {given}, the run promised {promised}; its stages took {numbers.seconds(taken_s)}."]
    if schedule["gave_up"]:
        told.append(f"What the time did not allow: {'; '.join(schedule['gave_up'])}.")
    return [*told, f"What more time would buy: {'; '.join(schedule['more_time'])}."]


def noise(winners: Sequence[Mapping[str, Any]], tested: bool) -> str:
    """What the intervals of winners beside others hold; empty where nothing is known of how far trainings differ.

    ``tested``: whether the accuracies are of test images, and not a table's.
    """
    known = {noise["of"] for winner in winners if (noise := winner.get("training_noise"))}
    if not known:
        return ""
    chance = "the choice of test images and the luck of trainings leave" if tested else "the luck of trainings leaves"
    text = f"Behind the ± of a difference stands how much of it {chance} open (95%, Student's t)."
    if "random networks" in known:
        text += (
            " Where each network was trained once, the spread of the random networks stands for that of trainings. It "
            "holds the differences between these networks too, so that it is rather too much than too little."
        )
    return text


def verdict(found: int, asked: int, better: int) -> str:
    """What was found for the budgets, and for how many it is shown to be better than what stands beside it."""
    if found == 0:
        return "No network met any of the budgets."
    every = "Every budget" if asked > 1 else "The budget"
    if better == found:
        return f"{every} has a winner." if found == asked else f"{found} of {asked} budgets have a winner."
    chosen = f"{every} has" if found == asked else f"{found} of {asked} budgets have"
    shown = (
        "that it is better than others of its budget, this run does not show"
        if better == 0
        else f"that it is better than others of its budget is shown for {better} of {found}"
    )
    return f"{chosen} a network that was chosen for it; {shown}."
