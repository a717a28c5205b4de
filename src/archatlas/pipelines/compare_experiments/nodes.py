"""The node that compares experiments."""

from __future__ import annotations

from typing import Any

from archatlas.reporting.parameters import CompareParameters


def write_comparison(experiments: dict[str, Any], compare: CompareParameters) -> str:
    """The page as HTML; ``experiments`` are manifests of finished runs by their experiments' names."""
    from archatlas.reporting.comparison.experiments import read_experiments
    from archatlas.reporting.comparison.page import render_comparison

    return render_comparison(read_experiments(experiments, compare.experiments))
