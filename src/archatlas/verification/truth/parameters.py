"""Which public table says how good networks truly are. Torch-free."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from archatlas.spaces.tables.parameters import TableName, TableParameters, TablePath

Percentage = Annotated[str, StringConstraints(pattern=r"^(100|\d{1,2}(\.\d+)?)%$")]


class TruthParameters(BaseModel):
    """A public table of networks trained alone, that a run's scores are compared with; nothing is learned from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: TableName = Field(description="the table; `space.preset` must be the same")
    path: TablePath = None
    accuracy: str = Field("test", description="kind of accuracy that is the truth: the mean of its trainings")
    best: int = Field(10, ge=1, le=10_000, description="how many of the best by each score are looked up")
    macs_budgets: tuple[Percentage, ...] = Field(
        ("20%", "30%", "40%", "50%", "60%"),
        description="budgets under which the best by each score are looked up: parts of the way from the least MACs "
        "in the space to the most",
    )
    residual: float = Field(
        0.33,
        ge=0,
        le=1,
        description="share of what a network's own score says beyond the predictor that `..._and_residual` adds",
    )
    predictor_by_seed: bool = Field(
        True, description="fit the predictor to each super-network's scores alone too, for its spread over seeds"
    )

    @property
    def table(self) -> TableParameters:
        """The table as the lookups ask for it."""
        return TableParameters(name=self.name, path=self.path, label=self.accuracy, truth=self.accuracy)
