"""From your own images and a budget to a trained, exported and explained network.

``archatlas.load_network(path)`` reads what a run has exported. Nothing heavy is imported before it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archatlas._version import __version__

if TYPE_CHECKING:
    from archatlas.verification.standalone import load_network

__all__ = ["__version__", "load_network"]


def __getattr__(name: str) -> Any:
    if name == "load_network":
        from archatlas.verification.standalone import load_network

        return load_network
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
