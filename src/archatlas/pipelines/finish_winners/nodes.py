"""The nodes that train winners on, for their own sake, as long as the time allows."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.work import trainings_in
from archatlas.progress import duration
from archatlas.schedule.overlay import scheduled
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import FinishingParameters, VerificationParameters
from archatlas.verification.truth.parameters import TruthParameters


def plan_finishing(
    schedule: dict[str, Any],
    finishing_schedule: dict[str, Any],
    chosen_winners: list[dict[str, Any]],
    search_space: dict[str, Any],
    device: DeviceParameters,
    run_records: Path,
) -> dict[str, Any]:
    """How long winners are trained on: as long as is left of the time, now that they are known and timed.

    Shorter than planned where what came before has taken longer or the machine is busy now, longer where it was quicker
    or winners are small. As planned without a time budget. Kept like any result, so that a run that goes on does not
    change its mind.
    """
    found = [document for document in chosen_winners if document["status"] == "found"]
    if not schedule or not found:
        return finishing_schedule
    from archatlas.pipelines.spent import spent
    from archatlas.schedule import finishing as domain
    from archatlas.schedule.allocation import USED
    from archatlas.schedule.entrants import time_entrants
    from archatlas.schedule.facts import Facts
    from archatlas.schedule.pace import Pace, Reference, load_now
    from archatlas.spaces.search_space import read_space
    from archatlas.training.fabric import may_share_steps

    pace, facts = Pace(**schedule["pace"]), Facts(**schedule["facts"])
    if not facts.finishes:
        return finishing_schedule
    if not may_share_steps(device):
        pace = replace(pace, processes=1)  # It may have been measured where they could.
    sharing = domain.sharing_of(len({document["architecture"] for document in found}), pace, facts)
    space = read_space(search_space)
    timed = time_entrants(found, space, sharing, device, with_teachers=facts.one_is_largest)
    so_far, since = spent(run_records)
    expected = domain.Expected.of(schedule["seconds"])
    busy = load_now(Reference(**schedule["reference"]), space, device)
    slower = domain.expected_load(busy, since / expected.since)
    left = domain.time_left(USED * schedule["time_budget_s"], so_far, slower, expected)
    quiet = timed.on_a_quiet_machine(busy)
    epochs = finishing_schedule["training"]["epochs"]
    done = domain.finishing_now(left, epochs, quiet.entrants, sharing, pace, facts, quiet.teachers)
    taught = f", after {done.epochs} of the largest, which teaches" if done.teacher == "largest" else ""
    logging.getLogger("archatlas").info(
        "Spent %s, %s were expected: %d epochs for each of %d networks%s, %d were planned.",
        duration(so_far), duration(expected.so_far), done.of_winners, len(timed.macs), taught,
        domain.epochs_of_winners(finishing_schedule),
    )  # fmt: skip
    return domain.finishing_of(finishing_schedule, done, sharing, facts)


@depends_on(optional=("supernets",))
def finish(
    chosen_winners: list[dict[str, Any]],
    candidate_trainings: pd.DataFrame,
    comparison_trainings: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    search_space: dict[str, Any],
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    supernets: dict[str, Any] | None = None,
    finishing: FinishingParameters | None = None,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
    verification_schedule: dict[str, Any] | None = None,
    finishing_plan: dict[str, Any] | None = None,
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], pd.DataFrame]:
    """The winners' documents, the weights to export by budget, and the trainings that made them.

    Without ``finishing`` winners are exported as they were trained for the comparison. With a public table there are no
    weights.
    """
    verification = scheduled(verification, verification_schedule)
    from archatlas.images.dataset import ImageSplit
    from archatlas.spaces.search_space import read_space
    from archatlas.verification import finishing as domain
    from archatlas.verification.alone import alone, job_of
    from archatlas.verification.finishing import best_weights
    from archatlas.verification.winners import entrants_of

    if table is not None or truth is not None:
        return chosen_winners, {}, domain.no_finishing()
    images = train_images, validation_images, image_description
    alike = alone(*images, verification, device, trainings_in(work_folder))
    made = read_space(search_space)
    if finishing is None:
        return chosen_winners, best_weights(alike, chosen_winners, made), domain.no_finishing()
    finishing = scheduled(finishing, finishing_plan)
    schedule = verification.model_copy(update={"training": finishing.training, "augmentation": finishing.augmentation})
    further = replace(alone(*images, schedule, device, trainings_in(work_folder)), processes=finishing.processes)
    if finishing.with_validation:
        both = ImageSplit.from_tensors(train_images).joined(ImageSplit.from_tensors(validation_images))
        further = replace(further, train=both)
    found = [document for document in chosen_winners if document["status"] == "found"]
    trained = {
        (entrant["architecture"], one): alike.weights(job_of(made, entrant["architecture"], one))
        for document in found
        for entrant in entrants_of(document, finishing.contenders)
        for one in entrant["seeds"]
    }
    done = pd.concat([candidate_trainings, comparison_trainings], ignore_index=True)
    return domain.finish(chosen_winners, trained, done, further, made, finishing, seed, supernets)
