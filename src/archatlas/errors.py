"""The one exception that a user's mistake ends in."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class ArchatlasError(Exception):
    """A request that cannot be met. Its message names the rule, the value and what to do.

    The command line prints the message alone; anything else that escapes is a fault of ours and keeps its traceback.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt ``name``: ``"; did you mean `epochs`?"``, or the known names if none is near."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known names: {', '.join(known)}" if known else ""


def brief(given: object, most: int = 200) -> str:
    """What a file from elsewhere says, for a message: its beginning, without letters that a terminal would act on."""
    text = str(given)[: most + 1]
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:most])
    return shown + "..." * (len(text) > most)


def first_problem(error: ValidationError) -> str:
    """The first thing that a document from elsewhere has wrong, for a message: which field, and what."""
    first = error.errors()[0]
    return f"`{brief('.'.join(map(str, first['loc'])))}`: {brief(first['msg'])}"
