"""Sections as one HTML file that opens offline, with plotly.js inside it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import jinja2
from markupsafe import Markup

from archatlas.reporting.blocks import Section, safe_json
from archatlas.reporting.figures.theme import DARK, LIGHT
from archatlas.signals.signal import Signal


@dataclass(frozen=True)
class Tile:
    """A number of the headline."""

    value: str
    label: str


def render_html(
    *,
    eyebrow: str,
    title: str,
    summary: str,
    tiles: Sequence[Tile],
    sections: Sequence[Section],
    footer: str,
    doubts: Sequence[Signal] = (),
) -> str:
    """The page. It makes no request of any kind: its content security policy forbids them.

    Args:
        eyebrow: what kind of page it is, above the title
        title: headline, and title of the window
        summary: a sentence or two below it
        tiles: the numbers to remember
        sections: in the order of the reader's questions
        footer: a sentence at the end
        doubts: what speaks against the page's own figures, above all of them
    """
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = resources.files("archatlas.reporting").joinpath("templates/page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source.strip()).render(
        eyebrow=eyebrow,
        title=title,
        summary=summary,
        tiles=tiles,
        doubts=doubts,
        sections=sections,
        footer=footer,
        templates=Markup(safe_json({"light": LIGHT, "dark": DARK})),
        plotly_js=Markup(get_plotlyjs()),
    )
