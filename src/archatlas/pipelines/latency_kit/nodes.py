"""The node that writes what another device needs to measure the space."""

import shutil
from pathlib import Path
from typing import Any


def write_kit(search_space: dict[str, Any], work_folder: Path) -> tuple[Path, dict[str, Any]]:
    """A folder with every distinct part as ONNX and a script that measures them, and what was written into it."""
    from archatlas.costs.latency_kit import write_latency_kit
    from archatlas.spaces.search_space import read_space

    folder = work_folder / "latency_kit"
    if folder.exists():  # A killed run left it.
        shutil.rmtree(folder)
    return folder, write_latency_kit(read_space(search_space), folder)
