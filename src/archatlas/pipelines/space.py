"""The space that a run searches, and the public table that may stand in the place of training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.tables.parameters import TableParameters


def searched_space(
    image_description: Mapping[str, Any], space: SpaceParameters, table: TableParameters | None
) -> SearchSpace:
    """The space that the parameters ask for; with a table, the networks of it that the table knows."""
    if table is not None:
        from archatlas.spaces.tables.known import known_networks

        return known_networks(table).space
    from archatlas.images.description import ImageDescription
    from archatlas.spaces.presets import make_space

    description = ImageDescription.model_validate(image_description)
    return make_space(space, description.input_shape, description.num_classes)


def public_table(parameters: Mapping[str, Any]) -> list[Path]:
    """For ``depends_on``: the file of the table ``table``; none where there is no table, or its file is missing."""
    from archatlas.errors import ArchatlasError

    if parameters.get("table") is None:
        return []
    from archatlas.spaces.tables.registry import table_file

    try:
        return [table_file(TableParameters.model_validate(parameters["table"]))]
    except ArchatlasError:
        return []
