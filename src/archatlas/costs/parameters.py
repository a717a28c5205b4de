"""What is asked of the cost tables. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class LatencyParameters(BaseModel):
    """How long a forward pass takes: where the figures come from, and how they are measured on this machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["measured", "imported", "table", "none"] = Field(
        "measured",
        description="measured here, imported from another device's table of parts, what a public table of "
        "accuracies says of each network, or no latency at all",
    )
    table: str | None = Field(
        None,
        description="CSV or Parquet table to import (source `imported`); `kedro run --pipelines latency_kit` makes one",
    )
    column: str | None = Field(
        None,
        description="column of the public table (source `table`), in ms: help_pixel3, hw_cifar10_raspi4_latency, ...",
    )
    runtime: Literal["onnxruntime", "torch"] = Field(
        "onnxruntime",
        description="what is measured here: ONNX files in onnxruntime, as winners are shipped, or eager PyTorch",
    )
    device: Literal["cpu", "cuda"] = Field(
        "cpu",
        description="where it is measured: this machine's CPU, or its first GPU, with images and results on it; cuda "
        "needs onnxruntime-gpu, or with the runtime torch a PyTorch for CUDA",
    )
    batch_size: int = Field(1, ge=1, le=65536, description="images per forward pass")
    threads: int = Field(1, ge=1, le=1024, description="CPU threads while measuring; set back afterwards")
    warm_up_calls: int = Field(10, ge=1, le=10_000, description="untimed forward passes of each part before timing")
    calls: int = Field(
        100, ge=10, le=100_000, description="timed forward passes of each part, one at a time in turn with the others"
    )
    max_seconds: float = Field(
        30, gt=0, le=86_400, description="seconds after which timing stops, even if fewer calls (at least 10) are done"
    )
    fit_networks: int = Field(
        32,
        ge=0,
        le=10_000,
        description="random networks measured whole, to which latencies of parts are fitted; 0: parts as alone",
    )
    check_networks: int = Field(
        8, ge=0, le=1000, description="further random networks measured whole, to tell how far predicted latency is off"
    )

    @model_validator(mode="after")
    def _read_from_what_is_named(self) -> LatencyParameters:
        if self.source == "imported" and not self.table:
            raise ValueError("`costs.latency.source` is `imported`: set `costs.latency.table` to the table's path")
        if self.source != "imported" and self.table:
            raise ValueError(
                f"`costs.latency.table` is set, but `costs.latency.source` is `{self.source}`: set it to `imported`"
            )
        if self.source == "table" and not self.column:
            raise ValueError(
                "`costs.latency.source` is `table`: set `costs.latency.column` to a latency of the public table, such "
                "as help_pixel3"
            )
        if self.source != "table" and self.column:
            raise ValueError(
                f"`costs.latency.column` is set, but `costs.latency.source` is `{self.source}`: set it to `table`"
            )
        return self


class CostsParameters(BaseModel):
    """Costs of architectures. MACs and parameters are counted and need no setting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency: LatencyParameters = Field(default_factory=LatencyParameters, description="latency of a forward pass")
