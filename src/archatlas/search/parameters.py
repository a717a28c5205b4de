"""What is asked of the search: budgets, how to rank, how to look. Torch-free."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StringConstraints, field_validator, model_validator


def _bound(value: Any) -> float | str:
    """A number of at least 0 as a float (also from text such as ``"2e6"``), a percentage as its text."""
    percentage = isinstance(value, str) and value.strip().endswith("%")
    try:
        number = float(value.strip().removesuffix("%") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or number < 0 or (percentage and number > 100):
        raise ValueError('must be a number of at least 0, or a percentage from "0%" to "100%" of the space\'s range')
    return f"{number:g}%" if percentage else number


Bound = Annotated[float | str, PlainValidator(_bound)]
"""A number in the cost's unit, or ``"30%"``: that part of the way from the least cost in the space to the largest."""


class Budget(BaseModel):
    """Bounds on costs, all of which a winner must keep. A number is in the cost's unit; None: no bound."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_macs: Bound | None = Field(None, description="most multiply-accumulates of one image, or a percentage")
    min_macs: Bound | None = Field(None, description="fewest multiply-accumulates of one image, or a percentage")
    max_params: Bound | None = Field(None, description="most parameters, or a percentage of the space's range")
    min_params: Bound | None = Field(None, description="fewest parameters, or a percentage of the space's range")
    max_latency_ms: Bound | None = Field(None, description="longest latency in ms of a batch, or a percentage")
    min_latency_ms: Bound | None = Field(None, description="shortest latency in ms of a batch, or a percentage")


class EvolutionParameters(BaseModel):
    """NSGA-II over choice vectors (Deb et al., IEEE TEC 2002), for spaces too large to be written out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    evaluations: int = Field(6000, ge=20, le=10_000_000, description="networks predicted per budget")
    population: int = Field(100, ge=4, le=100_000, description="networks per generation")
    mutation_probability: float | None = Field(
        None, gt=0, le=1, description="chance that a position's choice is redrawn; None: one over the positions"
    )
    crossover_probability: float = Field(0.9, ge=0, le=1, description="chance that two parents are mixed")
    front_evaluations: int = Field(
        4000, ge=0, le=10_000_000, description="networks predicted for each Pareto front; 0: none of their own"
    )


BudgetName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
"""Budgets name files too."""


class SearchParameters(BaseModel):
    """Named budgets and how candidates for each are found and ranked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budgets: dict[BudgetName, Budget] = Field(
        default_factory=lambda: {"small": Budget(max_macs="30%")},
        min_length=1,
        description="bounds by budget name; null takes away a budget that another configuration file names",
    )
    top_k: int = Field(20, ge=1, le=100_000, description="candidates per budget")
    rank_by: Literal["mean", "lower_bound"] = Field(
        "mean", description="rank by the predicted mean, or by the mean less `confidence` standard deviations"
    )
    confidence: float = Field(1.0, ge=0, le=10, description="standard deviations that `lower_bound` takes off")
    take_turns: bool = Field(
        True, description="candidates of several sizes of images and widths take turns, the best of each first"
    )
    method: Literal["auto", "enumerate", "evolve"] = Field(
        "auto", description="read the atlas, or evolve from it; auto: evolve where it is only a sample of the space"
    )
    evolution: EvolutionParameters = Field(default_factory=EvolutionParameters, description="used by `evolve` only")

    @field_validator("budgets", mode="before")
    @classmethod
    def _without_nulls(cls, budgets: Any) -> Any:
        """Environments are merged key by key, so that a budget of conf/base can be taken away only by a null."""
        if not isinstance(budgets, dict):
            return budgets
        return {name: budget for name, budget in budgets.items() if budget is not None}

    @model_validator(mode="after")
    def _bounds_in_order(self) -> SearchParameters:
        for name, budget in self.budgets.items():
            for cost in ("macs", "params", "latency_ms"):
                least, most = getattr(budget, f"min_{cost}"), getattr(budget, f"max_{cost}")
                if isinstance(least, float) and isinstance(most, float) and least > most:
                    raise ValueError(f"budget `{name}`: min_{cost} {least:g} is above max_{cost} {most:g}")
        return self
