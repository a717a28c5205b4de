"""Sections on how the result was made and how to use it: loading a winner, times, parameters, versions, hardware."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import psutil
import yaml

from archatlas.reporting import numbers
from archatlas.reporting.blocks import Chart, Code, Facts, Section, Text
from archatlas.reporting.figures.training import figure_stage_times
from archatlas.reporting.run import Run
from archatlas.reporting.tables import stages_table

LIBRARIES = (
    "archatlas",
    "torch",
    "lightning-fabric",
    "kedro",
    "kedro-datasets",
    "numpy",
    "pandas",
    "scikit-learn",
    "lightgbm",
    "optuna",
    "pymoo",
    "datasets",
    "onnx",
    "onnxruntime",
    "plotly",
)


def use_section(run: Run) -> Section:
    """How to load a winner, and how exactly the exported files agree."""
    title = "Use the winner"
    if not run.found:
        return Section("use", title, "There is no winner to load.", [])
    budget = str(run.found[0]["budget"])
    folder = _network_folder(run.export_summary, budget)
    blocks: list[Any] = [
        Code(
            "import archatlas\n\n"
            f'network = archatlas.load_network("{folder}")\n'
            'name, probability = network.predict("image.png")\n'
        )
    ]
    difference = numbers.known(run.export_summary.get("max_abs_difference"))
    if difference is not None:
        blocks.append(
            Text(
                "Checked at export: a winner's path through the super-network and the subnet taken out of it, and the "
                f"ONNX file and the stand-alone network, give the same logits to {difference:.1e}."
            )
        )
    lead = (
        "One line loads a winner with its weights, preprocessing and class names. The path is from the folder that "
        "holds this file; the ONNX file in it needs nothing but onnxruntime."
    )
    return Section("use", title, lead, blocks)


def _network_folder(export_summary: Mapping[str, Any], budget: str) -> str:
    """The folder that ``load_network`` takes: the one that holds the files which the export wrote for this budget."""
    exported = (export_summary.get("budgets") or {}).get(budget) or {}
    files = exported.get("files") or [f"networks/{budget}/"]
    return str(files[0]).rpartition("/")[0]


def time_section(run: Run) -> Section:
    """Seconds and peak memory of each stage."""
    stages = stages_table(run.stage_times)
    total = f"{numbers.seconds(stages['seconds'].sum())} in all. " if len(stages) else ""
    return Section(
        "time",
        "Time and memory",
        f"{total}Seconds of each stage on this machine, with the peak memory of the process and its children.",
        [Chart("stage-times", figure_stage_times(stages), "Seconds and peak memory of each stage")],
    )


def provenance_section(run: Run) -> Section:
    """Parameters, seeds, versions of libraries and hardware."""
    seeds = sorted(run.supernet_curves["seed"].unique().tolist()) if len(run.supernet_curves) else []
    machine = (
        ("experiment", run.experiment),
        ("seed", str(run.seed)),
        ("super-network seeds", ", ".join(str(seed) for seed in seeds) or numbers.DASH),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("processor", processor()),
        ("cores", str(os.cpu_count())),
        ("memory", numbers.memory(psutil.virtual_memory().total / 2**20)),
        ("Python", platform.python_version()),
    )
    blocks = [
        Facts(machine),
        Facts(tuple(versions().items())),
        Code(as_yaml(run.parameters), "All parameters (YAML)"),
    ]
    return Section(
        "provenance",
        "How it was made",
        "The same seed, parameters, threads and versions give the same tables again. The machine named here is the "
        "one that made this report.",
        blocks,
    )


def versions() -> dict[str, str]:
    """Installed versions of the libraries that can change a result."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The processor's name where the system tells, else its architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def as_yaml(parameters: Mapping[str, Any]) -> str:
    """Parameters as YAML, models among them as their fields."""
    text: str = yaml.safe_dump(_plain(parameters), sort_keys=False, allow_unicode=True, width=100)
    return text


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
