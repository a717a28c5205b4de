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


def space_document(
    image_description: Mapping[str, Any], space: SpaceParameters, table: TableParameters | None
) -> dict[str, Any]:
    """The document of the space that the parameters ask for; with a table, of the networks of it that it knows."""
    from archatlas.images.description import ImageDescription
    from archatlas.spaces.search_space import KnownPart, SearchSpaceDocument

    images, known = ImageDescription.model_validate(image_description), None
    if table is not None:
        from archatlas.spaces.tables.known import known_networks

        networks = known_networks(table)
        known = KnownPart(table=table, networks=len(networks.choices), sha256=networks.sha256)
    return SearchSpaceDocument(
        space=space, input_shape=images.input_shape, num_classes=images.num_classes, known=known
    ).document()


def searched_space(search_space: Mapping[str, Any]) -> SearchSpace:
    """The space that is drawn from, listed and searched: with a table, the networks of it that the table knows.

    Raises:
        ArchatlasError: the table knows others than when the document was written.
    """
    from archatlas.spaces.search_space import SearchSpaceDocument, read_space

    known = SearchSpaceDocument.model_validate(search_space).known
    if known is None:
        return read_space(search_space)
    from archatlas.errors import ArchatlasError
    from archatlas.spaces.tables.known import known_networks

    networks = known_networks(known.table)
    if networks.sha256 != known.sha256:
        raise ArchatlasError(
            f"the table {known.table.name} has changed: it knew {known.networks:,} networks when the space was "
            f"described, and now {len(networks.choices):,}, or others. Run `kedro run` again from the start"
        )
    return networks.space


def trained_by_others(
    search_space: Mapping[str, Any], table: TableParameters | None, truth: TruthParameters | None
) -> KnownNetworks | None:
    """The networks that are looked up and not trained alone: those of ``table`` or ``truth``; None if there is neither.

    Networks of ``truth`` are seen as those of the run's own space: their images may be larger than the run's.
    """
    from archatlas.spaces.search_space import read_space
    from archatlas.spaces.tables.known import known_networks

    if table is not None:
        return known_networks(table)
    if truth is None:
        return None
    known = known_networks(truth.table)
    return replace(known, table=replace(known.table, space=read_space(search_space)))


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
