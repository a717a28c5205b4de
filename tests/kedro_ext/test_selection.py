"""What is asked for by name and is not there."""

from __future__ import annotations

from typing import Any

import click
import pytest
from kedro.pipeline import Pipeline, node

from archatlas.kedro_ext.selection import selected_pipeline

PIPELINES = {
    "first": Pipeline([node(abs, "a", "b", name="make", tags="quick")]),
    "second": Pipeline([node(abs, "b", "c", name="train", namespace="inner.most")]),
}
PIPELINES["__default__"] = PIPELINES["first"] + PIPELINES["second"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"pipelines": ["frist"]}, "--pipelines: there is no pipeline `frist`; did you mean `first`?"),
        ({"pipeline": "x"}, "--pipelines: there is no pipeline `x`; known here: first, second"),
        ({"node_names": ("mak",)}, "--nodes: no node of what runs is called `mak`; did you mean `make`?"),
        ({"from_nodes": ["first"]}, "--from-nodes: no node of what runs is called `first`; a pipeline is: --pipelines"),
        ({"to_nodes": ["trane"], "pipelines": ["first"]}, "--to-nodes: no node of what runs is called `trane`; known"),
        ({"tags": ("quik",)}, "--tags: no node of what runs is tagged `quik`; did you mean `quick`?"),
        ({"tags": ("x",), "pipelines": ["second"]}, "is tagged `x`; there are none"),
        ({"from_inputs": ["d"]}, "--from-inputs: no data set of what runs is called `d`; known here: a, b, c"),
        ({"to_outputs": ["inner.most.x"]}, "--to-outputs: no data set of what runs is called `inner.most.x`"),
        ({"namespaces": ["iner"]}, "--namespaces: no namespace of what runs is called `iner`; did you mean `inner`?"),
        (
            {"tags": ("quick",), "from_inputs": ["b"]},
            "no node of __default__ meets all of --tags=quick --from-inputs=b: each holds for some node",
        ),
    ],
)
def test_a_name_that_nothing_has_is_told_with_the_nearest(options: dict[str, Any], told: str) -> None:
    with pytest.raises(click.ClickException) as caught:
        selected_pipeline(options, PIPELINES)
    assert told in str(caught.value)


def test_what_is_there_is_selected() -> None:
    assert len(selected_pipeline({}, PIPELINES).nodes) == 2
    assert len(selected_pipeline({"namespaces": ["inner"], "tags": ()}, PIPELINES).nodes) == 1
    assert len(selected_pipeline({"tags": ("quick",), "to_nodes": ["make"]}, PIPELINES).nodes) == 1
