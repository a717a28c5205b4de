"""Touch one thing of a finished project at a time, ask what would run, and put it back; prints JSON.

Run by ``test_change_matrix.py`` in a process of its own, whose code is the project's that it touches.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import CatalogProtocol

from archatlas.kedro_ext.incremental import explain
from archatlas.kedro_ext.records import CurrentResults
from archatlas.pipeline_registry import register_pipelines


@contextmanager
def rewritten(file: Path, content: bytes) -> Iterator[None]:
    """The file with another content while the block lasts; code seems to have been edited long ago."""
    before, status = file.read_bytes(), file.stat()
    try:
        file.write_bytes(content)
        yield
    finally:
        file.write_bytes(before)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def with_a_line(file: Path, function: str) -> bytes:
    """The code with one more statement, in a function or (no function) at the end."""
    code = file.read_text()
    if not function:
        return (code + "\nTOUCHED = True\n").encode()
    found = next(one for one in ast.parse(code).body if isinstance(one, ast.FunctionDef) and one.name == function)
    lines = code.splitlines(keepends=True)
    lines.insert(found.body[-1].lineno - 1, "    _touched = True\n")
    return "".join(lines).encode()


@cache
def configured_catalog(project: Path) -> CatalogProtocol[Any, Any]:
    """The catalog of the parameters as configured, which touches of code and of outputs leave as it is."""
    return catalog_of(project, {})


def catalog_of(project: Path, parameters: dict[str, Any]) -> CatalogProtocol[Any, Any]:
    with KedroSession.create(project_path=project, env="tiny", runtime_params=parameters) as session:
        return session.load_context().catalog


def decisions(catalog: CatalogProtocol[Any, Any]) -> dict[str, str]:
    """What each node, named without the stage that it is folded into, would do: run, wait or reuse."""
    explained = explain(register_pipelines()["__default__"], catalog)
    return {one.node.name.rpartition(".")[2]: one.action for one in explained}


def with_an_entry(registry: Path, entry: str) -> bytes:
    """The code of a registry with one more line, of an entry whose module is a new file."""
    return registry.read_bytes().replace(b"    {\n", f"    {{\n        {entry},\n".encode(), 1)


@contextmanager
def created(file: Path, content: bytes) -> Iterator[None]:
    """A new file while the block lasts."""
    file.write_bytes(content)
    try:
        yield
    finally:
        file.unlink()


def touched(project: Path, touch: dict[str, Any]) -> dict[str, str]:
    """The decisions after one touch: of a parameter, of code (file, function), of an output, or of a registry."""
    if "parameters" in touch:
        return decisions(catalog_of(project, touch["parameters"]))
    if "registry" in touch:
        registry = project / "src/archatlas" / touch["registry"]
        module = registry.with_name("newcomer.py")
        dotted = ".".join(module.relative_to(project / "src").with_suffix("").parts)
        entry = with_an_entry(registry, f'"newcomer": ("{dotted}:Newcomer", "{dotted}:Settings")')
        with created(module, b"class Newcomer:\n    pass\n"), rewritten(registry, entry):
            return decisions(configured_catalog(project))
    if "code" in touch:
        file = project / "src/archatlas" / touch["code"]
        content = with_a_line(file, touch.get("function", ""))
    else:
        file = project / CurrentResults(project / "data/records/tiny").load()[touch["output"]].path
        file = next(one for one in sorted(file.rglob("*")) if one.is_file()) if file.is_dir() else file
        content = file.read_bytes()[:-1]
    with rewritten(file, content):
        return decisions(configured_catalog(project))


def main() -> None:
    project = Path.cwd()
    bootstrap_project(project)
    touches = json.load(sys.stdin)
    json.dump([touched(project, touch) for touch in touches], sys.stdout)


if __name__ == "__main__":
    main()
