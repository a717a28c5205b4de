"""What a run will do, and about how long and with how much memory; said before it starts.

Each stage's own plan (the module ``plan`` of its folder) is collected here. The estimate comes from the pace of a few
random networks. It is meant to tell minutes from hours, not more.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription
from archatlas.images.mirroring import changed_by_mirroring
from archatlas.kedro_ext.dependencies import dependencies_of
from archatlas.pipeline_registry import EXTRAS, STAGES
from archatlas.pipelines.ahead import Ahead, Plan, side_of
from archatlas.pipelines.gpu_memory import gpu_lines, largest_step
from archatlas.pipelines.parameters import ProjectParameters
from archatlas.pipelines.timing import timed_on
from archatlas.progress import duration
from archatlas.systems.registry import METHODS

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

_CANDIDATES = "candidates_of_"
_LIBRARIES_MIB = 900  # Resident memory of the main process once torch, pandas and scikit-learn are loaded.
_WORKER_MIB = 420  # The same of a process that trains one network, before it does.
_OF_A_STEP = {True: 1.6, False: 0.95}
"""What a training on a CPU adds to that, in float32 and not, over the bytes of a step's tensors in float32: measured
with the largest network of ``photographs`` at 32 and 64 pixels, in steps of 32 and 64 images."""


def describe_run(parameters: Mapping[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> list[str]:
    """Lines that say what the run of ``pipeline`` will do; the images are described by an earlier run, or guessed.

    Raises:
        ArchatlasError: what it would measure cannot be measured here, or no method that it has would search.
    """
    settings = ProjectParameters.model_validate(parameters)
    _require_timing(settings, pipeline.nodes)
    _require_search(settings, pipeline.nodes, catalog)
    lines = _lines(f"Experiment {settings.experiment!r}", settings, pipeline.nodes, catalog)
    if any("image_description" in node.outputs for node in pipeline.nodes) and _shipped_images(settings) is None:
        return lines  # What is known of images is of those before.
    return [*lines, *_mirrored(settings, pipeline.nodes, catalog)]


def describe_rest(
    parameters: Mapping[str, Any], left: Iterable[Node], catalog: CatalogProtocol[Any, Any], outputs: Iterable[str]
) -> list[str]:
    """The same of what is left, once what it depends on is known: the images, or the schedule of a time budget.

    No lines after any other outputs.
    """
    if not {"image_description", "schedule"} & set(outputs):
        return []  # Asked between any two nodes: the parameters are not read for nothing.
    settings = ProjectParameters.model_validate(parameters)
    if "schedule" in outputs:
        return [] if settings.time_budget is None else _scheduled_lines(catalog.load("schedule"))
    if settings.table is not None or _shipped_images(settings) is not None:
        return []
    rest = list(left)
    planned_before = settings.time_budget is not None and all(_stage_of(node) != "plan_schedule" for node in rest)
    lines = [] if planned_before else _lines("Images are read. Left", settings, rest, catalog)
    return [*lines, *_mirrored(settings, rest, catalog)]


def _lines(
    head: str, settings: ProjectParameters, nodes: Iterable[Node], catalog: CatalogProtocol[Any, Any]
) -> list[str]:
    asked = {_stage_of(node) for node in nodes}
    description = _known_images(settings, catalog)
    ahead, sections = Ahead(settings, description), _training_sections(settings, asked)
    if settings.time_budget is not None and "plan_schedule" in asked:
        memory = _scheduled_memory_mib(ahead, sections) / 1024 if description else None
        within = f"{head}: {len(asked)} stages within {settings.time_budget}"
        within += f" and up to {memory:.1f} GiB of memory" if memory else ""
        return [f"{within}; what is done with the time is said once the pace of this machine is measured."]
    stages = [stage for stage in (*STAGES, *EXTRAS) if stage in asked]
    plans = plan_stages(settings, stages, description, audited=any(map(_audits, nodes)))
    known = sum(plan.seconds for plan in plans.values() if plan.seconds is not None)
    unknown = any(plan.seconds is None for plan in plans.values())
    memory = _memory_mib(ahead, sections, [(plan.processes, plan.kept_mib) for plan in plans.values()])
    about = f"{'more than ' if unknown else 'about '}{duration(known)} and {memory / 1024:.1f} GiB of memory"
    lines = [f"{head}: {len(stages)} stage{'s' * (len(stages) > 1)}, {about}."]
    for stage, plan in plans.items():
        seconds = "once the images are read" if plan.seconds is None else duration(plan.seconds)
        lines.append(f"  {stage:22}{plan.what:74}{seconds}")
    return [*lines, *gpu_lines(ahead, sections)]


def _require_timing(settings: ProjectParameters, nodes: Iterable[Node]) -> None:
    """Refuse to begin what would, hours later, time networks on a device that is not there."""
    latency = settings.costs.latency
    if latency.device == "cpu":
        return
    from archatlas.costs.runtimes import require_device

    exports = [_stage_of(node) == "export" for node in nodes]
    timed = [timed_on in dependencies_of(node.func).states for node in nodes]
    if any(times and not export for times, export in zip(timed, exports, strict=True)) and latency.source == "measured":
        require_device(latency.device, latency.runtime)
    exported = any(exports)
    if exported and settings.export.int8 and settings.table is None and settings.truth is None:
        require_device(latency.device, "onnxruntime")  # Of its files, whatever networks are timed in.


def _require_search(settings: ProjectParameters, nodes: Iterable[Node], catalog: CatalogProtocol[Any, Any]) -> None:
    """Refuse to begin what has methods alone to search by, all of which would be left out, and no candidates before."""
    made = {name for node in nodes for name in node.outputs if name.startswith(_CANDIDATES)}
    asked = [name for name in METHODS if f"{_CANDIDATES}{name}" in made]
    if not asked or len(asked) < len(made):
        return
    before = {f"{_CANDIDATES}{name}" for name in ("atlas", "segments", *METHODS)} - made
    if any(catalog.exists(name) for name in before):
        return
    from archatlas.pipelines.methods.search import left_out
    from archatlas.systems.make import make_method

    methods, space = settings.methods, Ahead(settings, _known_images(settings, catalog)).space
    why = {name: left_out(name, methods, make_method(name, methods.settings.get(name, {})), space) for name in asked}
    if None not in why.values():
        raise ArchatlasError(
            f"nothing would search: {'; '.join(f'{name} is left out ({reason})' for name, reason in why.items())}. Ask "
            "for a method that can (--params 'methods.names=[NAME]'; null: all), by a pipeline that has it, or take "
            "another `space.preset`"
        )


def _mirrored(settings: ProjectParameters, nodes: Iterable[Node], catalog: CatalogProtocol[Any, Any]) -> list[str]:
    """A line where images of classes are to be mirrored that may not be."""
    flips = [
        f"{section}.augmentation.flip"
        for section in _training_sections(settings, {_stage_of(node) for node in nodes})
        if getattr(settings, section).augmentation.flip
    ]
    description = _known_images(settings, catalog) if flips and settings.table is None else None
    classes = changed_by_mirroring(description.class_names, description.channels) if description is not None else ""
    if not classes:
        return []
    named = ", ".join(f"`{flip}`" for flip in flips)
    return [
        f"Careful: by their names, classes are {classes}, and {named} mirror{'s' * (len(flips) == 1)} training images. "
        "Where a mirrored image is no longer of its class, set that to false."
    ]


def _training_sections(settings: ProjectParameters, asked: Container[str]) -> list[str]:
    """The sections of the parameters that say how the stages asked for train."""
    sections = (getattr(_module(stage), "AUGMENTED_BY", None) for stage in (*STAGES, *EXTRAS) if stage in asked)
    return [one for one in dict.fromkeys(sections) if one is not None and getattr(settings, one) is not None]


def _scheduled_lines(schedule: Mapping[str, Any]) -> list[str]:
    """What is done with the time that was given; empty where a table stands in the place of training."""
    return [f"  {stage:22}{duration(seconds)}" for stage, seconds in schedule.get("seconds", {}).items() if seconds]


def plan_stages(
    settings: ProjectParameters, stages: Iterable[str], description: ImageDescription | None, *, audited: bool = True
) -> dict[str, Plan]:
    """The plan of each of the ``stages``, in their order; ``description`` is None where images are not known yet.

    ``audited`` says whether there is something to audit.
    """
    ahead = Ahead(settings, description, audited)
    return {stage: _module(stage).plan(ahead) for stage in stages}


def _module(stage: str) -> ModuleType:
    return import_module(f"archatlas.pipelines.{stage}.plan")


def _scheduled_memory_mib(ahead: Ahead, sections: Collection[str]) -> float:
    """The most memory of a run whose schedule is not known yet.

    Workers that have trained finalists stay for some minutes, beside processes that share the winners' trainings.
    """
    alone = [] if ahead.looks_up else [section for section in sections if section != "supernet"]
    at_once = ahead.workers * (2 if "finishing" in alone else 1) if alone else 0
    return _memory_mib(ahead, sections, [(at_once, 0)])


def _memory_mib(ahead: Ahead, sections: Collection[str], stages: Iterable[tuple[int, int]]) -> float:
    """Memory of all processes; ``stages`` have the ``processes`` and ``kept_mib`` of plans."""
    from archatlas.storage.large_arrays import MOST_IN_MEMORY

    settings, description = ahead.settings, ahead.description
    images, channels = (sum(description.splits.values()), description.channels) if description else (0, 3)
    side = settings.images.image_size or (description.image_size if description else ahead.side)
    # Processes share them, and so many that they would fill the memory lie in files.
    megabytes = min(images * side**2 * channels, MOST_IN_MEMORY) / 2**20
    # Each has copies of its own where they are shrunk.
    own = megabytes if settings.supernet.image_sizes or settings.space.searched_sizes else 0
    stages = list(stages)
    training = _step_mib(ahead, sections) if any(processes for processes, _ in stages) else 0
    most = max((processes * (_WORKER_MIB + own + training) + kept for processes, kept in stages), default=0)
    return _LIBRARIES_MIB + 2 * megabytes + most


def _step_mib(ahead: Ahead, sections: Collection[str]) -> float:
    """What a step adds to a process that trains the largest network on a CPU; 0 where that is not known."""
    batches = [getattr(ahead.settings, one).training.batch_size for one in sections if one != "supernet"]
    if not batches or ahead.description is None or ahead.looks_up:
        return 0
    from archatlas.spaces.protocol import chains_of
    from archatlas.training.fabric import kind_of_device, known_precision

    device = ahead.settings.device
    if kind_of_device(device) != "cpu" or not chains_of(ahead.space):
        return 0
    part, images = _OF_A_STEP[known_precision(device.precision) == "32"], min(max(batches), ahead.train)
    return part * largest_step(ahead, images, copies=4) / 2**20


def _known_images(settings: ProjectParameters, catalog: CatalogProtocol[Any, Any]) -> ImageDescription | None:
    """The images as an earlier run of the experiment found them, or as scikit-learn ships them."""
    if catalog.exists("image_description"):
        return ImageDescription.model_validate(catalog.load("image_description"))
    return _shipped_images(settings)


def _shipped_images(settings: ProjectParameters) -> ImageDescription | None:
    """The digits that scikit-learn ships, whose number is known before they are read; None for other images."""
    if settings.table is not None or settings.images.source != "digits":
        return None
    total = min(settings.images.max_images or 1797, 1797)
    splits = {
        "validation": round(total * settings.images.validation_fraction),
        "test": round(total * settings.images.test_fraction),
    }
    splits["train"] = total - sum(splits.values())
    names = tuple(str(digit) for digit in range(10))
    size = side_of(settings)
    return ImageDescription(
        class_names=names, channels=1, image_size=size, mean=(0.3,), std=(0.4,), splits=splits, source="digits"
    )


def _audits(node: Node) -> bool:
    """Whether scores of all networks are among what the node reads: without, the audit has nothing to do."""
    return "audit_summary" in node.outputs and any("calibrated_predictor" in name for name in node.inputs)


def _stage_of(node: Node) -> str:
    """The folder of ``archatlas.pipelines`` that wires the node: that of its function, or of its namespace."""
    namespace = node.namespace or ""
    if namespace.startswith("segments."):
        return "segments"  # It repeats functions of other stages.
    if namespace == "methods.nasi":
        return "nasi"  # It trains nothing, and runs without the other methods too.
    module: str = node.func.__module__
    return module.split(".")[-2]
