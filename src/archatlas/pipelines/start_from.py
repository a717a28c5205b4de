"""Where the weights lie that ``supernet.start_from`` names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archatlas.errors import ArchatlasError, nearest

_CURRENT = Path("data/current")
_SUFFIX = ".safetensors"


def files_of_start(start_from: str | None) -> list[Path]:
    """The files of super-networks, by number, that ``start_from`` names; none for None.

    It is an experiment of this project, whose current super-networks are meant, or a folder of safetensors files, or
    one file. An experiment goes before a folder of the same name. Links are followed, so that a run of the other
    experiment changes nothing under way. Raises ArchatlasError if there is nothing.
    """
    return [file.resolve() for file in _files_named(start_from)]


def _files_named(start_from: str | None) -> list[Path]:
    """The same as they are called there, which for links is what they stand for, and not what is behind them."""
    if start_from is None:
        return []
    here = Path.cwd()
    current = next((one / _CURRENT for one in (here, *here.parents) if (one / _CURRENT).is_dir()), _CURRENT)
    places = [current / start_from / "supernets", Path(start_from).expanduser()]
    for place in (one for one in places if one.exists()):
        files = [place] if place.is_file() else list(place.glob(f"*{_SUFFIX}"))
        if files:
            # seed_10 comes after seed_2.
            return sorted(files, key=lambda file: (len(file.stem), file.stem))
    known = [folder.name for folder in current.glob("*") if (folder / "supernets").exists()]
    raise ArchatlasError(
        f"`supernet.start_from` is {start_from!r}, but there is no experiment of this name with trained super-networks "
        f"here, and no such file or folder of {_SUFFIX} files{nearest(start_from, known)}"
    )


def start_of_supernets(parameters: Mapping[str, Any]) -> list[Path]:
    """For ``depends_on``: the files of ``supernet.start_from``; none where it is null, or nothing is there."""
    try:
        return _files_named((parameters.get("supernet") or {}).get("start_from"))
    except ArchatlasError:
        return []
