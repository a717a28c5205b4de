"""The node of prepare_images: images in, three splits and what is known of them out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from archatlas.images.parameters import ImagesParameters
from archatlas.kedro_ext.dependencies import depends_on


@depends_on(files=("images.path",))
def prepare_images(
    images: ImagesParameters, seed: int
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any], pd.DataFrame]:
    """Training, validation and test images, their description, and the images of each class.

    The test images leave by their own data set alone; the description counts them and no more.
    """
    from archatlas.images.preparing import prepare

    prepared = prepare(images, seed)
    return (
        prepared.train.to_tensors(),
        prepared.validation.to_tensors(),
        prepared.test.to_tensors(),
        prepared.description.model_dump(mode="json"),
        prepared.class_counts,
    )
