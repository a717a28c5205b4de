"""The node that decides what a run does with the time it was given."""

from typing import Any

import pandas as pd

from archatlas.images.description import ImageDescription
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import EvaluationParameters, SupernetParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import VerificationParameters
from archatlas.verification.truth.parameters import TruthParameters

SECTIONS = ("supernet", "sample", "tuning", "verification", "finishing")
"""Parameters of which a schedule has some in its hands: ``<section>_schedule`` holds them."""

_NONE: tuple[dict[str, Any], ...] = ({},) * (1 + len(SECTIONS))


def plan_schedule(
    image_description: dict[str, Any],
    cost_table: pd.DataFrame,
    feasibility: pd.DataFrame,
    space: SpaceParameters,
    search: SearchParameters,
    supernet: SupernetParameters,
    evaluation: EvaluationParameters,
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    time_budget: str | None = None,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
) -> tuple[dict[str, Any], ...]:
    """The schedule for people, and what each section of the parameters has in its hands.

    All are empty without ``time_budget``, and where a public table stands in the place of training: everything then is
    as configured. The pace is measured once, and what was decided by it is kept: a run that goes on, goes on with it.
    """
    if time_budget is None or table is not None or truth is not None:
        return _NONE
    import logging
    from dataclasses import asdict

    from archatlas.progress import duration
    from archatlas.schedule.allocation import allocate, more_time
    from archatlas.schedule.facts import drawn_networks, facts_of, timed_networks
    from archatlas.schedule.pace import measure_pace
    from archatlas.schedule.time_budget import seconds_of
    from archatlas.spaces.presets import make_space

    description = ImageDescription.model_validate(image_description)
    made = make_space(space, description.input_shape, description.num_classes)
    choices, macs = drawn_networks(made, cost_table, seed)
    rows, their_macs = timed_networks(choices, macs)
    batch = min(supernet.training.batch_size, description.splits["train"])
    pace = measure_pace(made, rows, their_macs, device, batch, evaluation.precision)
    facts = facts_of(
        description,
        made,
        macs,
        feasibility,
        search.budgets,
        evaluation.calibration_images,
        warm=supernet.start_from is not None,
        mobilenet=verification.mobilenet,
    )
    seconds = seconds_of(time_budget)
    schedule = allocate(seconds, pace, facts)
    document = {
        "time_budget_s": seconds,
        "promised_s": schedule.promised,
        "seconds": dict(schedule.seconds),
        "gave_up": list(schedule.gave_up),
        "more_time": more_time(seconds, pace, facts),
        "pace": asdict(pace),
        "facts": {**asdict(facts), "limits": dict(facts.limits)},
    }
    log = logging.getLogger("archatlas")
    log.info("With %s: about %s in all.", time_budget, duration(schedule.promised))
    for line in schedule.gave_up:
        log.info("  given up: %s", line)
    return document, *(getattr(schedule, section) for section in SECTIONS)
