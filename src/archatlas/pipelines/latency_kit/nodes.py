"""The node that writes what another device needs to measure the space."""

import shutil
from pathlib import Path
from typing import Any

from archatlas.images.description import ImageDescription
from archatlas.spaces.parameters import SpaceParameters


def write_kit(
    image_description: dict[str, Any], space: SpaceParameters, work_folder: Path
) -> tuple[Path, dict[str, Any]]:
    """A folder with every distinct part as ONNX and a script that measures them, and what was written into it."""
    from archatlas.costs.latency_kit import write_latency_kit
    from archatlas.spaces.presets import make_space

    description = ImageDescription.model_validate(image_description)
    folder = work_folder / "latency_kit"
    if folder.exists():  # A killed run left it.
        shutil.rmtree(folder)
    return folder, write_latency_kit(make_space(space, description.input_shape, description.num_classes), folder)
