"""Where nodes keep partial work."""

from __future__ import annotations

from pathlib import Path

from archatlas.kedro_ext.records import fingerprint
from archatlas.kedro_ext.source_code import SourceCode
from archatlas.storage.work_store import WorkStore

_SPACES = "archatlas.spaces.registry"
"""What is kept is of networks, and spaces make these: their code counts for all of it."""


def work_store(folder: Path, *makers: str) -> WorkStore:
    """The store for what these modules make, another one once their code, a space's or a library of theirs has changed.

    Tasks within it are told apart by their parameters and data, so nodes that name the same makers share their work.
    Makers are named where they are used: a node whose code names a module runs again when it is edited. Who keeps work
    of networks of public tables, which may be of spaces of their own, names ``archatlas.spaces.tables.registry`` too.
    """
    reach = SourceCode("archatlas").reached_by_modules(*makers, _SPACES)
    return WorkStore(folder / fingerprint([reach.code, reach.libraries])[:16])


def trainings_in(work_folder: Path) -> WorkStore:
    """All nodes share what was trained alone."""
    return work_store(work_folder, "archatlas.verification.trainings")
