"""Names of freely wired cells: ``0:1-0.1:4_0:2``."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from archatlas.errors import ArchatlasError
from archatlas.spaces import wiring
from archatlas.spaces.protocol import Choices, Names

_CELL = re.compile(r"\d+(\.\d+)*:\d+(-\d+(\.\d+)*:\d+)*")


def spell(choices: Choices, cells: int, vertices: int) -> Names:
    """Names of rows, ``[n]``: cells joined by ``_``, in each ``sources:target`` for every vertex that reads."""
    of_cells = [
        [
            "-".join(_word(*step) for step in enumerate(read) if step[1])
            for read in wiring.reads_of(part, vertices).tolist()
        ]
        for part in np.split(choices, cells, axis=1)
    ]
    return np.array(["_".join(of_row) for of_row in zip(*of_cells, strict=True)], dtype=np.str_)


@lru_cache(maxsize=2**16)
def _word(target: int, sources: int) -> str:
    """``0.1:4``: a vertex, and the set of those that it reads as bits."""
    return ".".join(str(source) for source in range(target) if sources >> source & 1) + f":{target}"


def parse(names: ArrayLike, cells: int, vertices: int, space: str) -> Choices:
    """Inverse of ``spell``; ArchatlasError for what is no such name, or another spelling of one."""
    given = np.atleast_1d(np.asarray(names, dtype=np.str_)).tolist()
    place = {pair: index for index, pair in enumerate(wiring.pairs(vertices))}
    rows = np.zeros((len(given), cells, len(place)), dtype=np.int8)
    for row, name in enumerate(given):
        of_cells = name.split("_")
        if len(of_cells) != cells or not all(map(_CELL.fullmatch, of_cells)):
            raise _unknown(name, cells, space)
        for cell, word in enumerate(of_cells):
            for step in word.split("-"):
                sources, target = step.split(":")
                for source in sources.split("."):
                    if (int(source), int(target)) not in place:
                        raise _unknown(name, cells, space)
                    rows[row, cell, place[int(source), int(target)]] = 1
    choices: Choices = rows.reshape(len(given), -1)
    for name, spelled in zip(given, spell(choices, cells, vertices).tolist(), strict=True):
        if name != spelled:
            raise _unknown(name, cells, space)
    return choices


def _unknown(name: str, cells: int, space: str) -> ArchatlasError:
    example = "_".join(["0:1-0.1:2-0:4"] * cells)
    return ArchatlasError(
        f"{name!r} is not the name of an architecture of {space}; names look like {example!r}, what each vertex reads "
        "and then the vertex, 0 being the cell's input"
    )
