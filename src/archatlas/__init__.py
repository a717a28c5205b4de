"""From your own images and a budget to a trained, exported and explained network.

``archatlas.load_network(path)`` reads what a run has exported; ``archatlas.rank([...])`` orders networks of your own
before one of them is trained. Nothing heavy is imported before they are called.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from archatlas._version import __version__

if TYPE_CHECKING:
    from archatlas.transfer.rank import rank
    from archatlas.verification.standalone import load_network

__all__ = ["__version__", "load_network", "rank"]

_PLACES = {"load_network": "archatlas.verification.standalone", "rank": "archatlas.transfer.rank"}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
