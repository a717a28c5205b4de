"""A ranking as one HTML page."""

from __future__ import annotations

from archatlas.reporting.blocks import Section, TableBlock, Text
from archatlas.reporting.html import Tile, render_html
from archatlas.reporting.ranking.words import COLUMNS, LEFT, cells, headline, notes, percentiles, reason, shown
from archatlas.reporting.tables import Cell, Table
from archatlas.reporting.tables import cells as row_of
from archatlas.transfer.rank import RankedNetwork, Ranking


def render_ranking(ranking: Ranking) -> str:
    """The whole page as HTML."""
    first = ranking.networks[0]
    tiles = [Tile(first.name, "which first")]
    if first.percentile is not None:
        tiles.append(Tile(f"{first.percentile:.0f}", "its predicted percentile among known networks"))
    tiles.append(Tile(str(len(ranking.networks)), "networks ranked, none of them trained"))
    return render_html(
        eyebrow="archatlas rank",
        title=headline(ranking),
        summary=reason(ranking),
        tiles=tiles,
        sections=list(filter(None, (_order(ranking), _doubts(ranking), _refused(ranking)))),
        footer="Predictions are of networks like these that others have trained, with recipes of their own.",
    )


def _order(ranking: Ranking) -> Section:
    kept = shown(ranking)
    columns = tuple((COLUMNS[index], "left" if COLUMNS[index] in LEFT else "right") for index in kept)
    rows = tuple(_row(ranked, kept) for ranked in ranking.networks)
    return Section("order", "The order", percentiles(ranking), [TableBlock(Table(columns, rows))])


def _row(ranked: RankedNetwork, kept: list[int]) -> tuple[Cell, ...]:
    texts = cells(ranked)
    # The bar of a percentile is that share of the column.
    share = None if ranked.percentile is None else ranked.percentile / 100
    made = []
    for index in kept:
        name = COLUMNS[index]
        made.append(
            Cell(texts[index], bar=share) if name == "percentile" else Cell(texts[index], wrap=name == "network")
        )
    return row_of(*made)


def _doubts(ranking: Ranking) -> Section | None:
    said = list(notes(ranking))
    if not said:
        return None
    return Section("doubts", "What speaks against it", "", [Text(line) for line in said])


def _refused(ranking: Ranking) -> Section | None:
    if not ranking.refused:
        return None
    rows = tuple(row_of(name, Cell(reason.splitlines()[-1], wrap=True)) for name, reason in ranking.refused)
    table = Table((("network", "left"), ("why", "left")), rows)
    return Section("refused", "Not ranked", "", [TableBlock(table)])
