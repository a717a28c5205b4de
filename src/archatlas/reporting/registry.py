"""The report's sections, in the order of the reader's questions: what was found, how sure, how made."""

from __future__ import annotations

from archatlas.registry import Registry

SECTIONS = Registry(
    "section",
    {
        "found": "archatlas.reporting.sections:found_section",
        "asked": "archatlas.reporting.sections:asked_section",
        "drawing": "archatlas.reporting.sections:drawing_section",
        "atlas": "archatlas.reporting.sections:atlas_section",
        "trust": "archatlas.reporting.sections:trust_section",
        "truth": "archatlas.reporting.truth:truth_section",
        "methods": "archatlas.reporting.methods:methods_section",
        "measured": "archatlas.reporting.sections:measured_section",
        "choices": "archatlas.reporting.sections:choices_section",
        "predictor": "archatlas.reporting.sections:predictor_section",
        "supernet": "archatlas.reporting.sections:supernet_section",
        "latency": "archatlas.reporting.sections:latency_section",
        "classes": "archatlas.reporting.classes:classes_section",
        "use": "archatlas.reporting.provenance:use_section",
        "time": "archatlas.reporting.provenance:time_section",
        "provenance": "archatlas.reporting.provenance:provenance_section",
    },
)
"""Each makes a ``Section`` of a ``Run``, or None where the run has nothing to say to it.

A page is a page of its time: one that is there is not written again because a section was added.
"""
