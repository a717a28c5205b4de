"""The report's sections, in the order of the reader's questions: what was found, how sure, how made."""

from __future__ import annotations

from archatlas.registry import Registry

SECTIONS = Registry(
    "section",
    {
        "found": "archatlas.reporting.sections.found:found_section",
        "asked": "archatlas.reporting.sections.asked:asked_section",
        "drawing": "archatlas.reporting.sections.drawing:drawing_section",
        "atlas": "archatlas.reporting.sections.atlas:atlas_section",
        "trust": "archatlas.reporting.sections.trust:trust_section",
        "truth": "archatlas.reporting.sections.truth:truth_section",
        "methods": "archatlas.reporting.sections.methods:methods_section",
        "meta_graph": "archatlas.reporting.sections.meta_graph:meta_graph_section",
        "embedding": "archatlas.reporting.sections.embedding:embedding_section",
        "detection": "archatlas.reporting.sections.detection:detection_section",
        "initialisation": "archatlas.reporting.sections.initialisation:initialisation_section",
        "measured": "archatlas.reporting.sections.measured:measured_section",
        "choices": "archatlas.reporting.sections.choices:choices_section",
        "predictor": "archatlas.reporting.sections.predictor:predictor_section",
        "supernet": "archatlas.reporting.sections.supernet:supernet_section",
        "latency": "archatlas.reporting.sections.latency:latency_section",
        "classes": "archatlas.reporting.sections.classes:classes_section",
        "use": "archatlas.reporting.sections.provenance:use_section",
        "time": "archatlas.reporting.sections.provenance:time_section",
        "provenance": "archatlas.reporting.sections.provenance:provenance_section",
    },
)
"""Each makes a ``Section`` of a ``Run``, or None where the run has nothing to say to it.

A page is a page of its time: one that is there is not written again because a section was added.
"""
