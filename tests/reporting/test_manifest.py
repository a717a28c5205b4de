from __future__ import annotations

from typing import Any

import pytest

from archatlas.reporting import manifest as manifests
from archatlas.reporting.numbers import DASH


def node(stage: str, started: str, seconds: float, memory: float, **changes: Any) -> dict[str, Any]:
    return {
        "function": f"archatlas.pipelines.{stage}.nodes.work",
        "executed": True,
        "reasons": ["it never ran here"],
        "started": f"2026-01-02T03:04:{started}.000+00:00",
        "seconds": seconds,
        "peak_memory_mib": memory,
        "fingerprint": "0123456789abcdef" * 4,
        "session": "now",
        "inputs": {},
        "outputs": {},
        **changes,
    }


MANIFEST = {
    "session": "now",
    "nodes": {
        "report": node("report", "09", 1.5, 50.0, fingerprint=None),
        "save": node(
            "train_supernet", "05", 0.5, 30.0,
            inputs={"images": "before", "labels": None},
            outputs={"models": {"path": "data/models/now/models", "version": "now", "size": 2048, "sha256": "fe" * 32}},
        ),
        "train": node("train_supernet", "01", 2.0, 10.0, executed=False, session="before"),
        "draw": node("report", "03", 0.25, 20.0, executed=False, session="before"),
        "elsewhere": node("x", "11", 0.25, 5.0, function="other.package.work"),
    },
}  # fmt: skip


def texts(table: Any) -> list[list[str]]:
    return [[cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]


def test_nodes_of_a_stage_are_summed_in_the_order_of_their_last_nodes() -> None:
    assert manifests.stages_table(MANIFEST).to_dict("records") == [
        {"stage": "train_supernet", "seconds": 2.5, "peak_memory_mib": 30.0},
        {"stage": "report", "seconds": 1.75, "peak_memory_mib": 50.0},
        {"stage": "elsewhere", "seconds": 0.25, "peak_memory_mib": 5.0},
    ]
    assert manifests.stages_table({}).empty


def test_a_node_ran_or_was_reused() -> None:
    table = manifests.nodes_table(MANIFEST)
    assert texts(table) == [
        ["train", "reused from before", "2.0 s", "10 MiB", "0123456789ab"],
        ["draw", "reused from before", "0.2 s", "20 MiB", "0123456789ab"],
        ["save", "run", "0.5 s", "30 MiB", "0123456789ab"],
        ["report", "run", "1.5 s", "50 MiB", DASH],
        ["elsewhere", "run", "0.2 s", "5 MiB", "0123456789ab"],
    ]
    assert table.muted == {0, 1}


def test_files_stand_under_the_node_that_read_or_made_them() -> None:
    assert texts(manifests.files_table({"nodes": {"save": MANIFEST["nodes"]["save"]}})) == [
        ["save"],
        ["read", "images", "before", "", ""],
        ["read", "labels", DASH, "", ""],
        ["made", "models", "now", "2.0 KiB", "fefefefefefe"],
    ]


@pytest.mark.parametrize(
    ("git", "said"),
    [
        ({"commit": "a" * 40, "dirty": False}, "a" * 12),
        ({"commit": "a" * 40, "dirty": True}, "a" * 12 + ", with uncommitted changes"),
        ({"commit": None, "dirty": None}, "not known"),
        (None, "not known"),
    ],
)
def test_the_commit_says_whether_it_is_all(git: Any, said: str) -> None:
    assert manifests.commit({"git": git}) == said


def test_moments_are_shown_to_the_minute() -> None:
    assert manifests.moment("2026-01-02T03:04:05.678+00:00") == "2026-01-02 03:04 UTC"
    assert manifests.moment(None) == DASH
