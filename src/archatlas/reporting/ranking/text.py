"""A ranking on the terminal."""

from __future__ import annotations

from archatlas.reporting.ranking.words import COLUMNS, LEFT, cells, headline, notes, percentiles, reason, shown
from archatlas.transfer.rank import Ranking

_MOST = 44
"""Letters of a name that are shown; the end tells networks apart."""


def render_text(ranking: Ranking) -> str:
    """The table, with what it goes by above and what speaks against it below."""
    kept = shown(ranking)
    rows = [[COLUMNS[index] for index in kept]]
    rows += [[_fitting(cells(ranked)[index]) for index in kept] for ranked in ranking.networks]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = [COLUMNS[index] in LEFT for index in kept]
    lines = [
        "  ".join(
            text.ljust(width) if flush else text.rjust(width)
            for text, width, flush in zip(row, widths, left, strict=True)
        ).rstrip()
        for row in rows
    ]
    above = [f"{headline(ranking)}.", reason(ranking)]
    below = [line for line in (percentiles(ranking), *notes(ranking)) if line]
    return "\n".join([*above, "", *lines, "", *below]).replace("\N{NO-BREAK SPACE}", " ").rstrip()


def _fitting(text: str) -> str:
    return text if len(text) <= _MOST else f"...{text[3 - _MOST :]}"
