"""Which public table stands in the place of training. Torch-free."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

TableName = Literal[
    "nas_bench_201",
    "nas_bench_101",
    "nas_bench_macro",
    "transnas_bench_101_micro",
    "once_for_all_mobilenet_v3",
    "accel_nasbench",
]

TablePath = Annotated[
    str | None,
    Field(
        description="folder that holds the table's files, or the benchmark's own file; null: the folder that the "
        "environment variable ARCHATLAS_BENCHMARK_DATA names"
    ),
]


class TableParameters(BaseModel):
    """A public table of accuracies, where its files lie, and what the main job reads in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: TableName = Field(description="the table")
    path: TablePath = None
    label: str = Field(
        "validation",
        description="kind of accuracy that is looked up in the place of evaluations, and that winners are chosen by",
    )
    truth: str = Field(
        "test",
        description="kind of accuracy that winners, what stands beside them and the audit are judged by, and nothing "
        "is chosen by",
    )
