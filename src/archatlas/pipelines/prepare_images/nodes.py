"""The nodes of prepare_images: images in, three splits out, the space for them, and whether all asked of them fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from archatlas.images.parameters import ImagesParameters, misfit_of_sizes
from archatlas.kedro_ext.dependencies import depends_on, tried_ahead
from archatlas.pipelines.space import public_table, space_document
from archatlas.schedule.time_budget import seconds_of
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import SupernetParameters
from archatlas.systems.parameters import MethodsParameters
from archatlas.verification.parameters import FinishingParameters, VerificationParameters


@depends_on(files=("images.path",))
def prepare_images(
    images: ImagesParameters,
    seed: int,
    table: TableParameters | None = None,
    time_budget: str | None = None,
    image_sizes: Sequence[int] | None = None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Training, validation and test images, their description, the images of each class, and the files.

    Where several sizes are searched, images are prepared at the largest. The test images leave by their own data set
    alone; the description counts them and no more. With a public table there are no images, but only what the table's
    networks were trained on.
    """
    from archatlas.images.preparing import no_images, prepare

    if table is None:
        if images.image_size is None and image_sizes:
            images = images.model_copy(update={"image_size": max(image_sizes)})
        prepared = prepare(images, seed, None if time_budget is None else seconds_of(time_budget))
    else:
        from archatlas.spaces.tables.known import CIFAR10
        from archatlas.spaces.tables.registry import table_file

        table_file(table)  # Who lacks the file is told so by the first node.
        prepared = no_images(CIFAR10)
    return (
        prepared.train.to_tensors(),
        prepared.validation.to_tensors(),
        prepared.test.to_tensors(),
        prepared.description.model_dump(mode="json"),
        prepared.class_counts,
        prepared.split_files,
    )


@depends_on(files=(public_table,))
@tried_ahead
def describe_search_space(
    image_description: dict[str, Any], space: SpaceParameters, table: TableParameters | None = None
) -> dict[str, Any]:
    """The document of the space for these images; with a public table, of the networks that it knows."""
    return space_document(image_description, space, table)


def check_sizes(
    image_description: dict[str, Any],
    image_sizes: Sequence[int] | None,
    supernet: SupernetParameters,
    verification: VerificationParameters,
    methods: MethodsParameters,
    finishing: FinishingParameters | None = None,
) -> dict[str, Any]:
    """Stop a run whose stages ask of images what images of this size do not give.

    Where `images.image_size` is set this is known before a run starts; where it is open it is known now, and not hours
    later in the stage that would fail.
    """
    from archatlas.errors import ArchatlasError

    prepared, searched = image_description["image_size"], image_sizes or ()
    problems = {
        "supernet": misfit_of_sizes(supernet.augmentation, prepared, searched, supernet.image_sizes or ()),
        "verification": misfit_of_sizes(verification.augmentation, prepared, searched),
        "methods": misfit_of_sizes(methods.augmentation, prepared, searched),
        "finishing": misfit_of_sizes(finishing.augmentation, prepared, searched) if finishing else None,
    }
    for section, problem in problems.items():
        if problem is not None:
            raise ArchatlasError(f"{section}: {problem}")
    return {"fit": True}
