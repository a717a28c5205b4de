"""The node that draws architectures."""

from typing import Any

import pandas as pd

from archatlas.images.description import ImageDescription
from archatlas.spaces.parameters import SpaceParameters
from archatlas.supernet.parameters import SampleParameters


def sample(
    image_description: dict[str, Any],
    cost_table: pd.DataFrame,
    space: SpaceParameters,
    sample: SampleParameters,
    seed: int,
) -> pd.DataFrame:
    """A table of network, architecture, macs, params."""
    from archatlas.spaces.presets import make_space
    from archatlas.supernet.sample import sample_architectures

    description = ImageDescription.model_validate(image_description)
    made = make_space(space, description.input_shape, description.num_classes)
    return sample_architectures(made, sample, seed, cost_table)
