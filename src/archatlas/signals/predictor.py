"""Whether the predictor says anything, and more than a cost does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from archatlas.predictors.noise import reach_over_folds
from archatlas.signals.signal import Level, Signal, by_hand, sentence, tau_with_interval

if TYPE_CHECKING:
    from archatlas.storage.table_file import AnyTable

HANDFUL = 5
"""Different predictions (to ``_DIGITS`` decimals) below which networks are not told apart."""

NO_SPREAD = 0.1
"""Standard deviation of predictions over that of one prediction, up to which they are a constant: they would then
explain a hundredth of what is not explained."""

LITTLE_SPREAD = 0.2
"""The same, up to which predictions explain less than a twentieth of it. The default run's are at .26, and rank its
audit with a tau of .5: evaluations are so noisy that little spread is not yet little order."""

CONTROLS = ("macs", "params", "constant")
"""What knows nothing of a network but a cost, or nothing at all."""

_DIGITS = 6
_PREDICTIONS = ("predicted_supernet_accuracy", "predicted_accuracy", "predicted_supernet_log_loss",
                "predicted_log_loss", "predicted_score")  # fmt: skip


def constant_predictions(atlas: AnyTable, *, scheduled: bool = False) -> Signal | None:
    """Whether all networks are predicted about the same score, as far as the prediction's own error goes.

    Broken if there are fewer than ``HANDFUL`` different predictions (and more networks), or if they spread by at most
    ``NO_SPREAD`` of the predicted standard deviation; a warning up to ``LITTLE_SPREAD``.

    Args:
        atlas: a column of predictions and predicted_std (its median counts: ensemble and out-of-fold error).
        scheduled: whether a time budget decides how many networks are scored.
    """
    column = next((name for name in _PREDICTIONS if name in atlas), None)
    if column is None or len(atlas) < 2:
        return None
    predicted = atlas[column].to_numpy(dtype=np.float64)
    different = len(np.unique(predicted.round(_DIGITS)))
    spread, error = float(predicted.std()), float(atlas["predicted_std"].median())
    constant = different < min(HANDFUL, len(atlas)) or spread <= NO_SPREAD * error
    if not constant and spread > LITTLE_SPREAD * error:
        return None
    found = (
        f"{len(atlas):,} networks have {different} different prediction{'s' * (different > 1)}"
        if different < HANDFUL
        else f"The predictions of {len(atlas):,} networks spread by {spread:.2g}, and one is sure to ± {error:.2g}"
    )
    return Signal(
        "map_space",
        "constant_predictions",
        "broken" if constant else "warning",
        f"{found}: the predictor {'does not tell' if constant else 'hardly tells'} networks apart.",
        "Candidates are ranked by MACs." if constant else "Candidates are ranked by these scores.",
        "Look at the super-networks first; then set `calibration.networks`, or "
        f"{by_hand('raise `sample.architectures`', scheduled=scheduled)}.",
    )


def tuned_no_better(tuning_summary: Mapping[str, Any], *, scheduled: bool = False) -> Signal | None:
    """Whether the study's choice ranks networks of the outer loop no better than the best of ``CONTROLS``.

    Args:
        tuning_summary: family, outer_kendall_tau, outer_baselines and outer_difference_to ({tau, ci} by name). The
            difference to the constant, whose tau is 0, is the tau itself.
        scheduled: whether a time budget decides how many networks are scored, on what.
    """
    differences = tuning_summary.get("outer_difference_to") or {}
    known = [name for name in CONTROLS if name in differences]
    family, tau = str(tuning_summary.get("family")), tuning_summary.get("outer_kendall_tau")
    if not known or tau is None or family in CONTROLS:
        return None
    baselines = tuning_summary["outer_baselines"]
    best = max(known, key=lambda name: float(baselines[name]))
    low, high = differences[best]["ci"]
    own = tau_with_interval(float(tau), (differences.get("constant") or {}).get("ci"))
    return _no_better("tune_predictor", family, own, best, float(baselines[best]), (low, high), scheduled)


def fitted_no_better(predictor_scores: pd.DataFrame, family: str, *, scheduled: bool = False) -> Signal | None:
    """Whether a family ranks held-out networks no better than the best of ``CONTROLS``, fold by fold.

    The interval is that of the mean difference (``noise.reach_over_folds``).

    Args:
        predictor_scores: predictor, protocol, fold, kendall_tau.
        family: the predictor's name there.
        scheduled: whether a time budget decides how many networks are scored, on what.
    """
    if predictor_scores.empty or family in CONTROLS:
        return None
    by_fold = unseen_by_fold(predictor_scores)
    known = [name for name in CONTROLS if name in by_fold]
    if family not in by_fold or not known or len(by_fold) < 2:
        return None
    means = {name: float(by_fold[name].mean()) for name in known}
    best = max(means, key=means.__getitem__)
    taus, difference = (
        values.to_numpy(dtype=np.float64) for values in (by_fold[family], by_fold[family] - by_fold[best])
    )
    mean, width = float(difference.mean()), reach_over_folds(difference)
    own, around = float(taus.mean()), reach_over_folds(taus)
    return _no_better(
        "fit_predictor",
        family,
        tau_with_interval(own, (own - around, own + around)),
        best,
        float(means[best]),
        (mean - width, mean + width),
        scheduled,
    )


def unseen_by_fold(predictor_scores: pd.DataFrame) -> pd.DataFrame:
    """Mean Kendall tau of each predictor on what it has not seen, a column each; index: fold.

    The pairs of seeds within a fold are judged on the same networks, so that they are no splits of their own.
    """
    unseen = predictor_scores[predictor_scores["protocol"] != "same_seed"]
    return unseen.pivot_table(index="fold", columns="predictor", values="kendall_tau", aggfunc="mean")


def _no_better(
    stage: str, family: str, own: str, best: str, control: float, interval: tuple[float, float], scheduled: bool
) -> Signal | None:
    low, high = (float(bound) for bound in interval)
    if low > 0:
        return None
    level: Level = "broken" if high <= 0 else "warning"
    rival = "a constant" if best == "constant" else f"{'MACs' if best == 'macs' else best} alone"
    told = "no better than" if level == "broken" else "not clearly better than"
    return Signal(
        stage,
        "predictor_no_better_than_counting",
        level,
        f"The predictor ({family}) ranks networks that it has not seen with {own}, {told} {rival} (tau {control:.2f}; "
        f"difference {low:+.2f} to {high:+.2f}).",
        "The search goes by its scores, unless they have no signal at all.",
        sentence(
            by_hand(
                "have more networks (`sample.architectures`) or better super-networks (`supernet.training.epochs`)",
                scheduled=scheduled,
            )
        ),
    )
