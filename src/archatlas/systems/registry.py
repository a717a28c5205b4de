"""Search methods by name. A new one is a file beside this one and a line below."""

from __future__ import annotations

from archatlas.registry import Registry

METHODS = Registry(
    "search method",
    {
        "random_search": "archatlas.systems.random_search:RandomSearch",
        "regularised_evolution": "archatlas.systems.regularised_evolution:RegularisedEvolution",
        "nasi": "archatlas.systems.nasi.method:Nasi",
        "gram": "archatlas.systems.gram.method:Gram",
    },
)
"""Data classes that are a ``problem.Method``; their fields are the method's settings."""
