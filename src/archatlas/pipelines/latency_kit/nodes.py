"""The node that writes what another device needs to measure the space."""

from pathlib import Path
from typing import Any

from archatlas.images.description import ImageDescription
from archatlas.spaces.parameters import SpaceParameters


def write_kit(image_description: dict[str, Any], space: SpaceParameters, latency_kit_folder: Path) -> dict[str, Any]:
    """Every distinct part as ONNX, with a script that measures them; returns what was written."""
    from archatlas.costs.latency_kit import write_latency_kit
    from archatlas.spaces.presets import make_space

    description = ImageDescription.model_validate(image_description)
    return write_latency_kit(make_space(space, description.input_shape, description.num_classes), latency_kit_folder)
