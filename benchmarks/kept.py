"""Where a benchmark keeps what is done, so that it goes on where it stopped, and never takes up what older code did."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

from archatlas.kedro_ext.module_code import ModuleCode
from archatlas.pipelines.work import work_store
from archatlas.storage.work_store import WorkStore

WORK = Path(__file__).parent.parent / "data" / "work"


def work_of(file: str, *apart: str, folder: Path = WORK) -> WorkStore:
    """The store of the benchmark in ``file``: another one once its code, or any code that it reaches, has changed.

    Comments, docstrings and what only prints may change: the functions ``apart``, and what runs the file. Of which
    networks, settings and data a result is, is for its task to say.
    """
    path = Path(file)
    own = ModuleCode(f"benchmarks.{path.stem}", path)
    counting = [one for one in own.statements if getattr(one, "name", "") not in apart and not isinstance(one, ast.If)]
    return work_store(folder / f"{path.stem}_benchmark" / own.digest(counting)[:16], *imported(own))


def imported(own: ModuleCode) -> list[str]:
    """The modules of archatlas that a file imports at its top, sorted; all that these reach is told by them."""
    found = set()
    for statement in own.statements:
        if isinstance(statement, ast.ImportFrom) and str(statement.module).partition(".")[0] == "archatlas":
            inside = {f"{statement.module}.{alias.name}" for alias in statement.names}
            found |= {name for name in inside if _is_module(name)} or {str(statement.module)}
    return sorted(found)


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # What it would be in is no package.
        return False
