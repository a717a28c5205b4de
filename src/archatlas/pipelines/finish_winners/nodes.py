"""The node that trains winners on, for their own sake."""

from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.pipelines.verify_candidates.nodes import trainings_in
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import FinishingParameters, VerificationParameters
from archatlas.verification.truth.parameters import TruthParameters


def finish(
    chosen_winners: list[dict[str, Any]],
    candidate_trainings: pd.DataFrame,
    comparison_trainings: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    space: SpaceParameters,
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    finishing: FinishingParameters | None = None,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], pd.DataFrame]:
    """The winners' documents, the weights to export by budget, and the trainings that made them.

    Without ``finishing`` winners are exported as they were trained for the comparison. With a public table there are no
    weights.
    """
    from archatlas.images.dataset import ImageSplit
    from archatlas.verification import finishing as domain
    from archatlas.verification.stage import alone, best_weights, job_of

    if table is not None or truth is not None:
        return chosen_winners, {}, domain.no_finishing()
    images = train_images, validation_images, image_description
    alike = alone(*images, verification, device, trainings_in(work_folder))
    if finishing is None:
        return chosen_winners, best_weights(alike, chosen_winners, space), domain.no_finishing()
    schedule = verification.model_copy(
        update={"training": finishing.training, "augmentation": finishing.augmentation}
    )
    further = alone(*images, schedule, device, trainings_in(work_folder))
    if finishing.with_validation:
        from dataclasses import replace

        both = domain.joined(ImageSplit.from_tensors(train_images), ImageSplit.from_tensors(validation_images))
        further = replace(further, train=both)
    won = [document for document in chosen_winners if document["status"] == "found"]
    trained = {
        (document["architecture"], one): alike.weights(
            job_of(space, alike.description, document["architecture"], one)
        )
        for document in won
        for one in document["seeds"]
    }
    from archatlas.spaces.presets import make_space

    made = make_space(space, alike.description.input_shape, alike.description.num_classes)
    done = pd.concat([candidate_trainings, comparison_trainings], ignore_index=True)
    return domain.finish(chosen_winners, trained, done, further, made, finishing, seed)
