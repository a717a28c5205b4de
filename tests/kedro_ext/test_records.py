"""What was run when, by the records of nodes."""

from __future__ import annotations

import os
from pathlib import Path

from archatlas.kedro_ext.records import NodeRecord, RecordStore
from archatlas.kedro_ext.usage import NodeUsage

RAN = [
    ("images.read", "today", 3.0),
    ("costs.count", "long ago", 50.0),
    ("plan", "today", 1.0),
    ("train", "today", 9.0),
    ("finish", "today", 90.0),
]


def test_seconds_with_a_node_are_those_of_its_own_session_whatever_was_used_again_since(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    for moment, (node, session, seconds) in enumerate(RAN):
        store.save(NodeRecord(node, "key", {}, {}, session, NodeUsage("", seconds, 0.0)))
        os.utime(tmp_path / "nodes" / node / "key.json", (moment, moment))
    stages = ("images", "costs")
    assert store.seconds_with("plan", stages) == 4.0
    assert [record.node for record in store.since("plan")] == ["train", "finish"]
    # Another run has used the first nodes again, and not come to the last one yet.
    for moment, node in enumerate(("images.read", "costs.count", "plan", "train"), start=10):
        os.utime(tmp_path / "nodes" / node / "key.json", (moment, moment))
    assert store.seconds_with("plan", stages) == 4.0
    assert [record.node for record in store.since("plan")] == ["train"]
    assert store.seconds_with("never run", stages) == 0.0
