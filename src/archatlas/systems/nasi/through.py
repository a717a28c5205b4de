"""Which choices of a position a draw computes. A module of its own: who checks settings needs no draw."""

from __future__ import annotations

from typing import Literal

Through = Literal["all", "chosen"]
"""Straight-through over all choices of a position, or over the chosen one alone: less to compute, less to learn."""
