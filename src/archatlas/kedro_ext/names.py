"""What to say of a name that nothing has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_NEAREST, _LISTED = 3, 40


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt ``name``: ``"; did you mean `epochs`?"`` with the nearest names, or all that are known."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=_NEAREST, cutoff=0.6)
    # Names that say more than was asked for: `supernet` for `train_supernet`.
    close += [longer for longer in names if len(name) > 2 and name in longer and longer not in close]
    if close:
        return f"; did you mean {' or '.join(f'`{one}`' for one in close[:_NEAREST])}?"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"; known here: {', '.join(names[:_LISTED])}{more}" if names else "; there are none"
