"""A small package of its own, whose code a test can change."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4

import pytest

from archatlas.kedro_ext import source_code


class Package:
    """A package on the path; ``{package}`` in code stands for its name."""

    def __init__(self, folder: Path) -> None:
        self.name = f"toy_{uuid4().hex[:8]}"
        self.folder = folder / self.name
        self.write("__init__", "")

    def write(self, module: str, code: str) -> None:
        """(Re)write a module, and load it anew if it is loaded; this process counts as started after that."""
        path = self.folder / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(code).replace("{package}", self.name))
        source_code.process_started = time.time()
        importlib.invalidate_caches()
        for name in [name for name in sys.modules if name.startswith(f"{self.name}.")]:
            del sys.modules[name]

    def function(self, module: str, name: str) -> Any:
        return getattr(importlib.import_module(f"{self.name}.{module}"), name)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """An empty package that can be imported."""
    source = tmp_path / "src"
    source.mkdir()
    monkeypatch.syspath_prepend(str(source))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = Package(source)
    yield made
    for name in [name for name in sys.modules if name.split(".")[0] == made.name]:
        del sys.modules[name]
