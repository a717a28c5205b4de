from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from archatlas.reporting.cell_drawing import draw_cell
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.protocol import SearchSpace

CELLS = NasBench201("nas_bench_201", (3, 32, 32), 10)
VERTICES = NasBench101("nas_bench_101", (3, 32, 32), 10)


@pytest.mark.parametrize(
    ("space", "name", "titles", "edges"),
    [
        # The 3x3 convolution into node 2 is dead.
        (
            CELLS,
            "|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|",
            ["input", "conv 1x1", "conv 3x3", "avg pool 3x3", "output"],
            5,
        ),
        (
            VERTICES,
            "3:1_1:10_m:100_3:1000_3:00001_o:011101",
            ["input", "conv3x3", "conv1x1", "maxpool3x3", "conv3x3", "conv3x3", "output"],
            9,
        ),
        (CELLS, "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", ["input", "output"], 0),
    ],
    ids=["edges", "vertices", "nothing"],
)
def test_drawing_is_well_formed_and_whole(space: SearchSpace, name: str, titles: list[str], edges: int) -> None:
    root = ElementTree.fromstring(draw_cell(space, name))
    tag = "{http://www.w3.org/2000/svg}"
    assert sorted(text.text or "" for text in root.findall(f"{tag}text")) == sorted(titles)
    assert len([path for path in root.findall(f"{tag}path") if path.get("class") == "edge"]) == edges
    _, _, width, height = (float(number) for number in str(root.get("viewBox")).split())
    corners = [(float(str(box.get("x"))), float(str(box.get("y")))) for box in root.findall(f"{tag}rect")]
    assert len(set(corners)) == len(corners)
    assert all(x + 132 <= width and y + 46 <= height for x, y in corners)
