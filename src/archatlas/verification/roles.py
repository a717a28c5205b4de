"""Whose accuracies stand in the table of trainings, and the seeds of what is drawn beside the candidates."""

from __future__ import annotations

import pandas as pd

ROLE_COLUMNS = [
    "role", "budget", "network", "seed", "validation_accuracy", "validation_log_loss", "test_accuracy", "macs",
    "params",
]  # fmt: skip
"""Roles are candidate (a finalist), random, mobilenet (both within a budget), audit and calibration."""

ROLE_TYPES = {"role": "str", "budget": "str", "network": "str", "seed": "int64"}

DRAW_AUDIT, DRAW_RANDOM, RESAMPLE, TRAIN, DRAW_CALIBRATION, FINISH, DETECT = range(7)
"""What a random choice is for: mixed into its seed."""


def no_trainings() -> pd.DataFrame:
    """The table of trainings where nothing is trained."""
    return pd.DataFrame({name: pd.Series(dtype=ROLE_TYPES.get(name, "float64")) for name in ROLE_COLUMNS})
