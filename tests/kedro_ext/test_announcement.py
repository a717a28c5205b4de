from __future__ import annotations

import logging
import sys
from types import ModuleType

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner

from archatlas.kedro_ext.announcement import AnnouncementHook


def test_what_is_left_is_said_between_nodes_when_outputs_can_be_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plans = ModuleType("plans")
    plans.before = lambda parameters, pipeline, catalog: [f"{len(pipeline.nodes)} nodes"]  # type: ignore[attr-defined]
    plans.between = lambda parameters, nodes, catalog, outputs: [  # type: ignore[attr-defined]
        f"{name} is {catalog.load(name)}, {len(nodes)} left" for name in outputs
    ]
    plans.after = lambda parameters, pipeline, catalog: ["done"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "plans", plans)
    pipeline = Pipeline(
        [
            node(lambda a: a + 1, "a", "b", name="first"),
            node(lambda b: b + 1, "b", "c", name="second"),
            node(lambda c: c + 1, "c", "d", name="third"),
        ]
    )
    catalog = DataCatalog({"a": MemoryDataset(1), **{name: MemoryDataset() for name in "bcd"}})
    manager = _create_hook_manager()
    manager.register(AnnouncementHook(before="plans:before", between="plans:between", after="plans:after"))
    with caplog.at_level(logging.INFO, "archatlas"):
        manager.hook.before_pipeline_run(run_params={}, pipeline=pipeline, catalog=catalog)
        SequentialRunner().run(pipeline, catalog, hook_manager=manager)
        manager.hook.after_pipeline_run(run_params={}, run_result={}, pipeline=pipeline, catalog=catalog)
    said = [record.message for record in caplog.records if record.name == "archatlas"]
    assert said == ["3 nodes", "b is 2, 2 left", "c is 3, 1 left", "done"]
