"""The section that sets a run's scores beside the true accuracies of a public table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from archatlas.reporting import numbers
from archatlas.reporting.blocks import Chart, Section, TableBlock, Text
from archatlas.reporting.figures import truth as figures
from archatlas.reporting.run import Run
from archatlas.reporting.tables import Cell, Table, cells
from archatlas.scorers.registry import all_scorers


def truth_section(run: Run) -> Section | None:
    """Rank correlations, what choosing by each score gives, and the pictures behind them."""
    if run.true_table is None:
        return None
    summary = run.truth_summary
    if not summary:
        return Section("truth", "Against the truth", "", [Text("The scores were not compared with the table yet.")])
    rows, best = run.truth_by_network, int(summary["best"])
    drawn = min(figures.MOST_DRAWN, len(rows))
    blocks: list[Any] = [
        Text(verdict(summary, run.truth_correlations)),
        Chart(
            "true-correlations",
            figures.figure_true_correlations(run.truth_correlations, summary),
            "Kendall tau-b of every scorer with the true accuracy, over all networks, the top half and the top 10%",
            "Who ranks how well",
        ),
        Text(_how_to_read(summary)),
        TableBlock(correlations_table(run), "Rank correlations with the true accuracy"),
        Chart(
            "predicted-true",
            figures.figure_predicted_against_true(rows),
            "Scores against true accuracies of the same networks",
            f"Predicted against true ({numbers.whole(drawn)} of {numbers.whole(len(rows))} networks, evenly by true "
            "rank; the least accurate 1% lie below the edge)",
        ),
        Chart(
            "rank-rank",
            figures.figure_rank_against_rank(rows),
            "Number of networks by rank by score and true rank",
            "Rank against rank, all networks (the best at the top right)",
        ),
        Chart(
            "top-lens",
            figures.figure_top_under_lens(rows),
            "Networks in the top 1% by score or by truth, rank against rank",
            "The top 1% under a lens",
        ),
        Text(
            "Drawn are the networks in the top 1% by truth or by score, on logarithmic axes. The shaded square holds "
            "those in both; to its left lie good networks that the score overlooks, below it those that it overrates."
            + _noise(summary)
        ),
        Chart(
            "true-picks",
            figures.figure_true_picks(run.truth_picks, best),
            f"Points of mean true accuracy of the best {best} by every scorer behind the truly best, by budget of MACs",
            f"The best {best} by each score, looked up: how far behind the truly best (higher is better)",
        ),
        TableBlock(picks_table(run), f"The best and the best {best} by each score, within budgets of MACs"),
    ]
    return Section(
        "truth",
        "Against the truth",
        f"Others have trained the networks alone and published their accuracies (table {summary['table']}, "
        f"{summary['accuracy']} accuracy). Here every score of this run is held against them, over "
        f"{numbers.whole(summary['networks'])} networks. {_what_was_seen(run)}",
        blocks,
    )


def _what_was_seen(run: Run) -> str:
    """What predictors of this run learned from."""
    fitted, calibrated = int(run.truth_summary["fitted"]), run.calibration_summary
    if calibrated:
        return (
            f"Predictors learned from {numbers.whole(fitted)} of them: from super-networks' scores, and the calibrated "
            f"one, by which winners are chosen, from the true accuracies of {numbers.whole(calibrated['networks'])} "
            "too. No other true accuracy was used in this run."
        )
    return (
        f"Predictors were fitted to the super-networks' scores of {numbers.whole(fitted)}, and no true accuracy was "
        "used in this run to train, to fit, to tune or to choose."
    )


def verdict(summary: Mapping[str, Any], ranked: pd.DataFrame) -> str:
    """Whether the predictor ranks better than the scores that it was fitted to, over all and within the top half.

    In ``ranked`` (rank correlations) are single super-networks too: how many of them have the same to say.
    """
    scorers = summary.get("scorers") or {}
    raw = [name for name, scorer in all_scorers().items() if scorer.source == "supernet" and name in scorers]
    if "predictor" not in scorers or not raw:
        return ""
    if any(numbers.is_missing(scorers[name]["kendall_tau"]) for name in ("predictor", *raw)):
        return "Too few networks were scored to say how well they are ranked."
    parts = []
    for metric, where in (("kendall_tau", "over all networks"), ("kendall_tau_top_half", "within the true top half")):
        better = max(raw, key=lambda name: scorers[name][metric])
        own, other = float(scorers["predictor"][metric]), float(scorers[better][metric])
        verb = "better than" if own > other else "no better than"
        parts.append(
            f"{where} the predictor ranks {verb} the better of the raw scores (tau {own:.3f} against {other:.3f}, "
            f"{figures.label_of(better)}{_in_single_ones(ranked, better, metric)})"
        )
    text = "; ".join(parts)
    covered = {int(scorers[name]["networks"]) for name in ("predictor", *raw)}
    unlike = " These figures are over unlike numbers of networks: see the table." if len(covered) > 1 else ""
    return f"{text[:1].upper()}{text[1:]}.{unlike}"


def _in_single_ones(ranked: pd.DataFrame, other: str, metric: str) -> str:
    """In how many super-networks alone the predictor fitted to one ranks better than its scores."""
    single = ranked[(ranked["over"] == "networks") & (ranked["seed"] != "all")]
    by_seed = single.pivot_table(index="seed", columns="scorer", values=metric)
    if len(by_seed) < 2 or not {"predictor", other} <= set(by_seed.columns):
        return ""
    ahead = int((by_seed["predictor"] > by_seed[other]).sum())
    return f"; ahead in {ahead} of {len(by_seed)} single super-networks"


def _how_to_read(summary: Mapping[str, Any]) -> str:
    ceilings = summary.get("ceilings") or {}
    text = (
        "Bars are scorers over all super-networks (their mean, or a predictor fitted to it), rings are single ones. "
        "MACs and params need no training at all."
    )
    if "one_training_rest" in ceilings:
        text += (
            f" The dashed line is how well the mean of all trainings but one ranks networks by the one left out: "
            f"{ceilings['one_training_rest']:.3f}, within the top half {ceilings['one_training_rest_top_half']:.3f}."
        )
    if "one_training_another" in ceilings:
        text += (
            f" One training ranks by another with {ceilings['one_training_another']:.3f}, within the top half "
            f"{ceilings['one_training_another_top_half']:.3f}. Bars are held against the mean of all trainings, which "
            "is less noisy than one, so that a score could go beyond."
        )
    return text


def _noise(summary: Mapping[str, Any]) -> str:
    error = numbers.known(summary.get("standard_error"))
    if error is None:
        return ""
    return (
        f" The truth is noisy too: the standard error of a network's true accuracy is {100 * error:.2f} points, so "
        "that the order among the very best is partly chance."
    )


def correlations_table(run: Run) -> Table:
    """A row per scorer: over networks, over those not fitted to, over architectures; spread over super-networks."""
    ranked, names = run.truth_correlations, run.truth_summary.get("scorers") or {}
    over_all = ranked[ranked["seed"] == "all"].to_dict("records")
    whole = {(str(row["scorer"]), str(row["over"])): row for row in over_all}
    rows = []
    for scorer in all_scorers():
        if scorer not in names:
            continue
        own = whole[scorer, "networks"]
        spread = (names[scorer].get("by_seed") or {}).get("kendall_tau") or {}
        single = numbers.DASH
        if spread:
            single = f"{_three(spread['mean'])} ± {_three(spread['std'])}"
        rows.append(
            cells(
                figures.label_of(scorer),
                numbers.whole(own["networks"]),
                Cell(_three(own["kendall_tau"]), bar=min(max(numbers.known(own["kendall_tau"]) or 0.0, 0.0), 1.0)),
                single,
                _three(own["kendall_tau_top_half"]),
                _three(own["kendall_tau_top_tenth"]),
                _three(own["spearman"]),
                _three(whole[scorer, "unfitted"]["kendall_tau"]),
                _three(whole[scorer, "architectures"]["kendall_tau"]),
            )
        )
    titles = (
        "networks", "Kendall tau-b", "by one super-network", "top half", "top 10%", "Spearman", "tau, not fitted to",
        f"tau, {numbers.whole(run.truth_summary.get('architectures'))} architectures",
    )  # fmt: skip
    return Table((("scorer", "left"), *((title, "right") for title in titles)), tuple(rows))


def _three(value: Any) -> str:
    """Rank correlations here differ in the third decimal."""
    return numbers.DASH if numbers.is_missing(value) else f"{float(value):.3f}"


def picks_table(run: Run) -> Table:
    """A row per scorer and a pair of columns per budget: true accuracy of the best few, and of the very best."""
    chosen = run.truth_picks[run.truth_picks["seed"] == "all"]
    budgets = chosen["budget"].drop_duplicates().tolist()
    rows = []
    for scorer in all_scorers():
        own = chosen[chosen["scorer"] == scorer].set_index("budget")
        if len(own):
            rows.append(cells(figures.label_of(scorer), *(_pick(own.loc[budget]) for budget in budgets)))
    optimum = chosen.drop_duplicates("budget").set_index("budget")
    rows.append(
        cells(
            "the truly best",
            *(
                Cell(
                    numbers.percent(optimum.loc[budget, "top_optimum"], 2),
                    detail=f"best {numbers.percent(optimum.loc[budget, 'optimum'], 2)}",
                )
                for budget in budgets
            ),
        )
    )
    columns = (("scorer", "left"), *((f"MACs up to {name}" if name else "no budget", "right") for name in budgets))
    return Table(columns, tuple(rows), frozenset({len(rows) - 1}))


def _pick(row: Any) -> Cell:
    rank = numbers.DASH if numbers.is_missing(row["best_rank"]) else f"{row['best_rank']:,.0f}"
    return Cell(
        numbers.percent(row["top_accuracy"], 2),
        detail=f"best {numbers.percent(row['best_accuracy'], 2)}, rank {rank}",
    )
