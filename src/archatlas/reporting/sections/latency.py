"""How latency was come by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archatlas.costs.network_latency import is_of_networks
from archatlas.reporting import numbers, sentences
from archatlas.reporting.blocks import Chart, Section, Text
from archatlas.reporting.figures.results import figure_latency_check
from archatlas.reporting.run import Run


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
