"""What the report is asked to show."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ReportParameters(BaseModel):
    """How much the page shows. Nothing here changes a result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field("", max_length=120, description="headline of the page; empty: made from the experiment's name")
    atlas_bins: int = Field(
        72, ge=10, le=400, description="bins along each axis of the atlas figure, which shows counts and never rows"
    )
    candidates_shown: int = Field(20, ge=1, le=100, description="rows of the candidates table for each budget")


class CompareParameters(BaseModel):
    """Which experiments `kedro run --pipelines compare_experiments` puts side by side."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiments: tuple[str, ...] = Field(
        (), description="names of two or more experiments, in the order of the columns; empty: all with a finished run"
    )
