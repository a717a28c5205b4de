"""What lies below a folder, links to folders followed: the one listing of readers and of digests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def _raised(error: OSError) -> None:
    raise error


def walk(
    root: Path,
    enters: Callable[[str], bool] = lambda name: True,
    unlisted: Callable[[OSError], None] = _raised,
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Each folder below ``root``, itself first, with the sorted names of the folders and of the other entries in it.

    Links are followed. A link to a folder that it lies in is passed over: a walk would never leave it. So are folders
    whose names ``enters`` does not take. A folder that cannot be listed is an OSError, which ``unlisted`` is given.
    """
    for folder, below, files in os.walk(root, onerror=unlisted, followlinks=True):
        below[:] = sorted(name for name in below if enters(name) and not _leads_back(Path(folder, name)))
        yield Path(folder), below, sorted(files)


def _leads_back(folder: Path) -> bool:
    return folder.is_symlink() and folder.resolve() in folder.parent.resolve().joinpath("x").parents
