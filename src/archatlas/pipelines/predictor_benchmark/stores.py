"""Where rows of the benchmark are kept: by the code of one predictor, not by that of all."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from archatlas.kedro_ext.records import fingerprint
from archatlas.kedro_ext.source_code import SourceCode
from archatlas.storage.work_store import WorkStore

BY_VALUE = ("archatlas.predictors.parameters", "archatlas.spaces.parameters", "archatlas.spaces.tables.parameters")
"""Modules of settings of all predictors and spaces. A row's key holds the values of its own, so that a new family, or
another default of one, leaves the rows of the others as they are."""


def stores_by_code(folder: Path) -> Callable[..., WorkStore]:
    """From names of modules to the store for what they make, another one once their code or a library changed."""
    source = SourceCode("archatlas")

    @cache
    def store_of(*makers: str) -> WorkStore:
        reach = source.reached_by_modules(*makers)
        code = {name: digest for name, digest in reach.code.items() if name not in BY_VALUE}
        return WorkStore(folder / fingerprint([code, reach.libraries])[:16])

    return store_of
