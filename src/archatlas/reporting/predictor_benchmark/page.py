"""The predictor benchmark as one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from archatlas.predictors.benchmark.parameters import PredictorBenchmarkParameters
from archatlas.reporting.blocks import Chart, Code, Section, TableBlock, Text
from archatlas.reporting.html import Tile, render_html
from archatlas.reporting.predictor_benchmark.figures import ceiling_words, figure_coverage, figure_found, figure_taus
from archatlas.reporting.predictor_benchmark.records import PUBLISHED, QUERY_GOALS, of_set, words
from archatlas.reporting.predictor_benchmark.tables import (
    goals_table,
    loops_table,
    measures_table,
    median_by_space,
    records_table,
    taus_table,
)
from archatlas.reporting.predictor_benchmark.view import Comparison, comparisons
from archatlas.reporting.sections.provenance import as_yaml
from archatlas.reporting.tables import Table

_HELD_AT = (20, 40, 64)


def render_benchmark(
    summary: pd.DataFrame,
    ceilings: pd.DataFrame,
    runs: pd.DataFrame,
    parameters: PredictorBenchmarkParameters,
    seed: int,
) -> str:
    """The whole page as HTML.

    Args:
        summary: of ``summarise``
        ceilings: of ``ceilings_table``
        runs: of ``acquisition_table``
        parameters: what was asked for
        seed: of the first repetition
    """
    found = list(comparisons(summary, ceilings, parameters))
    medians = median_by_space(runs)
    goals, reached = goals_table(found, medians)
    sections = [_goals_section(goals, reached)] if goals.rows else []
    sections += [_space_section(name, [one for one in found if one.space == name]) for name in _names(found)]
    if len(runs):
        sections.append(_acquisition_section(runs, parameters))
    sections += [_protocol_section(parameters, seed), _records_section()]
    fitted = int(summary.loc[summary["status"] == "done", "repetitions"].sum())
    tiles = [
        Tile(f"{fitted:,}", "fits judged on networks with known accuracy"),
        Tile(str(len(_names(found))), "spaces"),
        *([Tile(f"{reached} of {len(goals.rows)}", "figures reached that were to be reached")] if goals.rows else []),
        *(Tile(f"{median:g}", f"evaluations to the best of {words(name).title}") for name, median in medians.items()),
    ]
    return render_html(
        eyebrow="archatlas predictor benchmark",
        title="How well do predictors rank networks that others have trained?",
        summary=_summary(found, parameters),
        tiles=tiles,
        sections=sections,
        footer="Every figure on this page is a mean over repetitions of the rows in predictor_benchmark_rows.",
    )


def _names(found: Sequence[Comparison]) -> list[str]:
    return list(dict.fromkeys(one.space for one in found))


def _summary(found: Sequence[Comparison], parameters: PredictorBenchmarkParameters) -> str:
    predictors = len(parameters.chosen_predictors)
    seeds = f"{parameters.seeds} repetitions" if parameters.seeds > 1 else "one repetition"
    tables = "one public table" if len(_names(found)) == 1 else f"{len(_names(found))} public tables"
    return (
        f"{predictors} predictors learn from a few labelled architectures of {tables} and rank the rest, in {seeds}. "
        "In each, all of them learn from the same labels, so their differences are paired."
    )


def _goals_section(table: Table, reached: int) -> Section:
    return Section(
        "goals",
        "What was to be reached",
        f"{reached} of {len(table.rows)} figures are reached, by the best predictor of each set or the best loop. A "
        "predictor that uses costs is marked.",
        [TableBlock(table)],
    )


def _space_section(name: str, found: Sequence[Comparison]) -> Section:
    about = words(name)
    blocks = [block for one in found for block in _set_blocks(one, several=len(found) > 1)]
    return Section(name.replace("_", "-"), about.title, about.about, blocks)


def _set_blocks(comparison: Comparison, *, several: bool) -> Iterator[Any]:
    """Figure, table, all measures and coverage of what was compared; titled where a space has several of these."""
    title = f"Learning from {comparison.learned} accuracy" if several else ""
    space = words(comparison.space).title
    yield Chart(
        f"taus-{comparison.name}",
        figure_taus(comparison),
        f"Kendall tau-b of each predictor by number of labels, {space}, {comparison.learned} accuracy",
        title,
    )
    if comparison.ceilings:
        yield Text(
            "The shaded band is what perfect knowledge of one measurement reaches on another: "
            f"{ceiling_words(comparison.ceilings)}."
        )
    if of_set(PUBLISHED, comparison.space, comparison.learned):
        yield Text("Grey lines are published; their protocols differ from this one and from each other.")
    beside = ", below it that of networks not seen in training" if comparison.split == "rows" else ""
    heading = f"{title}: Kendall tau-b" if several else "Kendall tau-b"
    yield TableBlock(taus_table(comparison), f"{heading}, mean ± standard error over repetitions{beside}")
    named = f" ({comparison.learned} labels)" if several else ""
    yield TableBlock(measures_table(comparison), f"All measures and times{named}", folded=True)
    yield Chart(
        f"coverage-{comparison.name}",
        figure_coverage(comparison),
        "Share of unseen networks inside 80% and 95% intervals",
        "Inside 80% (dotted) and 95% intervals; shaded: within 5 points of these",
    )


def _acquisition_section(runs: pd.DataFrame, parameters: PredictorBenchmarkParameters) -> Section:
    asked = parameters.acquisition
    titles: Mapping[str, str] = {name: loop.title or name for name, loop in parameters.chosen_loops.items()}
    space = words(asked.space).title
    goal = f" To reach: {QUERY_GOALS[asked.space]}." if asked.space in QUERY_GOALS else ""
    return Section(
        "acquisition",
        "How many evaluations find the best?",
        f"A loop evaluates some architectures of {space} at random, fits a predictor to their {asked.observed} "
        f"accuracy, evaluates the batch that its rule ranks first, and so on. It never sees {asked.reported} accuracy. "
        "Counted are all evaluations, the first labels among them, until an architecture with the best "
        f"{asked.reported} accuracy of the whole table has been evaluated; what is in hand is the {asked.reported} "
        f"accuracy of the one with the best {asked.observed} accuracy so far. {asked.seeds} runs of each.{goal}",
        [
            Chart("found", figure_found(runs, titles, asked.space), f"Runs that have found the best of {space}"),
            TableBlock(loops_table(runs, titles, [at for at in _HELD_AT if at <= asked.most])),
        ],
    )


def _protocol_section(parameters: PredictorBenchmarkParameters, seed: int) -> Section:
    notes = (
        "tau is Kendall's tau-b; a constant prediction has 0. The standard error is over repetitions, which draw other "
        "labels but judge (mostly) the same rows.",
        "The best mean of a set is marked; so is every predictor whose paired difference to it has a 95% interval "
        "(Student's t over repetitions) that reaches 0: it is within noise of the best.",
        "Unseen networks: rows whose canonical form is not among the labels. Unseen formulas: rows of which not even a "
        "cell that unrolls to the same formula is (a cell that shares a result and one that computes it twice unroll "
        "alike).",
        "Top half: ranks among rows at or above the median truth. Precision: of the 50 rows predicted best, the share "
        "that is among the 50 truly best; ties at the boundary count by their chance. Regret: the best accuracy less "
        "that of the row predicted best, in points.",
        "Intervals: mean ± 1.28 and 1.96 standard deviations, for accuracies of the kind that was learned, on unseen "
        "networks.",
        "Times are those of the same fit as the tau of the row, with graphs and features made in them: CPU seconds of "
        "this process on one core, and by the clock. Predicting is timed on all rows of the table. Costs, where they "
        "are sums of parts, are counted before.",
        "A predictor that reads counted MACs and params, or zero-cost proxies, is marked.",
    )
    seeds = f"Seeds {seed} to {seed + parameters.seeds - 1}."
    return Section(
        "protocol",
        "How it was measured",
        seeds,
        [*(Text(note) for note in notes), Code(as_yaml({"predictor_benchmark": parameters}), "All parameters (YAML)")],
    )


def _records_section() -> Section:
    return Section(
        "records",
        "What others published",
        "Read from the papers; none was run again here. Protocols differ: which accuracy is learned and ranked, how "
        "labels are drawn, how often, and what hyper-parameters were chosen on.",
        [TableBlock(records_table())],
    )
