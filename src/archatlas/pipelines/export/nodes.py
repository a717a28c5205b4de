"""The node that writes winners as files for use elsewhere."""

import shutil
from pathlib import Path
from typing import Any

from archatlas.images.description import ImageDescription
from archatlas.spaces.parameters import SpaceParameters
from archatlas.verification.export_parameters import ExportParameters


def export(
    winners: list[dict[str, Any]],
    winner_weights: dict[str, Any],
    supernets: dict[str, Any],
    image_description: dict[str, Any],
    space: SpaceParameters,
    export: ExportParameters,
    work_folder: Path,
    seed: int,
) -> tuple[Path, dict[str, Any]]:
    """A folder with each winner as safetensors, JSON and ONNX, and how exactly these and the super-networks agree."""
    from archatlas.spaces.presets import make_space
    from archatlas.verification.export import export_winners

    description = ImageDescription.model_validate(image_description)
    folder = work_folder / "export"
    if folder.exists():  # A killed run left it.
        shutil.rmtree(folder)
    return folder, export_winners(
        winners,
        winner_weights,
        supernets,
        space=make_space(space, description.input_shape, description.num_classes),
        images=description,
        parameters=export,
        folder=folder,
        seed=seed,
    )
