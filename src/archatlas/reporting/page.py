"""The report: one HTML file that opens offline, with plotly.js inside it once."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import jinja2
from markupsafe import Markup

from archatlas.reporting import numbers
from archatlas.reporting.blocks import safe_json
from archatlas.reporting.figures.theme import DARK, LIGHT
from archatlas.reporting.run import Run
from archatlas.reporting.sections import make_sections
from archatlas.reporting.tables import stages_table


@dataclass(frozen=True)
class Tile:
    """A number of the headline."""

    value: str
    label: str


def render_page(run: Run) -> str:
    """The whole page as HTML. It makes no request of any kind: its content security policy forbids them."""
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = resources.files("archatlas.reporting").joinpath("templates/report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source.strip()).render(
        title=headline(run),
        experiment=run.experiment,
        summary=summary(run),
        tiles=tiles(run),
        sections=make_sections(run),
        made=made_on(run),
        templates=Markup(safe_json({"light": LIGHT, "dark": DARK})),
        plotly_js=Markup(get_plotlyjs()),
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
    stages = stages_table(run.stage_times)
    return [
        Tile(numbers.percent(max(known)) if known else "none", "best test accuracy"),
        Tile(f"{len(run.found)} of {len(run.winners)}", "budgets with a winner"),
        Tile(numbers.whole(run.space_summary.get("networks")), "distinct networks in the space"),
        Tile(numbers.tau(run.audit_summary.get("tau_predictor")), "rank correlation with truth (audit)"),
        Tile(numbers.seconds(stages["seconds"].sum()) if len(stages) else numbers.DASH, "run time of all stages"),
    ]


def made_on(run: Run) -> str:
    """The day on which the last stage started, as it was recorded."""
    started = [str(entry.get("started", "")) for entry in run.stage_times.values()]
    return max(started, default="")[:10]
