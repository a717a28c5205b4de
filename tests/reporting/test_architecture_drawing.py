from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pandas as pd

from archatlas.reporting.architecture_drawing import chain_nodes, draw_chain
from archatlas.reporting.run import Run
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.presets import preset

NAME = "k3e1-k5e6-skip_k3e3-skip-skip_k5e3-skip"
GAP = "\N{NO-BREAK SPACE}"


def test_nodes_follow_the_chain(space: ChainSpace, run: Run) -> None:
    nodes = chain_nodes(space, NAME, run.cost_table)
    assert [node.kind for node in nodes] == [
        "end", "fixed", "block", "block", "skip", "block", "skip", "skip", "block", "skip", "fixed", "end"
    ]  # fmt: skip
    assert [node.row for node in nodes] == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4]
    assert [node.title for node in nodes if node.kind == "block"] == [
        "3×3  expand 1", "5×5  expand 6", "3×3  expand 3", "5×5  expand 3"
    ]  # fmt: skip
    first, second, third, _ = (node for node in nodes if node.kind == "block")
    assert (first.detail, first.adds_input) == ("6 → 8", False)
    assert (second.detail, second.adds_input) == ("8 → 8", True)
    assert third.detail == "8 → 12, stride 2"
    # depthwise 3x3 on 6 channels and a 1x1 from 6 to 8, at 8 x 8 pixels
    assert first.note == f"{(6 * 9 + 6 * 8) * 64 / 1000:.2f}{GAP}k{GAP}MACs"


def test_drawing_is_well_formed_and_whole(space: ChainSpace, run: Run) -> None:
    root = ElementTree.fromstring(draw_chain(space, NAME, run.cost_table))
    tag = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{tag}rect")) == 12
    assert len([path for path in root.findall(f"{tag}path") if path.get("class") == "edge"]) == 11
    assert len(root.findall(f"{tag}circle")) == 1
    _, _, width, height = (float(number) for number in str(root.get("viewBox")).split())
    for box in root.findall(f"{tag}rect"):
        assert float(str(box.get("x"))) + float(str(box.get("width"))) <= width
        assert float(str(box.get("y"))) + float(str(box.get("height"))) <= height


def test_projections_and_wide_heads_are_drawn() -> None:
    macro = preset("nas_bench_macro", (3, 32, 32), 10)
    nodes = chain_nodes(macro, "00120120", pd.DataFrame())
    assert [node.title for node in nodes][2:5] == ["1×1", "skip", "3×3  expand 3"]
    assert nodes[2].detail == "32 → 64, stride 2"
    assert nodes[-2].detail == "256 → 1280 → mean"
    assert {node.note for node in nodes if node.kind != "end"} == {""}, "no cost table, no MACs"


def test_nothing_of_a_name_is_markup(space: ChainSpace, run: Run) -> None:
    odd = replace(space, name="<b>odd</b>")
    assert "<b>" not in draw_chain(odd, NAME, run.cost_table)
