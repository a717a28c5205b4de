"""The report of one run as a page."""

from __future__ import annotations

from archatlas.reporting import numbers
from archatlas.reporting.html import Tile, render_html
from archatlas.reporting.manifest import stages_table
from archatlas.reporting.run import Run
from archatlas.reporting.sections import make_sections
from archatlas.reporting.words import words_of


def render_page(run: Run) -> str:
    """The whole page as HTML."""
    made = made_on(run)
    return render_html(
        eyebrow="archatlas report",
        title=headline(run),
        summary=words_of(run).summary,
        tiles=tiles(run),
        sections=make_sections(run),
        footer=f"Experiment {run.experiment}{', run of ' + made if made else ''}.",
    )


def headline(run: Run) -> str:
    """The page's title: as asked, or made from the experiment's name."""
    if run.report.title:
        return run.report.title
    budgets = len(run.winners)
    return f"{run.experiment}: a network for {'each of ' + str(budgets) + ' budgets' if budgets != 1 else 'one budget'}"


def tiles(run: Run) -> list[Tile]:
    """The four numbers to remember."""
    accuracies = [numbers.known(winner.get("test_accuracy_mean")) for winner in run.found]
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    stages = stages_table(run.manifest)
    return [
        Tile(numbers.percent(max(known)) if known else "none", "best test accuracy"),
        Tile(f"{len(run.found)} of {len(run.winners)}", "budgets with a winner"),
        Tile(numbers.about(run.space_summary.get("networks")), words_of(run).networks),
        Tile(numbers.tau(run.audit_summary.get("tau_predictor")), "rank correlation with truth (audit)"),
        Tile(numbers.seconds(stages["seconds"].sum()) if len(stages) else numbers.DASH, "run time of all stages"),
    ]


def made_on(run: Run) -> str:
    """The day on which this run started."""
    return str(run.manifest.get("started") or "")[:10]
