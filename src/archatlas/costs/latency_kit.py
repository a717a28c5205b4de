"""A folder to take to another device: every distinct part as ONNX, and a script that measures them there."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.costs.counting import KEY, count_parts, distinct_parts, parts_of
from archatlas.errors import ArchatlasError
from archatlas.progress import progress_bar
from archatlas.spaces.protocol import ChainFamily, PrefixShared, SearchSpace

SCRIPT = "measure_latency.py"
_CALL = ("call", 0, 0, "identity", 0)
"""A part that computes nothing, so that the script can tell what a call of the runtime costs."""


def write_latency_kit(space: SearchSpace, folder: Path) -> dict[str, Any]:
    """Write ``part_*.onnx`` (one per distinct part, dynamic batch, random weights), ``parts.csv`` and the script.

    ``parts.csv`` maps every part, position and choice to its file, with the operation, MACs and input shape.

    Args:
        space: what is to be measured.
        folder: empty, or made.

    Returns:
        What was written: space, parts, files (names), table (what the script writes), command.

    Raises:
        ArchatlasError: the space is not a chain of parts.
    """
    from torch import nn

    from archatlas.costs.runtimes import onnx_of

    if isinstance(space, ChainFamily):
        raise ArchatlasError(
            "a latency kit is of one size of images and one width: set `space.image_sizes` and `space.widths` to null"
        )
    if not isinstance(space, PrefixShared):
        raise ArchatlasError(f"{space.name} is not a chain of parts: there is nothing that a latency kit could measure")
    folder.mkdir(parents=True, exist_ok=True)
    parts = parts_of(space)
    distinct, index = distinct_parts(parts)
    files = [f"part_{number:03d}.onnx" for number in range(len(distinct))]
    for part, file in zip(progress_bar(distinct, desc="latency kit", unit="part"), files, strict=True):
        (folder / file).write_bytes(onnx_of(part.make(), part.input_shape))
    (folder / "part_call.onnx").write_bytes(onnx_of(nn.Identity(), (1, 1, 1)))

    table = count_parts(space)[[*KEY, "operation", "macs"]]
    table[["channels", "height", "width"]] = [part.input_shape for part in parts]
    table["file"] = [files[i] for i in index]
    call = pd.DataFrame([[*_CALL, 1, 1, 1, "part_call.onnx"]], columns=table.columns)
    pd.concat([table, call], ignore_index=True).to_csv(folder / "parts.csv", index=False)
    script = resources.files("archatlas.costs").joinpath(SCRIPT).read_text(encoding="utf-8")
    (folder / SCRIPT).write_text(script, encoding="utf-8")
    return {
        "space": space.name,
        "parts": len(parts),
        "files": [*files, "part_call.onnx", "parts.csv", SCRIPT],
        "command": f"python {SCRIPT}",
        "table": "latency_table.csv",
    }
