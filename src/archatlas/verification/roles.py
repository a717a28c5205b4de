"""Whose accuracies stand in the table of trainings, and the seeds of what is drawn beside the candidates."""

from __future__ import annotations

ROLE_COLUMNS = [
    "role", "budget", "network", "seed", "validation_accuracy", "validation_log_loss", "test_accuracy", "macs",
    "params",
]  # fmt: skip
"""Roles are candidate (a finalist), random, mobilenet (both within a budget) and audit."""

ROLE_TYPES = {"role": "str", "budget": "str", "network": "str", "seed": "int64"}

DRAW_AUDIT, DRAW_RANDOM, RESAMPLE, TRAIN = range(4)
"""What a random choice is for: mixed into its seed."""
