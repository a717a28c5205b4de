"""What was found, budget by budget."""

from __future__ import annotations

from typing import Any

from archatlas.reporting import sentences, tables
from archatlas.reporting.blocks import Cards, Chart, Section, TableBlock, Text
from archatlas.reporting.cards import budget_cards, is_better, why_no_mobilenet
from archatlas.reporting.figures.results import figure_comparison
from archatlas.reporting.run import Run
from archatlas.reporting.words import words_of


def found_section(run: Run) -> Section:
    better = sum(is_better(run, winner) for winner in run.found)
    verdict = sentences.verdict(len(run.found), len(run.winners), better)
    blocks: list[Any] = [Text(verdict), Cards(tuple(budget_cards(run)))]
    without = {str(winner["budget"]): why for winner in run.found if (why := why_no_mobilenet(run, winner))}
    if run.found:
        blocks.append(
            Chart(
                "comparison",
                figure_comparison(run.trainings, run.found, without),
                f"Test accuracy of every training of the winners, of random networks{_and_mobilenet(run)}, by budget",
                "What the search bought",
            )
        )
        noise = sentences.noise(run.found, run.test_images is not None)
        blocks.append(Text(" ".join(text for text in (words_of(run).comparison, noise) if text)))
    if len(run.verified_candidates):
        blocks.append(TableBlock(tables.candidates_table(run), "All candidates that were verified", folded=True))
    return Section(
        "found",
        "What was found",
        words_of(run).found,
        blocks,
    )


def _and_mobilenet(run: Run) -> str:
    return "" if run.alone_is_looked_up else " and of a scaled MobileNet"
