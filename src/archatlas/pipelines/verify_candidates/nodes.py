"""The nodes that turn candidates into winners, chosen on the validation images.

With a public table (``table`` or ``truth``), what they would train is looked up (``verification/lookup.py``).
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.costs.constraints import Constraint
from archatlas.costs.parameters import CostsParameters
from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.evidence import EVIDENCE, nothing_ran, of_whichever_ran
from archatlas.pipelines.space import public_table, trained_by_others, true_table
from archatlas.pipelines.timing import timed_on
from archatlas.pipelines.work import trainings_in, work_store
from archatlas.schedule.overlay import scheduled
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import VerificationParameters
from archatlas.verification.truth.parameters import TruthParameters

Supernets = dict[str, Callable[[], dict[str, Any]]]

_LOGGER = logging.getLogger(__name__)
_JUDGED_BY = ("archatlas.supernet.evaluate", "archatlas.supernet.make")


AUDIT_FROM = ("sampled_architectures", "calibration_networks", "calibrated_predictor", "calibrated_predictor_state")
"""Of the evidence (``pipelines/evidence.py``), what the audit reads."""

_CANDIDATES, _CONSTRAINTS, _FRONT = "candidates_of_", "constraints_of_", "front_of_"


@depends_on(optional=("candidates_of_*", "front_of_*", "constraints_of_*"))
def gather(
    names: Sequence[str] | None = None, **of_methods: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Candidates of all methods that have run, ranked side by side; the Pareto fronts and the bounds as used.

    ``names`` are the methods that were asked to search, None: all.

    The fronts are of the main job's scores, or where that has not searched, of the segments'; where nothing scores all
    networks there is none.
    """
    from archatlas.search.pareto import no_fronts
    from archatlas.verification.united import require_candidates, united

    found = {name.removeprefix(_CANDIDATES): one for name, one in of_methods.items() if name.startswith(_CANDIDATES)}
    candidates = united(found)
    fronts, bounds = (
        [one for name, one in of_methods.items() if name.startswith(kind)] for kind in (_FRONT, _CONSTRAINTS)
    )
    if not bounds:
        raise ArchatlasError(
            "no search has said what bounds it kept: run the main job (`kedro run`), or the pipeline `segments`, "
            "`search_by_training` or `nasi`"
        )
    require_candidates(candidates, list(found), names)
    return candidates, fronts[0] if fronts else no_fronts(), bounds[0]


@depends_on(files=(public_table,), optional=("supernets",))
def evaluate_candidates(
    candidates: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    search_space: dict[str, Any],
    evaluation: EvaluationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    table: TableParameters | None = None,
    supernets: Supernets | None = None,
) -> pd.DataFrame:
    """Every candidate again on every super-network; no row where there is none."""
    if table is not None:
        from archatlas.spaces.tables.known import known_networks

        return known_networks(table).evaluations([])
    if not supernets:
        from archatlas.supernet.evaluate import no_evaluations

        return no_evaluations()
    from archatlas.images.dataset import ImageSplit
    from archatlas.spaces.search_space import read_space
    from archatlas.verification.candidates import evaluate_on_supernets

    return evaluate_on_supernets(
        supernets,
        read_space(search_space),
        candidates["network"].drop_duplicates().tolist(),
        train=ImageSplit.from_tensors(train_images),
        validation=ImageSplit.from_tensors(validation_images),
        description=ImageDescription.model_validate(image_description),
        parameters=evaluation,
        device=device,
        images_seed=seed,
        work=work_store(work_folder, *_JUDGED_BY),
        progress="candidates on the super-networks",
    )


@depends_on(states=(timed_on,))
def measure_latency(
    candidates: pd.DataFrame,
    constraints: pd.DataFrame,
    search_space: dict[str, Any],
    search: SearchParameters,
    costs: CostsParameters,
    verification: VerificationParameters,
    verification_schedule: dict[str, Any] | None = None,
) -> pd.DataFrame:
    """The finalists of every budget with their latency, where it can be measured here or stands in a table."""
    verification = scheduled(verification, verification_schedule)
    from archatlas.spaces.search_space import read_space
    from archatlas.verification.candidates import finalists_by_table, finalists_of_methods
    from archatlas.verification.timing import measurer
    from archatlas.verification.united import require_all_budgets

    require_all_budgets(candidates, search.budgets)
    if costs.latency.source == "table":
        return finalists_by_table(candidates, verification.top_k)
    made = read_space(search_space)
    measure = measurer(made, costs.latency) if costs.latency.source == "measured" else None
    return pd.concat(
        [
            finalists_of_methods(candidates[candidates["budget"] == budget], bounds, verification.top_k, measure)
            for budget, bounds in _bounds(constraints, search).items()
        ],
        ignore_index=True,
    )


@depends_on(files=(public_table, true_table))
def train_candidates(
    candidate_latency: pd.DataFrame,
    candidates: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    search_space: dict[str, Any],
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
    verification_schedule: dict[str, Any] | None = None,
) -> pd.DataFrame:
    """Train the finalists alone."""
    verification = scheduled(verification, verification_schedule)
    chosen = candidate_latency.loc[candidate_latency["finalist"], ["budget", "rank", "network"]]
    finalists = chosen.merge(candidates[["budget", "rank", "macs", "params"]], on=["budget", "rank"])
    finalists["role"] = "candidate"
    known = trained_by_others(search_space, table, truth)
    if known is not None:
        from archatlas.verification.lookup import looked_up

        return looked_up(known, finalists)
    from archatlas.spaces.search_space import read_space
    from archatlas.verification.alone import alone, train_roles

    trainings = alone(
        train_images, validation_images, image_description, verification, device, trainings_in(work_folder)
    )
    return train_roles(trainings, finalists, read_space(search_space), verification.seeds, seed, "finalists")


@depends_on(states=(timed_on,))
def draw_comparisons(
    constraints: pd.DataFrame,
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    search_space: dict[str, Any],
    search: SearchParameters,
    costs: CostsParameters,
    verification: VerificationParameters,
    seed: int,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
    verification_schedule: dict[str, Any] | None = None,
) -> pd.DataFrame:
    """Random networks and a MobileNet within each budget; none where others have trained what there is."""
    verification = scheduled(verification, verification_schedule)
    from archatlas.spaces.search_space import read_space
    from archatlas.verification import comparisons as domain

    if table is not None or truth is not None:
        return domain.no_comparisons()
    return domain.comparisons(
        read_space(search_space),
        _bounds(constraints, search),
        verification,
        costs.latency,
        seed,
        cost_table,
        latency_table,
    )


@depends_on(files=(public_table, true_table))
def train_comparisons(
    comparison_networks: pd.DataFrame,
    constraints: pd.DataFrame,
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    search_space: dict[str, Any],
    search: SearchParameters,
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
    verification_schedule: dict[str, Any] | None = None,
) -> pd.DataFrame:
    """Train them as finalists are trained; with a public table, random networks are looked up."""
    verification = scheduled(verification, verification_schedule)
    known = trained_by_others(search_space, table, truth)
    if known is not None:
        from archatlas.verification.lookup import random_within

        budgets = _bounds(constraints, search)
        return random_within(known, budgets, verification.random_networks, seed, cost_table, latency_table)
    from archatlas.spaces.search_space import read_space
    from archatlas.verification.alone import alone, train_roles

    trainings = alone(
        train_images, validation_images, image_description, verification, device, trainings_in(work_folder)
    )
    return train_roles(
        trainings,
        comparison_networks,
        read_space(search_space),
        verification.seeds,
        seed,
        "random networks and MobileNets",
    )


def choose_winners(
    candidates: pd.DataFrame,
    candidate_evaluations: pd.DataFrame,
    candidate_latency: pd.DataFrame,
    candidate_trainings: pd.DataFrame,
    comparison_networks: pd.DataFrame,
    comparison_trainings: pd.DataFrame,
    constraints: pd.DataFrame,
    search: SearchParameters,
    costs: CostsParameters,
    verification: VerificationParameters,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """The winner of each budget by the validation images, and what became of every candidate.

    Whatever was trained alike and keeps the budget can win; with a public table, the finalists of any budget.
    """
    from archatlas.verification.candidates import supernet_scores
    from archatlas.verification.winners import choose_winners

    looked_up = table is not None or truth is not None
    trained = [candidate_trainings] if looked_up else [candidate_trainings, comparison_trainings]
    return choose_winners(
        candidates,
        supernet_scores(candidate_evaluations)["accuracy"].to_dict(),
        candidate_latency,
        pd.concat(trained, ignore_index=True),
        _bounds(constraints, search),
        beside=None if truth is not None else comparison_networks,
        latency_from=costs.latency.source,
        misses=verification.nearest_misses,
        chosen_by="predicted score" if truth else f"{'validation' if table is None else table.label} accuracy",
    )


def plan_audit(
    schedule: dict[str, Any],
    verification_schedule: dict[str, Any],
    search_space: dict[str, Any],
    device: DeviceParameters,
    run_records: Path,
) -> dict[str, Any]:
    """What ``verification`` has in the place of its own for the audit: fewer networks where time has run short.

    Winners are there by now. Kept like any result, so that a run that goes on does not change its mind.
    """
    planned = verification_schedule["audit"]["networks"] if schedule else 0
    if not planned:
        return verification_schedule
    from archatlas.pipelines.spent import spent
    from archatlas.schedule.audit import audited_now
    from archatlas.schedule.pace import Reference, load_now
    from archatlas.spaces.search_space import read_space

    seconds, (so_far, _) = schedule["seconds"], spent(run_records)
    last = seconds["test_winners"] + seconds["report"]
    load = load_now(Reference(**schedule["reference"]), read_space(search_space), device)
    count = audited_now(planned, seconds["audit"], schedule["time_budget_s"], so_far, last, load)
    if count < planned:
        _LOGGER.info("The audit trains %d networks, %d were planned: the time has run short.", count, planned)
    return {**verification_schedule, "audit": {**verification_schedule["audit"], "networks": count}}


@depends_on(files=(public_table, true_table), optional=(*EVIDENCE, "supernets", "untrained_scores"))
def audit(
    cost_table: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    search_space: dict[str, Any],
    evaluation: EvaluationParameters,
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
    verification_schedule: dict[str, Any] | None = None,
    supernets: Supernets | None = None,
    untrained_scores: pd.DataFrame | None = None,
    **evidence: Any,
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """Networks drawn uniformly and trained alone: their scores beside the truth, rank correlations, the trainings.

    Super-networks' scores are of the kind that was learned from, also where a calibrated predictor speaks of another.
    Where nothing scores all networks there is nothing to audit, and nothing is trained for it.
    """
    verification = scheduled(verification, verification_schedule)
    if nothing_ran(evidence, AUDIT_FROM):
        from archatlas.verification.audit import nothing_audited

        _LOGGER.info("No audit: nothing that scores all networks has run, so there is nothing to audit.")
        return nothing_audited(verification.audit)
    supernets = supernets or {}
    from archatlas.predictors.make import load_predictor, scores_learned
    from archatlas.spaces.search_space import read_space

    searched = read_space(search_space)
    given = of_whichever_ran(evidence, AUDIT_FROM)
    target = scores_learned(given["calibrated_predictor"])
    predictor = load_predictor(given["calibrated_predictor"], given["calibrated_predictor_state"], searched)
    fitted = [*given["sampled_architectures"]["network"], *given["calibration_networks"]["network"]]
    known = trained_by_others(search_space, table, truth)
    if known is not None:
        from archatlas.verification import lookup

        score = None
        if truth is not None:
            from archatlas.images.dataset import ImageSplit
            from archatlas.verification.candidates import scores_on_supernets

            score = scores_on_supernets(
                target,
                supernets,
                known.space,
                train=ImageSplit.from_tensors(train_images),
                validation=ImageSplit.from_tensors(validation_images),
                description=ImageDescription.model_validate(image_description),
                parameters=evaluation,
                device=device,
                images_seed=seed,
                work=work_store(work_folder, *_JUDGED_BY),
                progress="audit on the super-networks",
            )
        made = lookup.audited(known, predictor, fitted, verification.audit, seed, cost_table, score)
        return _audit_logged(made, verification_schedule)
    from archatlas.verification.alone import alone
    from archatlas.verification.audit import audited

    schedule = verification.model_copy(update={"training": verification.audit.training})
    trainings = alone(
        train_images,
        validation_images,
        image_description,
        schedule,
        device,
        trainings_in(work_folder),
        # Networks of one recipe are trained once, whoever comes first: finalists need the weights.
        keep_weights=verification.audit.training == verification.training,
    )
    made = audited(
        trainings,
        supernets,
        predictor,
        fitted,
        searched,
        evaluation,
        verification.audit,
        seed,
        cost_table,
        target=target,
        work=work_store(work_folder, *_JUDGED_BY),
        untrained_scores=untrained_scores,
    )
    return _audit_logged(made, verification_schedule)


def _audit_logged(
    made: tuple[pd.DataFrame, dict[str, Any], pd.DataFrame], schedule: dict[str, Any] | None
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    from archatlas.signals.audit import audit_too_small, audit_unsettled
    from archatlas.signals.signal import given, log_signals

    planned = bool(schedule)
    doubts = audit_too_small(made[1], scheduled=planned), audit_unsettled(made[1], scheduled=planned)
    log_signals(_LOGGER, given(*doubts))
    return made


def _bounds(constraints: pd.DataFrame, search: SearchParameters) -> dict[str, list[Constraint]]:
    """The bounds of every budget, of one without any too."""
    from archatlas.search.budgets import constraints_of

    bounds = constraints_of(constraints)
    return {budget: bounds.get(budget, []) for budget in search.budgets}
