"""The report of one run as a page."""

from __future__ import annotations

from archatlas.reporting import numbers
from archatlas.reporting.html import Tile, render_html
from archatlas.reporting.manifest import stages_table
from archatlas.reporting.run import Run
from archatlas.reporting.sections import make_sections


def render_page(run: Run) -> str:
    """The whole page as HTML."""
    made = made_on(run)
    return render_html(
        eyebrow="archatlas report",
        title=headline(run),
        summary=summary(run),
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


def summary(run: Run) -> str:
    """What was done, in one sentence."""
    seeds = run.supernet_curves["seed"].nunique() if len(run.supernet_curves) else 0
    sampled = run.evaluations["network"].nunique() if len(run.evaluations) else 0
    trained = f"{seeds} super-networks were" if seeds != 1 else "One super-network was"
    return (
        f"{trained} trained on {run.image_description.get('source', 'the images')}, {numbers.whole(sampled)} of the "
        f"networks inside were scored, a predictor ({run.tuned_predictor.get('family', 'none')}) was fitted to the "
        f"scores, {numbers.whole(len(run.atlas))} networks were predicted, and the best for each budget were trained "
        "alone."
    )


def tiles(run: Run) -> list[Tile]:
    """The four numbers to remember."""
    accuracies = [numbers.known(winner.get("test_accuracy_mean")) for winner in run.found]
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    stages = stages_table(run.manifest)
    return [
        Tile(numbers.percent(max(known)) if known else "none", "best test accuracy"),
        Tile(f"{len(run.found)} of {len(run.winners)}", "budgets with a winner"),
        Tile(numbers.whole(run.space_summary.get("networks")), "distinct networks in the space"),
        Tile(numbers.tau(run.audit_summary.get("tau_predictor")), "rank correlation with truth (audit)"),
        Tile(numbers.seconds(stages["seconds"].sum()) if len(stages) else numbers.DASH, "run time of all stages"),
    ]


def made_on(run: Run) -> str:
    """The day on which this run started."""
    return str(run.manifest.get("started") or "")[:10]
