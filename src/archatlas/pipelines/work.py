"""Where nodes keep partial work."""

from __future__ import annotations

from pathlib import Path

from archatlas.kedro_ext.records import fingerprint
from archatlas.kedro_ext.source_code import SourceCode
from archatlas.storage.work_store import WorkStore


def work_store(folder: Path, *makers: str) -> WorkStore:
    """The store for what these modules make, another one once their code or a library of theirs has changed.

    Tasks within it are told apart by their parameters and data, so nodes that name the same makers share their work.
    """
    reach = SourceCode("archatlas").reached_by_modules(*makers)
    return WorkStore(folder / fingerprint([reach.code, reach.libraries])[:16])


def trainings_in(work_folder: Path) -> WorkStore:
    """All nodes share what was trained alone."""
    return work_store(work_folder, "archatlas.verification.trainings")
