"""What candidates rest on: of the main job, or where that has not searched, of the segments; or nothing of the kind.

Both leave a sample, its evaluations, a predictor and an atlas, under names of their own. Whoever tells of them takes
those of the main job where they are all there. A search at initialisation rests on none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archatlas.errors import ArchatlasError

_OF = "_of_segments"
OF_SEGMENTS = {
    "gathered_sample": "sampled_architectures",
    "gathered_evaluations": "evaluations",
    "drawn_speed": "evaluation_speed",
    "predictor_scores": "predictor_scores",
    "fitted_predictor": "calibrated_predictor",
    "fitted_predictor_state": "calibrated_predictor_state",
    "atlas": "atlas",
    "atlas_speed": "atlas_speed",
}
"""Results of the last segment, and what they stand for; their names end in ``_of_segments``."""

_DOCUMENTS = (
    "evaluation_speed", "calibrated_predictor", "calibrated_predictor_state", "calibration_summary", "atlas_speed",
    "truth_summary",
)  # fmt: skip

_MAIN_ALONE = (
    "tuning_trials", "tuning_summary", "calibration_networks", "calibration_summary", "truth_by_network",
    "truth_correlations", "truth_picks", "truth_summary",
)  # fmt: skip
"""Of stages that segments do without: no study, no calibration, no comparison with truth."""

EVIDENCE = (*OF_SEGMENTS.values(), *_MAIN_ALONE, f"*{_OF}")
"""The arguments that ``evidence`` names, as patterns: ``depends_on(optional=EVIDENCE)``."""


def of_segments(name: str) -> str:
    """What the segments' result is called that stands for this one of the main job."""
    return f"{name}{_OF}"


def evidence(names: tuple[str, ...]) -> dict[str, str]:
    """A node's inputs for these results of the main job, and for what segments have in their place."""
    beside = [of_segments(name) for name in names if name in OF_SEGMENTS.values()]
    return {name: name for name in (*names, *beside)}


def nothing_ran(given: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    """Whether neither the main job nor the segments have left any of these results: there is a search without them."""
    return all(given.get(name) is None for name in evidence(names))


def of_whichever_ran(given: Mapping[str, Any], names: tuple[str, ...], *, or_nothing: bool = False) -> dict[str, Any]:
    """These results, by their names in the main job, of what a node was given of the inputs that ``evidence`` names.

    Args:
        given: the node's arguments.
        names: of the results.
        or_nothing: give empty ones where nothing of either is there.

    Raises:
        ArchatlasError: neither the main job nor the segments have left all of them.
    """
    if or_nothing and nothing_ran(given, names):
        return {name: _nothing(name, given) for name in names}
    missing = [name for name in names if given.get(name) is None]
    if not missing:
        return {name: given[name] for name in names}
    found = {name: given.get(of_segments(name)) for name in names if name in OF_SEGMENTS.values()}
    if any(value is None for value in found.values()):
        raise ArchatlasError(
            f"`{'`, `'.join(missing)}`: neither the main job nor the segments have left what is up to date: run "
            "`kedro run`, or `kedro run --pipelines segments`"
        )
    return found | {name: _nothing(name, found) for name in names if name in _MAIN_ALONE}


def _nothing(name: str, found: Mapping[str, Any]) -> Any:
    """What stands for a result where there is nothing to say: an empty table, or an empty document.

    Stages that have nothing to say are not asked: who reads this would run again with their code.
    """
    import pandas as pd

    if name == "tuning_summary":
        return {"family": (found.get("calibrated_predictor") or {}).get("family")}
    if name in _DOCUMENTS:
        return {}
    return pd.DataFrame({"network": pd.Series(dtype="str")}) if name == "calibration_networks" else pd.DataFrame()
