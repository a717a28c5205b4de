"""The report of one run as a page."""

from __future__ import annotations

from archatlas.reporting import numbers
from archatlas.reporting.blocks import Section
from archatlas.reporting.cards import is_better, reached, test_interval
from archatlas.reporting.class_results import balanced_accuracy, unequal_classes
from archatlas.reporting.html import Tile, render_html
from archatlas.reporting.manifest import stages_table
from archatlas.reporting.registry import SECTIONS
from archatlas.reporting.run import Json, Run
from archatlas.reporting.words import words_of
from archatlas.signals.audit import conclusive, reference, settled


def render_page(run: Run) -> str:
    """The whole page as HTML."""
    made = made_on(run)
    return render_html(
        eyebrow="archatlas report",
        title=headline(run),
        summary=words_of(run).summary,
        doubts=run.doubts,
        tiles=tiles(run),
        sections=make_sections(run),
        footer=f"Experiment {run.experiment}{', run of ' + made if made else ''}.",
    )


def make_sections(run: Run) -> list[Section]:
    """All sections of the page that the run has something to say to."""
    made = (SECTIONS.load(name)(run) for name in SECTIONS)
    return [section for section in made if section is not None]


def headline(run: Run) -> str:
    """The page's title: as asked, or made from the experiment's name."""
    if run.report.title:
        return run.report.title
    budgets, found = len(run.winners), len(run.found)
    if not found:
        return f"{run.experiment}: no network for {'any budget' if budgets != 1 else 'the budget'}"
    if found < budgets:
        return f"{run.experiment}: a network for {found} of {budgets} budgets"
    return f"{run.experiment}: a network for {'each of ' + str(budgets) + ' budgets' if budgets != 1 else 'one budget'}"


def tiles(run: Run) -> list[Tile]:
    """The numbers to remember: what each budget's network reached, each with its interval, and how large the run was.

    A rank correlation is among them only if the audit is large enough and long enough to be trusted.
    """
    stages = stages_table(run.manifest)
    return [
        *(_budget_tile(run, winner) for winner in run.winners),
        *([_audit_tile(run)] if conclusive(run.audit_summary) and settled(run.audit_summary) else []),
        Tile(numbers.about(run.space_summary.get("networks")), words_of(run).networks),
        Tile(numbers.seconds(stages["seconds"].sum()) if len(stages) else numbers.DASH, "run time of all stages"),
    ]


def _budget_tile(run: Run, winner: Json) -> Tile:
    budget = str(winner.get("budget", ""))
    if winner.get("status") != "found":
        return Tile("none", f"{budget}: no network kept it")
    interval, kind = test_interval(run, winner), run.true_accuracy or "test"
    of = f", {interval} by {numbers.whole(run.test_images)} images" if interval else ""
    balanced = balanced_accuracy(winner)
    if balanced is not None and unequal_classes(run):
        of += f"; {numbers.percent(balanced)} if all classes count alike"
    called = "winner" if is_better(run, winner) else "chosen network"
    return Tile(numbers.percent(reached(winner)), f"{budget}: {kind} accuracy of the {called}{of}")


def _audit_tile(run: Run) -> Tile:
    summary = run.audit_summary
    return Tile(
        numbers.tau(summary["tau_predictor"]),
        f"rank correlation of the predictor with {reference(summary)}, {numbers.interval(summary['tau_predictor_ci'])} "
        f"by {numbers.whole(summary['count'])} audit networks",
    )


def made_on(run: Run) -> str:
    """The day on which this run started."""
    return str(run.manifest.get("started") or "")[:10]
