"""Sections on how to use the result and how it was made: loading a winner, times, nodes, versions, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from archatlas.reporting import manifest as manifests
from archatlas.reporting import numbers, sentences
from archatlas.reporting.blocks import Chart, Code, Facts, Section, TableBlock, Text
from archatlas.reporting.figures.training import figure_stage_times
from archatlas.reporting.places import without_places
from archatlas.reporting.run import Run
from archatlas.reporting.tables import Table, cells


def use_section(run: Run) -> Section:
    """How to load a winner, and how exactly the exported files agree."""
    title = "Use the winner"
    if run.alone_is_looked_up:
        skipped = [entry.get("reason") for entry in (run.export_summary.get("budgets") or {}).values()]
        reason = str(next(filter(None, skipped), "nothing was trained"))
        return Section("use", title, f"There is nothing to load: {reason}.", [])
    if not run.found:
        return Section("use", title, "There is no winner to load.", [])
    budget = str(run.found[0]["budget"])
    blocks: list[Any] = [
        Code(
            "import archatlas\n\n"
            f'network = archatlas.load_network("data/current/{run.experiment}/networks/{budget}")\n'
            'name, probability = network.predict("image.png")\n'
        ),
        Text("Elsewhere, with the folder alone, onnxruntime and Pillow:"),
        Code(_elsewhere(run, budget)),
    ]
    difference = numbers.known(run.export_summary.get("max_abs_difference"))
    if difference is not None:
        path = "a winner's path through the super-network and the subnet taken out of it, and "
        forms = f"{path if len(run.supernet_curves) else ''}the ONNX file and the stand-alone network,"
        blocks.append(Text(f"Checked at export: {forms} give the same logits to {difference:.1e}."))
    eight_bits = _int8_table(run)
    if eight_bits is not None:
        blocks.append(TableBlock(eight_bits, "Networks in eight bits (network_int8.onnx) beside network.onnx"))
    lead = (
        "One line loads a winner with its weights, preprocessing and class names. The path is from the project's "
        "folder and leads to the current network. The ONNX file in it needs nothing but onnxruntime, and predict.py "
        "beside it brings image files to exactly the pixels that archatlas feeds; its metadata say how."
    )
    return Section("use", title, lead, blocks)


def _elsewhere(run: Run, budget: str) -> str:
    folder = f"data/current/{run.experiment}/networks/{budget}"
    entry = (run.export_summary.get("budgets") or {}).get(budget) or {}
    command = f"python {folder}/predict.py"
    lines = [f"{command} image.jpg"]
    if entry.get("int8"):
        lines.append(f"{command} --network network_int8.onnx image.jpg")
    return "\n".join(lines) + "\n"


def _int8_table(run: Run) -> Table | None:
    """What eight bits change: size, latency and logits, budget by budget."""
    rows = []
    for budget, entry in (run.export_summary.get("budgets") or {}).items():
        found = entry.get("int8")
        if found:
            times = [found["latency_ms"][kind]["median_ms"] for kind in ("float", "int8")]
            rows.append(
                cells(
                    budget,
                    f"{numbers.short(found['bytes_float'], 'B')} / {numbers.short(found['bytes'], 'B')}",
                    " / ".join(map(numbers.milliseconds, times)),
                    found.get("latency_on", numbers.DASH),
                    numbers.short(found["mean_logit_difference"]),
                    numbers.short(found["max_logit_difference"]),
                    numbers.percent(found["agreement"]),
                )
            )
    columns = (
        *("size, float / int8", "latency, float / int8", "measured on"),
        *("logits differ, mean", "at most", "same class named"),
    )
    return Table((("budget", "left"), *((column, "right") for column in columns)), tuple(rows)) if rows else None


def time_section(run: Run) -> Section:
    """Seconds and peak memory of each stage."""
    stages = manifests.stages_table(run.manifest)
    total = f"{numbers.seconds(stages['seconds'].sum())} in all. " if len(stages) else ""
    reused = any(not entry["executed"] for entry in manifests.nodes_of(run.manifest).values())
    kept = " What was reused counts with the time that it took when it was made." if reused else ""
    blocks: list[Any] = [Text(text) for text in sentences.schedule(run.schedule, float(stages["seconds"].sum()))]
    return Section(
        "time",
        "Time and memory",
        f"{total}Seconds of each stage, with the peak memory of the process and its children.{kept}",
        [*blocks, Chart("stage-times", figure_stage_times(stages), "Seconds and peak memory of each stage")],
    )


def provenance_section(run: Run) -> Section:
    """Session, commit, seeds, hardware, libraries, parameters, and every node with what it read and made."""
    manifest = run.manifest
    machine = manifest.get("hardware") or {}
    libraries = manifest.get("libraries") or {}
    trained = sorted(run.supernet_curves["seed"].unique().tolist()) if len(run.supernet_curves) else []
    seeds = {"seed": run.seed, **(manifest.get("seeds") or {}), "super-network seeds": trained}
    blocks: list[Any] = [
        Facts(
            (
                ("experiment", run.experiment),
                ("session", str(manifest.get("session") or numbers.DASH)),
                ("started", manifests.moment(manifest.get("started"))),
                ("commit", manifests.commit(manifest)),
                *((name, _listed(values)) for name, values in seeds.items()),
            )
        ),
        Facts(
            (
                ("system", str(machine.get("system") or numbers.DASH)),
                ("processor", str(machine.get("cpu") or numbers.DASH)),
                ("cores", numbers.whole(machine.get("cores"))),
                ("memory", numbers.memory(machine.get("memory_mib"))),
                ("GPUs in use", ", ".join(machine.get("gpus") or ()) or "none"),
                ("Python", str(manifest.get("python") or numbers.DASH)),
            )
        ),
    ]
    if manifest.get("nodes"):
        blocks += [
            TableBlock(manifests.nodes_table(manifest), "The nodes that made this page"),
            TableBlock(manifests.files_table(manifest), "What each node read and made", folded=True),
        ]
    if libraries:
        blocks.append(Facts(tuple(libraries.items()), f"Versions of libraries ({len(libraries)})"))
    blocks.append(Code(as_yaml(run.parameters), "All parameters (YAML)"))
    if manifest.get("path"):
        path = without_places(manifest["path"])
        blocks.append(Text(f"Digests in full, and the nodes that ran beside and after this page: {path}"))
    return Section(
        "provenance",
        "How it was made",
        "The same seed, parameters, threads and versions give the same tables again. A node is run again if "
        "something that it depends on changed; else what it made before stands. The machine is that of this session.",
        blocks,
    )


def _listed(values: Any) -> str:
    return (", ".join(map(str, values)) or numbers.DASH) if isinstance(values, list | tuple) else str(values)


def as_yaml(parameters: Mapping[str, Any]) -> str:
    """Parameters as YAML, models among them as their fields; of absolute paths the last part."""
    text: str = yaml.safe_dump(_plain(parameters), sort_keys=False, allow_unicode=True, width=100)
    return text


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, int | float | bool) else without_places(str(value))
