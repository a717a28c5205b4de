"""Search methods by name. A new one is a file beside this one and a line below."""

from __future__ import annotations

from archatlas.registry import Registry

METHODS = Registry(
    "search method",
    {
        "random_search": "archatlas.systems.random_search:RandomSearch",
        "regularised_evolution": "archatlas.systems.regularised_evolution:RegularisedEvolution",
        "nasgem": "archatlas.systems.nasgem.method:Nasgem",
        "nasi": ("archatlas.systems.nasi.method:Nasi", "archatlas.systems.nasi.settings:NasiSettings"),
        "gram": "archatlas.systems.gram.method:Gram",
    },
)
"""Data classes that are a ``problem.Method``; their fields are the method's settings, checked before a run starts.
A method whose file loads torch derives from a data class of these fields alone, which stands beside it."""
