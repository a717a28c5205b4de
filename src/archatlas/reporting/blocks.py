"""What a page is made of: sections of blocks, each block of a kind that the template knows how to show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import plotly.graph_objects as go
import plotly.io

from archatlas.reporting.cards import Card
from archatlas.reporting.tables import Table


@dataclass(frozen=True)
class Text:
    """A sentence that states a finding."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Chart:
    """An interactive figure with a heading and a label for those who cannot see it."""

    kind: ClassVar[str] = "chart"
    name: str
    figure: go.Figure
    label: str
    title: str = ""

    @property
    def height(self) -> int:
        return int(self.figure.layout.height or 360)

    @property
    def script(self) -> str:
        """The figure as JSON that is safe inside a script element; the page supplies the template."""
        document = json.loads(plotly.io.to_json(self.figure, validate=False))
        document["layout"].pop("template", None)
        return safe_json(document)


@dataclass(frozen=True)
class Grid:
    """Blocks side by side where there is room, folded away if ``summary`` is given."""

    kind: ClassVar[str] = "grid"
    blocks: tuple[Any, ...]
    summary: str = ""


@dataclass(frozen=True)
class TableBlock:
    """A table, folded away if asked."""

    kind: ClassVar[str] = "table"
    table: Table
    caption: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Cards:
    """What was found, budget by budget."""

    kind: ClassVar[str] = "cards"
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Drawing:
    """SVG markup made by us, never by a user."""

    kind: ClassVar[str] = "drawing"
    svg: str
    caption: str


@dataclass(frozen=True)
class Picture:
    """A small image: ``source`` is a data URI, ``label`` for those who cannot see it, and below it three lines."""

    source: str
    label: str
    title: str
    note: str
    file: str


@dataclass(frozen=True)
class Pictures:
    """Images side by side, each pixel a square however far they are enlarged."""

    kind: ClassVar[str] = "pictures"
    caption: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Code:
    """A listing, folded away if ``summary`` is given."""

    kind: ClassVar[str] = "code"
    code: str
    summary: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and values, folded away if ``summary`` is given."""

    kind: ClassVar[str] = "facts"
    facts: tuple[tuple[str, str], ...]
    summary: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page: its anchor, its title, what it shows and how to read it, and its blocks."""

    anchor: str
    title: str
    lead: str
    blocks: Sequence[Any] = field(default=())


def safe_json(document: Any) -> str:
    """JSON in which no ``</script>`` and no comment can end the element that holds it."""
    text = json.dumps(document, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
