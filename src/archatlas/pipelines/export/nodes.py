"""The node that writes winners as files for use elsewhere."""

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
    export_folder: Path,
    seed: int,
) -> dict[str, Any]:
    """Each winner as safetensors, JSON and ONNX, compared with each other and with the super-networks."""
    from archatlas.spaces.presets import make_space
    from archatlas.verification.export import export_winners

    description = ImageDescription.model_validate(image_description)
    return export_winners(
        winners,
        winner_weights,
        supernets,
        space=make_space(space, description.input_shape, description.num_classes),
        images=description,
        parameters=export,
        folder=export_folder,
        seed=seed,
    )
