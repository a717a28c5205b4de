"""The space that a run searches, as a document: settings, shape of images, classes, and a table if there is one.

It is made once, when the images are known, and whatever needs the space makes it of this. A document and no pickle:
people can read it, what is the same gives the same bytes, and code that has changed since makes the space anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.tables.parameters import TableParameters


class KnownPart(BaseModel):
    """The part of a space that a public table knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: TableParameters = Field(description="the table")
    networks: int = Field(description="how many networks it knows")
    sha256: str = Field(description="digest of which these are, and of how many architectures they stand for")


class SearchSpaceDocument(BaseModel):
    """What the space of a run is made of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    space: SerializeAsAny[SpaceParameters] = Field(description="its settings")
    input_shape: tuple[int, int, int] = Field(description="channels, height and width of the images")
    num_classes: int = Field(description="classes that networks tell apart")
    known: KnownPart | None = Field(None, description="what a public table knows of it; null: all of it is searched")

    def document(self) -> dict[str, Any]:
        """As JSON takes it; settings that are null are left out, so that a new one makes nothing out of date."""
        told = self.model_dump(mode="json", exclude_none=True)
        return {**told, "known": told.get("known")}


def read_space(search_space: Mapping[str, Any]) -> SearchSpace:
    """The space of a run by its document, whatever a table knows of it: what names, graphs and modules are made by."""
    told = SearchSpaceDocument.model_validate(search_space)
    return make_space(told.space, told.input_shape, told.num_classes)
