from __future__ import annotations

from kedro.pipeline import node, pipeline

from archatlas.kedro_ext.late import LATE, late_ones_last
from archatlas.pipeline_registry import register_pipelines


def test_what_can_wait_and_what_needs_it_comes_last_and_all_else_in_its_order() -> None:
    def passed_on(value: int) -> int:
        return value

    nodes = [
        node(passed_on, "a", "audit", name="audit", tags=LATE),
        node(passed_on, "audit", "report", name="report"),
        node(passed_on, "a", "b", name="search"),
        node(passed_on, "b", "c", name="train"),
        node(passed_on, "c", "winner", name="wins"),
    ]
    assert [one.name for one in late_ones_last(pipeline(nodes))] == ["search", "train", "wins", "audit", "report"]
    usual = pipeline(nodes[2:])
    assert late_ones_last(usual) == usual.nodes


def test_an_audit_waits_for_the_winners_and_their_export() -> None:
    names = [one.name for one in late_ones_last(register_pipelines()["__default__"])]
    audit, exported = names.index("verify_candidates.audit"), names.index("export")
    assert names[audit - 1] == "verify_candidates.plan_audit"
    assert max(exported, names.index("finish_winners.train_winners")) < audit
    assert max(names.index("test_winners"), names.index("report.write_report")) > audit
