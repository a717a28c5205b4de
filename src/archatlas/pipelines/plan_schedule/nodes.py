"""The nodes that decide what a run does with the time it was given.

Two, since another budget changes what is trained alone, and neither super-networks nor what is learned from them.
"""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.dependencies import tried_ahead
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import EvaluationParameters, SupernetParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import CalibrationParameters, FinishingParameters, VerificationParameters
from archatlas.verification.truth.parameters import TruthParameters

Json = dict[str, Any]


def plan_search(
    image_description: Json,
    cost_table: pd.DataFrame,
    search_space: Json,
    supernet: SupernetParameters,
    evaluation: EvaluationParameters,
    device: DeviceParameters,
    seed: int,
    run_records: Path,
    time_budget: str | None = None,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
) -> tuple[Json, Json, Json, Json]:
    """The pace of this machine, and what ``supernet``, ``sample`` and ``tuning`` have in the place of their own.

    All are empty without ``time_budget``, and where a public table stands in the place of training: everything then is
    as configured. The pace is measured once, and what was decided by it is kept: a run that goes on, goes on with it.
    """
    if time_budget is None or table is not None or truth is not None:
        return {}, {}, {}, {}
    from dataclasses import asdict

    from archatlas.kedro_ext.records import RecordStore
    from archatlas.schedule.allocation import allocate
    from archatlas.schedule.epochs import batch_size
    from archatlas.schedule.facts import drawn_networks, facts_of, timed_networks
    from archatlas.schedule.pace import measure_pace
    from archatlas.schedule.time_budget import seconds_of
    from archatlas.spaces.search_space import read_space
    from archatlas.supernet.strategies.make import paths_per_step

    description = ImageDescription.model_validate(image_description)
    made = read_space(search_space)
    choices, macs = drawn_networks(made, cost_table, seed)
    rows, their_macs = timed_networks(choices, macs)
    batch = min(supernet.training.batch_size, batch_size(description.splits["train"]))
    pace, reference = measure_pace(made, rows, their_macs, device, batch, evaluation.precision)
    facts = facts_of(
        description, made, macs, cost_table, evaluation.calibration_images, supernet,
        devices=device.devices, paths=paths_per_step(made, supernet),
        prepared_s=RecordStore(run_records).seconds_of("prepare_images"),
    )  # fmt: skip
    schedule = allocate(seconds_of(time_budget), pace, facts)
    known = {"pace": asdict(pace), "reference": asdict(reference), "facts": asdict(facts)}
    return known, schedule.supernet, schedule.sample, schedule.tuning


@tried_ahead
def plan_trainings(
    pace: Json,
    feasibility: pd.DataFrame,
    search: SearchParameters,
    verification: VerificationParameters,
    finishing: FinishingParameters | None = None,
    calibration: CalibrationParameters | None = None,
    time_budget: str | None = None,
) -> tuple[Json, Json, Json]:
    """The whole schedule, for people, and what ``verification`` and ``finishing`` have in the place of their own."""
    if not pace or time_budget is None:
        return {}, {}, {}
    from dataclasses import asdict, replace

    from archatlas.progress import duration
    from archatlas.schedule.allocation import allocate, more_time
    from archatlas.schedule.facts import Facts, limits_of
    from archatlas.schedule.pace import Pace
    from archatlas.schedule.time_budget import seconds_of
    from archatlas.signals.schedule import beyond_the_time
    from archatlas.signals.signal import given, log_signals

    measured, facts = Pace(**pace["pace"]), Facts(**pace["facts"])
    limits = limits_of(facts, feasibility, search.budgets)
    calibrated = calibration.networks * calibration.seeds if calibration else 0
    facts = replace(
        facts,
        limits=limits,
        comparisons=facts.comparisons * verification.mobilenet,
        candidates=search.top_k * len(limits),
        calibrated=calibrated,
        finishes=finishing is not None,
    )
    if finishing is not None:
        taught = 0 if finishing.teacher == "none" else finishing.taught_epochs
        facts = replace(
            facts, with_validation=finishing.with_validation, teacher=finishing.teacher, taught_epochs=taught
        )
    seconds = seconds_of(time_budget)
    schedule = allocate(seconds, measured, facts)
    document = {
        "time_budget_s": seconds,
        "promised_s": schedule.promised,
        "seconds": dict(schedule.seconds),
        "gave_up": list(schedule.gave_up),
        "more_time": more_time(seconds, measured, facts),
        "pace": asdict(measured),
        "reference": pace["reference"],
        "facts": asdict(replace(facts, images_per_epoch=schedule.images_per_epoch)),
    }
    log = logging.getLogger("archatlas")
    log.info("Of %s: about %s in all.", time_budget, duration(schedule.promised))
    for line in schedule.gave_up:
        log.info("  given up: %s", line)
    log_signals(log, given(beyond_the_time(document)))
    return document, schedule.verification, schedule.finishing
