"""The space that a run searches, and the public table that may stand in the place of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.verification.truth.parameters import TruthParameters

if TYPE_CHECKING:
    from archatlas.spaces.tables.known import KnownNetworks


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


def trained_by_others(
    image_description: Mapping[str, Any],
    space: SpaceParameters,
    table: TableParameters | None,
    truth: TruthParameters | None,
) -> KnownNetworks | None:
    """The networks that are looked up and not trained alone: those of ``table`` or ``truth``; None if there is neither.

    Networks of ``truth`` are seen as those of the run's own space: their images may be larger than the run's.
    """
    from archatlas.spaces.tables.known import known_networks

    if table is not None:
        return known_networks(table)
    if truth is None:
        return None
    known = known_networks(truth.table)
    return replace(known, table=replace(known.table, space=searched_space(image_description, space, None)))


def public_table(parameters: Mapping[str, Any]) -> list[Path]:
    """For ``depends_on``: the files of the table ``table``; none where there is no table, or its file is missing."""
    given = parameters.get("table")
    return [] if given is None else _files_of(TableParameters.model_validate(given))


def true_table(parameters: Mapping[str, Any]) -> list[Path]:
    """For ``depends_on``: the files of the table ``truth``; none where there is none, or its file is missing."""
    given = parameters.get("truth")
    return [] if given is None else _files_of(TruthParameters.model_validate(given).table)


def _files_of(table: TableParameters) -> list[Path]:
    from archatlas.errors import ArchatlasError
    from archatlas.spaces.tables.registry import table_files

    try:
        return table_files(table)
    except ArchatlasError:
        return []
