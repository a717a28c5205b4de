"""Scores without training by name. A new one is a file beside this one and a line below."""

from __future__ import annotations

from archatlas.registry import Registry

SCORES = Registry(
    "score without training",
    {
        "grad_norm": "archatlas.scores.grad_norm:grad_norm",
        "gradient_tensors": "archatlas.scores.ntk_trace:gradient_tensors",
        "jacov": "archatlas.scores.jacov:jacov",
        "log_ntk_trace": "archatlas.scores.ntk_trace:log_ntk_trace",
        "ntk_trace": "archatlas.scores.ntk_trace:ntk_trace",
        "nwot": "archatlas.scores.nwot:nwot",
        "rectifiers": "archatlas.scores.rectifiers:rectifiers",
        "synflow": "archatlas.scores.synflow:synflow",
        "transfer": "archatlas.scores.transfer:transfer",
    },
)
"""Each is a function of a ``Probe``, a network at initialisation with a batch, to a number: the higher, the better."""
