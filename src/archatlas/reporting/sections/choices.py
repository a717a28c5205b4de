"""Which choices matter."""

from __future__ import annotations

from archatlas.reporting.blocks import Chart, Section
from archatlas.reporting.figures.choices import choice_importance, figure_choice_importance, position_title
from archatlas.reporting.run import Run
from archatlas.spaces.protocol import Described


def choices_section(run: Run) -> Section | None:
    if not run.has_atlas:
        return None
    importance = choice_importance(run.atlas, run.space)
    described = run.space if isinstance(run.space, Described) else None
    canonical = described.canonical_form if described else "Each network counts once, in its canonical form."
    return Section(
        "choices",
        "Which choices matter",
        "For each position and operation: the mean predicted score of all networks that have it, minus the mean of "
        f"all networks. Blue helps, orange hurts. {canonical}",
        [
            Chart(
                "choice-importance",
                figure_choice_importance(importance, target=run.target, positions=position_title(run.space)),
                "Heat map of the difference in predicted score by position and operation",
            )
        ],
    )
