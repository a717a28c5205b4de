"""What is kept of a large atlas while it is made goes once the atlas stands among the results, and no sooner."""

from __future__ import annotations

from pathlib import Path

from kedro.io import DataCatalog

from archatlas.kedro_ext.datasets import WorkFolderDataset
from archatlas.kedro_ext.records import Artifact, NodeRecord
from archatlas.kedro_ext.usage import NodeUsage
from archatlas.pipelines.map_space.nodes import spans_in
from archatlas.pipelines.map_space.pipeline import create_pipeline
from archatlas.pipelines.map_space.spans import SpansHook
from archatlas.settings import HOOKS


def record_of(*outputs: str) -> NodeRecord:
    artifacts = {name: Artifact(f"{name}.parquet", None, 1, "0") for name in outputs}
    return NodeRecord("a node", "key", {}, artifacts, "session", NodeUsage("", 1.0, 1.0))


def test_they_go_with_the_record_of_the_atlas(tmp_path: Path) -> None:
    (hook,) = (one for one in HOOKS if isinstance(one, SpansHook))
    catalog = DataCatalog({"work_folder": WorkFolderDataset(filepath=str(tmp_path))})
    spans = spans_in(tmp_path).task("atlas", 1)
    spans.save_json("from_0", [1])
    other = tmp_path / "trainings"
    other.mkdir()
    hook.after_node_settled(record_of("architectures", "cost_table"), catalog)
    assert spans.keys(".json") == ["from_0"]
    (node,) = create_pipeline().nodes
    hook.after_node_settled(record_of(*node.outputs), catalog)
    assert list(tmp_path.iterdir()) == [other]
