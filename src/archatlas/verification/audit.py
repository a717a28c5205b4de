"""How true are the scores? Networks drawn uniformly, trained alone, ranked by what each scorer said of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.table import costs_of
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.images.dataset import ImageSplit
from archatlas.predictors.metrics import (
    bootstrap_interval,
    kendall_tau,
    mean_pairwise_tau,
    mean_pairwise_tau_interval,
    paired_bootstrap_interval,
)
from archatlas.predictors.protocol import Predictor
from archatlas.scorers.registry import audited_scorers, scored
from archatlas.scores.score import scored_alike
from archatlas.scores.table import proxies_of
from archatlas.spaces.protocol import Choices, SearchSpace, draw_at_most
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.seeds import mixed_seed
from archatlas.verification.alone import train_roles
from archatlas.verification.candidates import evaluate_on_supernets, supernet_scores
from archatlas.verification.parameters import AuditParameters
from archatlas.verification.roles import DRAW_AUDIT, RESAMPLE, ROLE_COLUMNS, no_trainings
from archatlas.verification.trainings import HALF_TIME_COLUMNS, Trainings

HALF_TIME = {"accuracy": "validation_accuracy_at_half", "log_loss": "validation_log_loss_at_half"}
"""Columns of trainings that say what a network had reached after half of its epochs, by what truth is."""

FEWEST = 3
"""Of fewer networks no rank correlation is told."""


def draw_audit(space: SearchSpace, count: int, fitted: Collection[str], generator: np.random.Generator) -> Choices:
    """``count`` networks drawn uniformly among those that the predictor was not fitted to; fewer if no more are left.

    Args:
        space: to draw from.
        count: networks to draw.
        fitted: canonical names of the networks to leave out.
        generator: of the draw.
    """
    known = set(fitted)
    choices = draw_at_most(space, count + len(known), generator)
    fresh = [row for row, name in enumerate(space.names(choices)) if str(name) not in known]
    return choices[fresh[:count]]


def scores_beside(
    networks: pd.Series, of_run: Mapping[str, NDArray[Any]], batch: ArchitectureBatch, images: ImageSplit | None
) -> pd.DataFrame:
    """What each scorer says of the networks drawn: network, and a column per scorer.

    Args:
        networks: their canonical names.
        of_run: scores that the run makes, by scorer.
        batch: the same networks, which all other scorers are asked about.
        images: to train on; None where nothing was trained. A table tells of many networks, so scorers that pass images
            through each are not asked then.
    """
    scorers = audited_scorers()
    scores = {**of_run, **scored(batch, images, slow=images is not None)}
    columns = {str(scorers[name].audit_column): column for name, column in scores.items() if name in scorers}
    return pd.DataFrame({"network": networks, **columns})


def truths(trainings: pd.DataFrame, truth: str) -> pd.DataFrame:
    """What trainings say of each network, higher is better; index: network, in order of first appearance.

    Columns: truth (mean over seeds), truth_seed_0, truth_seed_1, ... (in the order of the seeds),
    validation_accuracy_mean; and truth_at_half, the same as truth after half of the epochs, where trainings tell it
    (``trainings.HALF_TIME_COLUMNS``). Truth is the validation accuracy, or minus the validation log loss.
    """
    score = trainings["validation_accuracy"] if truth == "accuracy" else -trainings["validation_log_loss"]
    table = trainings.assign(score=score)
    by_seed = table.pivot(index="network", columns="seed", values="score").sort_index(axis=1)
    by_seed = by_seed.loc[table["network"].drop_duplicates()]
    by_seed.columns = [f"truth_seed_{number}" for number in range(by_seed.shape[1])]
    by_seed.insert(0, "truth", by_seed.mean(axis=1))
    by_network = table.groupby("network")
    by_seed["validation_accuracy_mean"] = by_network["validation_accuracy"].mean()
    if HALF_TIME[truth] in table:
        at_half = by_network[HALF_TIME[truth]].mean()
        by_seed["truth_at_half"] = at_half if truth == "accuracy" else -at_half
    return by_seed


def summarise(audit: pd.DataFrame, parameters: AuditParameters, seed: int) -> dict[str, Any]:
    """Kendall tau-b of every scorer with the truth, with intervals from resampling the networks.

    Args:
        audit: the columns of scorers (those of ``audited_scorers`` that it has), truth, truth_seed_<i>, where truth is
            not an accuracy validation_accuracy_mean, and where networks were trained truth_at_half.
        parameters: number of resamples and coverage.
        seed: of the resampling.

    Returns:
        count; tau_<scorer> and tau_<scorer>_ci for each of these; tau_difference and its paired interval
        (predictor less super-network, the same resamples for both); tau_ceiling and its interval, the mean tau between
        the truths of two seeds; spread_p10 and spread_p90 of the networks' accuracies; epochs of a training and
        tau_half_time with its interval, how the order after half of them agrees with that at the end (of the same
        seeds, so rather too well; all three None where truth was looked up). None where it cannot be told.
    """
    scorers = audited_scorers()
    names = [f"tau_{name}" for name in (*scorers, "difference")]
    summary: dict[str, Any] = {"count": len(audit), "truth": parameters.truth}
    summary |= {key: None for name in names for key in (name, f"{name}_ci")}
    summary |= dict.fromkeys(
        ("tau_ceiling", "tau_ceiling_ci", "spread_p10", "spread_p90", "tau_half_time", "tau_half_time_ci")
    )
    summary["epochs"] = parameters.training.epochs if "truth_at_half" in audit else None
    if len(audit) < FEWEST:
        return summary
    truth = _values(audit, "truth")
    again: dict[str, Any] = {"samples": parameters.bootstrap_samples, "confidence": parameters.confidence, "seed": seed}
    for name, scorer in scorers.items():
        column = str(scorer.audit_column)
        if column not in audit:
            continue
        summary[f"tau_{name}"] = _known(kendall_tau(truth, _values(audit, column)))
        summary[f"tau_{name}_ci"] = _interval(bootstrap_interval(truth, _values(audit, column), **again))
    if summary["tau_predictor"] is not None and summary["tau_supernet"] is not None:
        summary["tau_difference"] = summary["tau_predictor"] - summary["tau_supernet"]
        pair = paired_bootstrap_interval(
            truth, _values(audit, "predicted_score"), _values(audit, "supernet_score"), **again
        )
        summary["tau_difference_ci"] = _interval(pair)
    seeds = [column for column in audit.columns if column.startswith("truth_seed_")]
    if len(seeds) > 1:
        by_seed = audit[seeds].to_numpy(dtype=np.float64)
        summary["tau_ceiling"] = _known(mean_pairwise_tau(by_seed))
        summary["tau_ceiling_ci"] = _interval(mean_pairwise_tau_interval(by_seed, **again))
    if "truth_at_half" in audit and audit["truth_at_half"].notna().all():
        at_half = _values(audit, "truth_at_half")
        summary["tau_half_time"] = _known(kendall_tau(truth, at_half))
        summary["tau_half_time_ci"] = _interval(bootstrap_interval(truth, at_half, **again))
    accuracies = "validation_accuracy_mean" if "validation_accuracy_mean" in audit else "truth"
    spread = np.percentile(_values(audit, accuracies), [10, 90])
    summary["spread_p10"], summary["spread_p90"] = float(spread[0]), float(spread[1])
    return summary


def audited(
    trainings: Trainings,
    supernets: Mapping[str, Callable[[], Mapping[str, Any]]],
    predictor: Predictor,
    fitted: Collection[str],
    space: SearchSpace,
    evaluation: EvaluationParameters,
    parameters: AuditParameters,
    seed: int,
    cost_table: pd.DataFrame,
    *,
    target: str,
    work: WorkStore | None,
    untrained_scores: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """The audit's table, its summary and its trainings (``ROLE_COLUMNS``, role ``audit``).

    Args:
        trainings: the audit's schedule and images.
        supernets: weights by ``seed_<number>``.
        predictor: fitted to the super-networks' scores.
        fitted: canonical names of the networks that it was fitted to, which are not drawn.
        space: what was searched.
        evaluation: how subnets are judged.
        parameters: how many networks and seeds, and what truth is.
        seed: of the draw, the trainings and the resampling.
        cost_table: counted parts.
        target: the score of the super-networks, accuracy or log_loss (whose negative is the score).
        work: keeps these scores.
        untrained_scores: of the sample, where it was scored without training; the audit's networks are scored alike.
    """
    choices = draw_audit(space, parameters.networks, fitted, np.random.default_rng(mixed_seed(seed, DRAW_AUDIT)))
    names = space.names(choices).tolist()
    costs = costs_of(space, choices, cost_table)
    networks = pd.DataFrame({"role": "audit", "budget": "", "network": pd.Series(names, dtype="str")}).join(costs)
    done = train_roles(trainings, networks, space, parameters.seeds, seed, "audit", HALF_TIME_COLUMNS)
    if names:
        evaluations = evaluate_on_supernets(
            supernets,
            space,
            names,
            train=trainings.train,
            validation=trainings.validation,
            description=trainings.description,
            parameters=evaluation,
            device=trainings.device,
            images_seed=seed,
            work=work,
            progress="audit on the super-networks",
        )
        scores = supernet_scores(evaluations).loc[names, target].to_numpy(dtype=np.float64)
        batch = ArchitectureBatch(space, choices, cost_table=cost_table)
        of_run = {"supernet": -scores if target == "log_loss" else scores, "predictor": predictor.predict(batch).mean}
        if untrained_scores is not None:
            alike = scored_alike(
                untrained_scores,
                space,
                choices,
                train=trainings.train,
                description=trainings.description,
                device=trainings.device,
                cost_table=cost_table,
                progress="audit without training",
            )
            of_all = proxies_of(alike).loc[names].dropna(axis=1)  # All scorers are held against the same networks.
            of_run |= {str(name): column.to_numpy() for name, column in of_all.items()}
        table = scores_beside(networks["network"], of_run, batch, trainings.train)
        table = table.merge(truths(done, parameters.truth), left_on="network", right_index=True, validate="one_to_one")
    else:
        table = _no_audit()
    return table, summarise(table, parameters, mixed_seed(seed, RESAMPLE)), done[ROLE_COLUMNS]


def nothing_audited(parameters: AuditParameters) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """The same where nothing is audited: no rows, and a summary that says so (count 0)."""
    return _no_audit(), summarise(_no_audit(), parameters, 0), no_trainings()


def _no_audit() -> pd.DataFrame:
    columns = ["macs", "params", "supernet_score", "predicted_score", "truth", "validation_accuracy_mean"]
    types = {"macs": "int64", "params": "int64"}
    numbers = {name: pd.Series(dtype=types.get(name, "float64")) for name in (*columns, "truth_at_half")}
    return pd.DataFrame({"network": pd.Series(dtype="str"), **numbers})


def _values(audit: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return audit[column].to_numpy(dtype=np.float64)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _interval(bounds: Any) -> list[float] | None:
    low, high = (float(bound) for bound in bounds)
    return None if np.isnan(low) or np.isnan(high) else [low, high]
