"""Which trained networks the transferable predictor learns from. Torch-free."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from archatlas.spaces.tables.parameters import TableName
from archatlas.transfer.sources import ON_CIFAR

_FEWEST = 2


class TransferParameters(BaseModel):
    """Public tables and results of timm."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(
        None,
        description="folder that holds the tables' files and those of timm (`timm/`); null: the folder that the "
        "environment variable ARCHATLAS_BENCHMARK_DATA names",
    )
    tables: tuple[TableName, ...] = Field(
        (
            "nas_bench_201",
            "nas_bench_101",
            "nas_bench_macro",
            "once_for_all_mobilenet_v3",
            "accel_nasbench",
            "transnas_bench_101_micro",
        ),
        min_length=_FEWEST,
        description="public tables of networks that can be built: two at least that were trained on CIFAR-10, since "
        "what is learned is judged on a table that was left out",
    )
    networks: int = Field(
        600, ge=50, le=100_000, description="networks that are drawn of each table, uniformly and with a fixed seed"
    )
    timm: bool = Field(True, description="whether real networks are learned from too: results and graphs of timm")

    @field_validator("tables")
    @classmethod
    def _enough_of_cifar(cls, tables: tuple[TableName, ...]) -> tuple[TableName, ...]:
        known = [name for name in tables if name in ON_CIFAR]
        if len(set(known)) < _FEWEST:
            raise ValueError(
                f"of {', '.join(ON_CIFAR)} at least {_FEWEST} are needed, since what is learned is judged on one that "
                f"is left out, but there is {' and '.join(known) or 'none'}"
            )
        return tables
