"""What the documents say of the project by name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archatlas.pipeline_registry import register_pipelines


@pytest.fixture(scope="module")
def documents(repository: Path) -> str:
    return "\n".join(
        file.read_text() for file in (repository / "README.md", *sorted((repository / "docs").glob("*.md")))
    )


@pytest.fixture(scope="module")
def nodes() -> set[str]:
    return {node.name for pipeline in register_pipelines().values() for node in pipeline.nodes}


def test_commands_and_folders_name_nodes_in_full(documents: str, nodes: set[str]) -> None:
    explained = re.findall(r"^(?:run    |wait   |reuse  )([\w.]+)", documents, re.MULTILINE)
    behind = re.findall(r"^wait .* it depends on ([\w.]+)$", documents, re.MULTILINE)
    named = [*explained, *behind, *re.findall(r"/nodes/([\w.]+)", documents)]
    assert len(explained) == 3
    assert set(named) <= nodes


def test_long_nodes_are_nodes_or_stages(documents: str, nodes: set[str]) -> None:
    table = documents.split("| long node |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`([a-z]\w+)`", row.split(" | ")[0])}
    assert {"train_supernet", "map_space", "train_calibration"} <= named
    assert named <= {name.rpartition(".")[2] for name in nodes} | register_pipelines().keys()
