"""Sections of the page on what was asked, what was found, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archatlas.costs.counting import count_parts
from archatlas.costs.network_latency import is_of_networks
from archatlas.reporting import numbers, sentences, tables
from archatlas.reporting.architecture_drawing import draw_chain
from archatlas.reporting.blocks import Cards, Chart, Drawing, Facts, Grid, Section, TableBlock, Text
from archatlas.reporting.cards import budget_cards, is_better, why_no_mobilenet
from archatlas.reporting.cell_drawing import draw_cell
from archatlas.reporting.figures.atlas import figure_atlas
from archatlas.reporting.figures.choices import choice_importance, figure_choice_importance, position_title
from archatlas.reporting.figures.ranking import (
    figure_accuracy_histogram,
    figure_predicted_against_measured,
    figure_rank_correlation,
)
from archatlas.reporting.figures.results import (
    figure_class_counts,
    figure_comparison,
    figure_latency_check,
)
from archatlas.reporting.figures.training import figure_learning_curves, figure_tuning
from archatlas.reporting.run import Run, costs_in
from archatlas.reporting.words import words_of
from archatlas.signals.audit import reference
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.protocol import Described, SearchSpace, chains_of


def found_section(run: Run) -> Section:
    better = sum(is_better(run, winner) for winner in run.found)
    verdict = sentences.verdict(len(run.found), len(run.winners), better)
    blocks: list[Any] = [Text(verdict), Cards(tuple(budget_cards(run)))]
    budgets = [str(winner["budget"]) for winner in run.found]
    without = {str(winner["budget"]): why for winner in run.found if (why := why_no_mobilenet(run, winner))}
    if budgets:
        blocks.append(
            Chart(
                "comparison",
                figure_comparison(run.trainings, budgets, without),
                f"Test accuracy of every training of the winners, of random networks{_and_mobilenet(run)}, by budget",
                "What the search bought",
            )
        )
        blocks.append(Text(words_of(run).comparison))
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


def asked_section(run: Run) -> Section:
    description, space = run.image_description, run.space_summary
    size = description.get("image_size")
    facts = (
        ("images", words_of(run).images),
        ("form", f"{size} × {size} pixels, {'grey' if description.get('channels') == 1 else 'colour'}"),
        ("classes", numbers.whole(len(description.get("class_names", ())))),
        ("search space", f"{space.get('name')}: {len(run.space.num_choices)} positions"),
        ("architectures", numbers.whole(space.get("size"))),
        ("distinct networks", numbers.whole(space.get("networks"))),
        ("samples are", space.get("sampler", numbers.DASH)),
    )
    blocks: list[Any] = [
        Facts(facts),
        Text(sentences.twins(space, why_twins(run.space), run.table)),
    ]
    if run.table is None:
        counts = figure_class_counts(run.class_counts)
        chart = Chart("class-counts", counts, "Images of each class by split", "Images per class")
        blocks.append(Grid((TableBlock(tables.splits_table(run), "Images of each split"), chart)))
    balance = sentences.imbalance(run.class_counts)
    if balance:
        blocks.append(Text(balance))
    if len(run.feasibility):
        blocks.append(TableBlock(tables.budgets_table(run.feasibility), "Budgets, and what the space has to offer"))
    return Section(
        "asked",
        "What was asked",
        "The images, the space of networks that was searched, and the limits that a winner must keep. A limit given "
        "as a percentage lies that part of the way from the least cost in the space to the largest.",
        blocks,
    )


def _drawing(run: Run, name: str) -> str:
    from archatlas.verification.members import member_of

    member = member_of(run.space, name)
    if not isinstance(member.space, ChainSpace):
        return draw_cell(member.space, member.network)
    costs = run.cost_table if member.space is run.space else count_parts(member.space)
    return draw_chain(member.space, member.network, costs)


def why_twins(space: SearchSpace) -> str:
    """Why several architectures of the space are one network."""
    return space.twins_because if isinstance(space, Described) else "several of them can compute the same"


def drawing_section(run: Run) -> Section:
    blocks: list[Any] = [
        Drawing(
            _drawing(run, str(winner["architecture"])),
            f"{winner['budget']}: {winner['architecture']}",
        )
        for winner in run.found
    ]
    return Section(
        "drawing",
        "The winners, drawn",
        "Each box is an operation with its widths (channels in \u2192 out) and its MACs; images flow along the "
        "arrows, a row per stage. The colour is the kernel size, an arc above a box says that its input is added to "
        "its output, and a dashed box is a skip, which computes nothing."
        if chains_of(run.space)
        else "The cell, which the network repeats: each box is an operation, images flow along the arrows, and what "
        "meets is added up, or at the output joined if the space does so. Operations that lead nowhere are left out. "
        "The colour is the kernel size, and a dashed box is a skip, which computes nothing.",
        blocks or [Text("There is no winner to draw.")],
    )


def atlas_section(run: Run) -> Section:
    exact = is_of_networks(run.latency_table)
    titles = {**numbers.COST_TITLES, **({"predicted_latency_ms": numbers.COST_TITLES["latency_ms"]} if exact else {})}
    bins = run.report.atlas_bins
    results = (run.atlas, run.pareto_front, run.winners, run.verified_candidates)
    charts = tuple(
        Chart(
            f"atlas-{cost.replace('_', '-')}",
            figure_atlas(*results, cost=cost, bins=bins, cost_title=titles[cost]),
            f"Number of networks by {titles[cost]} and predicted score, with Pareto front and winners",
            f"Predicted score and {titles[cost]}",
        )
        for cost in costs_in(run.atlas)
    )
    rate = run.atlas_speed.get("architectures_per_second")
    speed = "" if numbers.is_missing(rate) else f", at {numbers.short(rate)} a second"
    return Section(
        "atlas",
        "The atlas",
        f"{numbers.whole(len(run.atlas))} networks were predicted{speed}. Colour is how many networks have that cost "
        "and score (on a logarithmic scale). The line is the Pareto front, the highest predicted score at each cost or "
        "less; the large marks are the networks chosen for the budgets.",
        charts or [Text("The atlas is empty.")],
    )


def trust_section(run: Run) -> Section:
    words = words_of(run)
    counted, held_against = sentences.against_params(run.audit_summary), reference(run.audit_summary)
    half_time = sentences.half_time(run.audit_summary)
    blocks: list[Any] = [Text(words.audit)]
    if run.audit_summary.get("count"):
        blocks.append(
            Chart(
                "rank-correlation",
                figure_rank_correlation(run.audit_summary),
                f"Kendall tau-b of predictor, super-network, params and MACs with {held_against}",
                f"Rank correlation with {held_against}",
            )
        )
    blocks += [Text(text) for text in (counted, half_time) if text]
    if len(run.audit):
        blocks.append(
            Chart(
                "accuracy-histogram",
                figure_accuracy_histogram(run.audit, words.truth_title),
                "Histogram of the accuracies of the audit networks",
                "How far apart the networks are",
            )
        )
        spread = sentences.spread(run.audit_summary)
        if spread:
            blocks.append(Text(spread))
    return Section(
        "trust",
        "How true the scores are",
        words.trust,
        blocks,
    )


def measured_section(run: Run) -> Section:
    words = words_of(run)
    titles = (words.truth_title, words.choice_title)
    results = (run.audit, run.verified_candidates, run.winners)
    blocks: list[Any] = [
        Chart(
            "predicted-measured",
            figure_predicted_against_measured(*results, target=run.target, titles=titles),
            "Scores against accuracies of the same networks trained alone",
        )
    ]
    return Section(
        "measured",
        "Predicted against measured",
        words.measured,
        blocks,
    )


def choices_section(run: Run) -> Section:
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


def predictor_section(run: Run) -> Section:
    blocks: list[Any] = [
        Text(text)
        for text in (
            sentences.gcn_against(run.predictor_scores, "ridge"),
            sentences.gcn_against(run.predictor_scores, "params"),
            sentences.tuned_sentence(run.tuning_summary),
            sentences.calibrated_sentence(run.calibration_summary),
        )
        if text
    ]
    if len(run.predictor_scores):
        blocks.append(
            TableBlock(tables.predictors_table(run.predictor_scores), "Predictors, mean ± std over the splits")
        )
    blocks.append(
        Chart("tuning", figure_tuning(run.tuning_trials), "Value of each trial of the tuning study", "Tuning history")
    )
    return Section(
        "predictor",
        "The predictor and its baselines",
        words_of(run).predictor,
        blocks,
    )


def supernet_section(run: Run) -> Section | None:
    if run.table is not None:
        return None
    seeds = run.supernet_curves["seed"].nunique() if len(run.supernet_curves) else 0
    text = ["Loss and accuracy on the training images by epoch, averaged over the subnets of each step."]
    if run.largest_first_epochs:
        text.append(
            f"In the first {run.largest_first_epochs} epochs the largest path is trained alone; then blocks that "
            "expand begin anew as slices of its."
        )
    if run.image_sizes:
        sides = ", ".join(map(str, run.image_sizes))
        text.append(f"Super-networks see images of {sides} pixels, in turn, so their curves differ.")
    text.append(
        "What super-networks disagree on is taken for the noise that the predictor must see through."
        if seeds > 1
        else "Only one seed was trained, so there is no cross-seed score."
    )
    return Section(
        "supernet",
        "The super-network's training",
        " ".join(text),
        [Chart("learning-curves", figure_learning_curves(run.supernet_curves), "Learning curves of the super-network")],
    )


def latency_section(run: Run) -> Section:
    if is_of_networks(run.latency_table):
        device = str(run.latency_table["device"].iloc[0])
        unknown = int(run.latency_table["latency_ms"].isna().sum())
        lacks = f" {numbers.whole(unknown)} networks have none, and keep no bound on it." if unknown else ""
        return Section(
            "latency",
            "Latency",
            "Others have measured the latency of each network as a whole, so that nothing is predicted: a budget is "
            "kept exactly.",
            [Text(f"Latency is the column {device} of the public table {run.table}.{lacks}")],
        )
    blocks: list[Any] = []
    if len(run.latency_check):
        blocks = [
            Text(sentences.latency_error(run.latency_check)),
            Chart("latency-check", figure_latency_check(run.latency_check), "Predicted against measured latency"),
        ]
    elif len(run.latency_table):
        blocks = [Text("A latency table was given, but no whole network was measured against it here.")]
    else:
        blocks = [Text("This run has no latency table, so nothing is said about latency.")]
    return Section(
        "latency",
        "Latency, predicted and measured",
        "A chain's latency is predicted as the sum of its parts. Each dot is a whole network that was measured as "
        "well; on "
        "the dotted line both agree." + _latency_setting(run),
        blocks,
    )


def _latency_setting(run: Run) -> str:
    if run.latency_table.empty:
        return ""
    row: Mapping[Any, Any] = run.latency_table.iloc[0].to_dict()
    threads = int(row["threads"])
    return (
        f" Device: {row['device']}, batch of {int(row['batch_size'])}, {threads} thread{'s' if threads != 1 else ''} "
        f"({row['source']})."
    )
