"""What was run when, by the records of nodes."""

from __future__ import annotations

import os
from pathlib import Path

from archatlas.kedro_ext.records import NodeRecord, RecordStore
from archatlas.kedro_ext.usage import NodeUsage


def test_seconds_before_a_node_are_those_of_its_own_session(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    ran = [("read", "today", 3.0), ("count", "long ago", 50.0), ("plan", "today", 1.0), ("train", "today", 9.0)]
    for moment, (node, session, seconds) in enumerate(ran):
        store.save(NodeRecord(node, "key", {}, {}, session, NodeUsage("", seconds, 0.0)))
        os.utime(tmp_path / "nodes" / node / "key.json", (moment, moment))
    assert store.seconds_before("plan") == 3.0
    assert [record.node for record in store.since("plan")] == ["train"]
    assert store.seconds_before("never run") == 0.0
