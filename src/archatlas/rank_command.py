"""``python -m archatlas rank``: which of these networks first, before one of them is trained."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from archatlas.errors import ArchatlasError


class _Shape(click.ParamType):  # type: ignore[type-arg]
    """``3x32x32``: channels, height and width of an image."""

    name = "CxHxW"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        sides = str(value).lower().split("x")
        if len(sides) != 3 or not all(side.isdecimal() and 0 < int(side) <= 65_536 for side in sides):
            self.fail(f"must be three numbers from 1 to 65536, such as 3x32x32, but got {value!r}", param, ctx)
        first, second, last = (int(side) for side in sides)
        if last in (1, 3) and first > last:
            self.fail(f"channels come first: {last}x{first}x{second} instead of {value}", param, ctx)
        return first, second, last


@click.command(name="rank", short_help="Which of these networks first? Nothing is trained.")
@click.argument("networks", nargs=-1, required=True)
@click.option("--input", "input_shape", type=_Shape(), help="Shape of one image, channels first: 3x224x224.")
@click.option(
    "--task",
    type=click.Choice(["imagenet", "cifar"]),
    help="What they are to be trained for is like this. [default: imagenet from 96 pixels a side on]",
)
@click.option("--latency", is_flag=True, help="Measure each in onnxruntime here: one image, one thread.")
@click.option("--json", "as_json", is_flag=True, help="Print the ranking as JSON.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the ranking as a page, too.")
@click.option(
    "--predictor",
    type=click.Path(path_type=Path),
    help="A predictor of your own (kedro run --env transfer_predictor) in the place of the one that is shipped.",
)
def rank_command(
    networks: tuple[str, ...],
    input_shape: tuple[int, ...] | None,
    task: Any,
    latency: bool,
    as_json: bool,
    html: Path | None,
    predictor: Path | None,
) -> None:
    """Order NETWORKS by what is known of others like them.

    A network is an ONNX file (a.onnx), or a name in a Python module or file of yours that is a torch.nn.Module or makes
    one (my_models:make_small, nets/mine.py:Net). Ends with 1 if one of them could not be read.
    """
    try:
        from archatlas.transfer.rank import rank

        with redirect_stdout(sys.stderr):  # What networks print is no part of the table, or of the JSON.
            ranking = rank(networks, input_shape, task=task, latency=latency, predictor=predictor)
        if html is not None:
            from archatlas.reporting.ranking.page import render_ranking
            from archatlas.storage.atomic import atomic_path

            with atomic_path(html) as temporary:
                temporary.write_text(render_ranking(ranking), encoding="utf-8")
    except (ArchatlasError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    if as_json:
        print(json.dumps(ranking.document(), indent=2))
    else:
        from archatlas.reporting.ranking.text import render_text

        print(render_text(ranking))
    for refusal in ranking.refusals:
        print(refusal, file=sys.stderr)
    if html is not None and not as_json:
        print(f"The page: {html}")
    sys.exit(1 if ranking.refused else 0)
