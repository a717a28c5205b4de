"""What a run's manifest says, as tables: stages with their times, nodes, and the files that each read and made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from archatlas.reporting import numbers
from archatlas.reporting.tables import Cell, Table, cells

Json = Mapping[str, Any]

SHOWN_DIGITS = 12
"""Of a digest; the manifest has them all."""


def nodes_of(manifest: Json) -> dict[str, Json]:
    """The manifest's nodes by name, in the order in which they started."""
    nodes: Mapping[str, Json] = manifest.get("nodes") or {}
    return dict(sorted(nodes.items(), key=lambda item: str(item[1].get("started", ""))))


def stage_of(node: str, entry: Json) -> str:
    """The folder of ``archatlas.pipelines.<stage>.nodes.<function>``; the node's own name where it lies elsewhere."""
    parts = str(entry.get("function", "")).split(".")
    return parts[-3] if len(parts) >= 4 and parts[-4] == "pipelines" and parts[-2] == "nodes" else node


def stages_table(manifest: Json) -> pd.DataFrame:
    """Columns stage, seconds, peak_memory_mib: nodes of a stage summed, memory at its peak, in the order of ending."""
    rows = [
        {
            "stage": stage_of(node, entry),
            "place": place,
            "seconds": float(entry.get("seconds") or 0.0),
            "peak_memory_mib": float(entry.get("peak_memory_mib") or float("nan")),
        }
        for place, (node, entry) in enumerate(nodes_of(manifest).items())
    ]
    if not rows:
        return pd.DataFrame({"stage": [], "seconds": [], "peak_memory_mib": []})
    # Not in the order of their first nodes: the first figures of the report are drawn long before the last training.
    grouped = pd.DataFrame(rows).groupby("stage", sort=False)
    stages = grouped.agg({"place": "max", "seconds": "sum", "peak_memory_mib": "max"}).sort_values("place")
    return stages.reset_index()[["stage", "seconds", "peak_memory_mib"]]


def commit(manifest: Json) -> str:
    """The commit of the code: ``1a2b3c4d5e6f, with uncommitted changes``."""
    git = manifest.get("git") or {}
    if not git.get("commit"):
        return "not known"
    return f"{git['commit'][:SHOWN_DIGITS]}{', with uncommitted changes' if git.get('dirty') else ''}"


def moment(stamp: Any) -> str:
    """A time of a manifest to the minute: ``2026-01-02 03:04 UTC``."""
    return f"{str(stamp)[:16].replace('T', ' ')} UTC" if stamp else numbers.DASH


def nodes_table(manifest: Json) -> Table:
    """Each node: whether it ran or what it made before was used again, what it took, and its fingerprint."""
    rows, muted = [], set()
    for index, (node, entry) in enumerate(nodes_of(manifest).items()):
        if not entry["executed"]:
            muted.add(index)
        rows.append(
            cells(
                node,
                "run" if entry["executed"] else f"reused from {entry['session']}",
                numbers.seconds(entry["seconds"]),
                numbers.memory(entry["peak_memory_mib"]),
                _digest(entry["fingerprint"]),
            )
        )
    columns = (
        ("node", "left"),
        ("in this run", "left"),
        ("took", "right"),
        ("peak memory", "right"),
        ("fingerprint", "left"),
    )
    return Table(columns, tuple(rows), muted=frozenset(muted))


def files_table(manifest: Json) -> Table:
    """Under the name of each node the versions that it read and what it made, with size and SHA-256."""
    rows: list[tuple[Cell, ...]] = []
    for node, entry in nodes_of(manifest).items():
        rows.append((Cell(node),))
        rows += [cells("read", name, _version(version), "", "") for name, version in sorted(entry["inputs"].items())]
        rows += [
            cells("made", name, _version(file["version"]), numbers.size(file["size"]), _digest(file["sha256"]))
            for name, file in sorted(entry["outputs"].items())
        ]
    columns = (("", "left"), ("data set", "left"), ("version", "left"), ("size", "right"), ("SHA-256", "left"))
    return Table(columns, tuple(rows))


def _digest(digest: str | None) -> Cell:
    return Cell(digest[:SHOWN_DIGITS], code=True) if digest else Cell(numbers.DASH)


def _version(version: str | None) -> str:
    return version or numbers.DASH
