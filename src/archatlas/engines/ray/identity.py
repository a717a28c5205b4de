"""What must be the same on all machines for their results to be the same. Asked before anything else is imported."""

from __future__ import annotations

import ast
import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = ("numpy", "torch")
"""Those whose arithmetic tasks use."""
_NOT_IN_TASKS = ("pipelines", "kedro_ext", "reporting")
"""What only the process that was started runs: nothing below imports it."""


@cache
def identity() -> dict[str, str]:
    """Versions of the package, of its code and of libraries, by name."""
    from archatlas._version import __version__

    libraries = {name: _version(name) for name in _LIBRARIES}
    return {
        "archatlas": __version__,
        "its code": digest_of_code(Path(__file__).parents[2]),
        **libraries,
        "python": platform.python_version(),
    }


def digest_of_code(package: Path) -> str:
    """Of all that tasks may run, whatever its comments, docstrings and layout."""
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        name = file.relative_to(package)
        if name.parts[0] not in _NOT_IN_TASKS:
            digest.update(f"{name.as_posix()}\0{_meaning(file.read_bytes())}".encode())
    return digest.hexdigest()[:12]


def _meaning(source: bytes) -> str:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # Half of an edit.
        return hashlib.sha256(source).hexdigest()
    _leave_out_documentation(tree)
    return ast.dump(tree)


def _leave_out_documentation(node: ast.AST) -> None:
    """Take strings that stand alone out of the blocks of a statement, and of those in it."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        inner = getattr(node, block, None)
        if isinstance(inner, list):  # The body of a lambda is an expression.
            inner[:] = [one for one in inner if not _documents(one)]
            for one in inner:
                _leave_out_documentation(one)


def _documents(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def difference(here: dict[str, str], there: dict[str, str]) -> str | None:
    """In words, what another machine has otherwise; None if nothing."""
    other = [name for name, value in here.items() if there.get(name) != value]
    if not other:
        return None
    if other == ["its code"]:
        return f"has archatlas {there['archatlas']} with other code"
    return ", ".join(f"has {name} {there.get(name, 'none')}, not {here[name]}" for name in other if name != "its code")
