"""What must be the same on all machines for their results to be the same. Asked before anything else is imported."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = ("numpy", "torch")
"""Those whose arithmetic tasks use."""


@cache
def identity() -> dict[str, str]:
    """Versions of the package, of its code and of libraries, by name."""
    package = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes())
    from archatlas._version import __version__

    libraries = {name: _version(name) for name in _LIBRARIES}
    return {
        "archatlas": __version__,
        "its code": digest.hexdigest()[:12],
        **libraries,
        "python": platform.python_version(),
    }


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
