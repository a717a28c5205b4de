"""What a run will do, and about how long and with how much memory; said before it starts.

The estimate comes from the pace of a few random networks. It is meant to tell minutes from hours, not more.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archatlas.images.description import ImageDescription
from archatlas.images.mirroring import changed_by_mirroring
from archatlas.images.suitable_size import WITHOUT_BUDGET
from archatlas.pipeline_registry import EXTRAS, STAGES
from archatlas.pipelines.pace import Pace, measure_pace
from archatlas.pipelines.parameters import ProjectParameters
from archatlas.predictors.benchmark.plan import describe_benchmark
from archatlas.progress import duration
from archatlas.search.segments.parameters import SEGMENTS
from archatlas.supernet.kept import KEPT_MIB
from archatlas.systems.registry import METHODS

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

    from archatlas.spaces.protocol import SearchSpace
    from archatlas.spaces.tables.parameters import TableParameters

_LIBRARIES_MIB = 900  # Resident memory of the main process once torch, pandas and scikit-learn are loaded.
_WORKER_MIB = 420  # The same of a process that trains one network.
_LARGEST = 1.7  # A step of the largest path, against one of a random path.
_SHARED_PREFIXES = 0.5  # Share of blocks that remain when a sample is walked as a prefix tree.
_SHARED_BY_ALL = 0.2  # The same of a whole space of three choices at each of eight positions.
_FIT_SECONDS = 2.5  # Scoring all predictors once on 100 networks, and fitting the last one.
_TRIAL_SECONDS = 0.4  # One trial of the study on 100 networks.
_ATLAS_PER_SECOND = 20_000  # benchmarks/map_space.py


@dataclass(frozen=True)
class StagePlan:
    """What a stage will do, and about how many seconds it takes (None: not known before the images are read)."""

    stage: str
    what: str
    seconds: float | None


def describe_run(parameters: Mapping[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> list[str]:
    """Lines that say what the run of ``pipeline`` will do; the images are described by an earlier run, or guessed."""
    settings = ProjectParameters.model_validate(parameters)
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
    lines = _lines("Images are read. Left", settings, left, catalog) if settings.time_budget is None else []
    return [*lines, *_mirrored(settings, left, catalog)]


def _lines(
    head: str, settings: ProjectParameters, nodes: Iterable[Node], catalog: CatalogProtocol[Any, Any]
) -> list[str]:
    asked = {_stage_of(node) for node in nodes}
    if settings.time_budget is not None and "plan_schedule" in asked:
        time = f"{head}: {len(asked)} stages within {settings.time_budget}"
        return [f"{time}; what is done with it is said once the pace of this machine is measured."]
    stages = [stage for stage in (*STAGES, *EXTRAS) if stage in asked]
    description = _known_images(settings, catalog)
    plans = list(plan_stages(settings, stages, description))
    known = sum(plan.seconds for plan in plans if plan.seconds is not None)
    unknown = any(plan.seconds is None for plan in plans)
    memory = _memory_mib(settings, stages, description)
    about = f"{'more than ' if unknown else 'about '}{duration(known)} and {memory / 1024:.1f} GiB of memory"
    lines = [f"{head}: {len(stages)} stage{'s' * (len(stages) > 1)}, {about}."]
    for plan in plans:
        seconds = "once the images are read" if plan.seconds is None else duration(plan.seconds)
        lines.append(f"  {plan.stage:22}{plan.what:74}{seconds}")
    return lines


_MIRRORING = {
    "supernet": ("train_supernet",),
    "verification": ("verify_candidates", "calibrate_predictor"),
    "finishing": ("finish_winners",),
}
"""Sections of parameters that may mirror images, and the stages that do so by them."""


def _mirrored(settings: ProjectParameters, nodes: Iterable[Node], catalog: CatalogProtocol[Any, Any]) -> list[str]:
    """A line where images of classes are to be mirrored that may not be."""
    asked = {_stage_of(node) for node in nodes}
    flips = [
        f"{section}.augmentation.flip"
        for section, stages in _MIRRORING.items()
        if asked.intersection(stages) and getattr(settings, section).augmentation.flip
    ]
    description = _known_images(settings, catalog) if flips and settings.table is None else None
    classes = changed_by_mirroring(description.class_names) if description is not None else ""
    if not classes:
        return []
    named = ", ".join(f"`{flip}`" for flip in flips)
    return [
        f"Careful: by their names, classes are {classes}, and {named} mirror{'s' * (len(flips) == 1)} training images. "
        "Where a mirrored image is no longer of its class, set that to false."
    ]


def _scheduled_lines(schedule: Mapping[str, Any]) -> list[str]:
    """What is done with the time that was given; empty where a table stands in the place of training."""
    return [f"  {stage:22}{duration(seconds)}" for stage, seconds in schedule.get("seconds", {}).items()]


def plan_stages(
    settings: ProjectParameters, stages: Iterable[str], description: ImageDescription | None
) -> Iterator[StagePlan]:
    """Plans of the known ``stages`` in their order; ``description`` is None where the images are not known yet."""
    stages = list(stages)
    if "predictor_benchmark" in stages:
        yield StagePlan("predictor_benchmark", *describe_benchmark(settings.predictor_benchmark))
        stages.remove("predictor_benchmark")
    if settings.table is not None:
        yield from (StagePlan(stage, *_plan_lookup(stage, settings, settings.table)) for stage in stages)
        return
    side = _side(settings)
    shape = description.input_shape if description else (settings.images.channels or 3, side, side)
    from archatlas.spaces.presets import make_space

    space = make_space(settings.space, shape, description.num_classes if description else 10)
    timed = {"train_supernet", "evaluate_subnets", "calibrate_predictor", "segments", "methods", "verify_candidates"}
    timed = timed.intersection(stages)
    pace = measure_pace(space, settings, description.splits.get("train", 0)) if timed and description else None
    for stage in stages:
        yield StagePlan(stage, *_plan(stage, settings, space, description, pace))


def _plan(
    stage: str,
    settings: ProjectParameters,
    space: SearchSpace,
    description: ImageDescription | None,
    pace: Pace | None,
) -> tuple[str, float | None]:
    splits = description.splits if description else {}
    train, validation = splits.get("train", 0), splits.get("validation", 0)
    sample = settings.sample.architectures
    match stage:
        case "prepare_images":
            side = settings.images.image_size
            to = f"{side} x {side}" if side else "what suits images and time"
            what = f"{settings.images.source}, resized to {to}"
            return what, max(1.0, sum(splits.values()) / 2000) if description else None
        case "measure_costs":
            return f"{space.name}: {_counted(space)}; latency {settings.costs.latency.source}", 12.0
        case "train_supernet":
            net = settings.supernet
            first = f"{net.largest_first_epochs} + " if net.largest_first_epochs else ""
            what = f"{net.seeds} super-networks, {first}{net.training.epochs} epochs each, {net.strategy} paths"
            if pace is None:
                return what, None
            from archatlas.supernet.strategies.make import paths_per_step

            paths = net.training.epochs * paths_per_step(space, net) + net.largest_first_epochs * _LARGEST
            return what, _full_seeds(settings) * (train / net.training.batch_size) * paths * pace.step
        case "evaluate_subnets":
            count, shared = sample * settings.sample.twins_per_network, _SHARED_PREFIXES
            if settings.evaluation.whole_space != "none":
                from archatlas.supernet.whole_space import whole_space_size

                # Refuses a space that is too large, before super-networks are trained for nothing.
                count = whole_space_size(space, twins=settings.evaluation.whole_space == "architectures")
                shared = _SHARED_BY_ALL
            what = f"{count:,} architectures on {settings.supernet.seeds} super-networks"
            if pace is None:
                return what, None
            images = settings.evaluation.calibration_images + validation
            return what, _full_seeds(settings) * count * images * pace.image * shared
        case "fit_predictor" | "tune_predictor":
            return _plan_predictors(stage, settings)
        case "calibrate_predictor":
            return _plan_calibration(settings, train, pace)
        case "plan_schedule":
            return "nothing: as configured", 1.0
        case "finish_winners":
            return _plan_finishing(settings, train, pace)
        case "test_winners":
            return "the test images, by every exported file", 3.0
        case "map_space":
            from archatlas.spaces.protocol import drawable

            rows = drawable(space, 10**6)
            return f"{rows:,} networks", 3 + rows / _ATLAS_PER_SECOND
        case "segments":
            return _plan_segments(settings, space, validation, pace)
        case "methods":
            return _plan_methods(settings, train, validation, pace)
        case "verify_candidates":
            return _plan_verification(settings, train, validation, pace)
        case "compare_with_truth":
            return _plan_comparison(settings)
        case "export" if settings.truth is not None:
            return "nothing: no winner is trained", 1.0
        case _:
            return _WORDS.get(stage, ""), 5.0


def _side(settings: ProjectParameters) -> int:
    """The side of prepared images, pixels; where it is left open, about what it will be."""
    return settings.images.image_size or max(settings.space.searched_sizes or (WITHOUT_BUDGET,))


def _full_seeds(settings: ProjectParameters) -> float:
    """Super-networks, each counted by its share of the pixels of the images as prepared."""
    prepared, net = _side(settings), settings.supernet
    return sum((net.image_size(number, prepared) / prepared) ** 2 for number in range(net.seeds))


def _plan_lookup(stage: str, settings: ProjectParameters, table: TableParameters) -> tuple[str, float | None]:
    """The same where a public table stands in the place of training."""
    sample, verification = settings.sample.architectures, settings.verification
    match stage:
        case "prepare_images":
            return f"no images: accuracies are looked up in the public table {table.name}", 1.0
        case "measure_costs":
            latency = settings.costs.latency
            return f"{settings.space.preset}; latency {latency.column or latency.source}", 5.0
        case "train_supernet":
            return "nothing: the table's networks are trained", 1.0
        case "sample_architectures":
            return "networks drawn uniformly from those that the table knows", 1.0
        case "evaluate_subnets":
            return f"{sample:,} networks looked up: {table.label} accuracy", 1.0
        case "fit_predictor" | "tune_predictor":
            return _plan_predictors(stage, settings)
        case "calibrate_predictor":
            return _plan_calibration(settings, 0, None)
        case "map_space":
            return "every network that the table knows", 3.0
        case "verify_candidates":
            beside = verification.top_k + verification.random_networks
            return f"{beside} networks looked up for each of {len(settings.search.budgets)} budgets; the audit", 15.0
        case "export" | "finish_winners":
            return "nothing: nothing was trained", 1.0
        case "plan_schedule":
            return "nothing: no time is given", 1.0
        case "test_winners":
            return "the winners looked up", 1.0
        case "compare_with_truth":
            return _plan_comparison(settings)
        case _:
            return _WORDS.get(stage, ""), 5.0


def _plan_predictors(stage: str, settings: ProjectParameters) -> tuple[str, float]:
    hundreds = settings.sample.architectures / 100
    if stage == "fit_predictor":
        return "every predictor, scored on what it has not seen", _FIT_SECONDS * hundreds
    return f"{settings.tuning.trials} trials", _TRIAL_SECONDS * settings.tuning.trials * hundreds


def _plan_calibration(settings: ProjectParameters, train: int, pace: Pace | None) -> tuple[str, float | None]:
    calibration = settings.calibration
    if calibration is None:
        return "nothing: the predictor is used as tuned", 1.0
    trainings = calibration.networks * calibration.seeds
    if settings.table is not None or settings.truth is not None:
        return f"{calibration.networks} networks looked up and learned from", 30.0
    if pace is None:
        return f"{trainings} trainings", None
    schedule, workers = settings.verification.training, settings.device.workers or os.cpu_count() or 1
    steps = trainings * schedule.epochs * train / schedule.batch_size
    return f"{trainings} trainings", 30 + steps * pace.step / workers


def _plan_finishing(settings: ProjectParameters, train: int, pace: Pace | None) -> tuple[str, float | None]:
    finishing, budgets = settings.finishing, len(settings.search.budgets)
    if finishing is None or settings.truth is not None:
        return "nothing: winners are exported as they were trained", 1.0
    trainings, epochs = budgets * finishing.contenders * finishing.seeds, finishing.training.epochs
    what = f"{trainings} trainings for {budgets} budgets, {epochs} epochs each"
    if pace is None:
        return what, None
    workers = min(settings.device.workers or os.cpu_count() or 1, trainings)
    return what, trainings * epochs * (train / finishing.training.batch_size) * pace.step / workers


def _counted(space: SearchSpace) -> str:
    """How many architectures a space has, in words."""
    from archatlas.spaces.protocol import Counted

    return f"{space.size:,} architectures" if isinstance(space, Counted) else "architectures that nobody has counted"


def _plan_segments(
    settings: ProjectParameters, space: SearchSpace, validation: int, pace: Pace | None
) -> tuple[str, float | None]:
    from archatlas.search.segments.space import segment_networks

    segments, nets = settings.segments, settings.supernet.seeds
    samples = SEGMENTS * segments.samples_per_segment
    networks = segment_networks(space, segments, SEGMENTS)
    what = f"{SEGMENTS} x {segments.samples_per_segment:,} networks on {nets} super-networks; {networks:,} predicted"
    if pace is None:
        return what, None
    images = settings.evaluation.calibration_images + validation
    evaluating = _full_seeds(settings) * samples * settings.sample.twins_per_network * images * pace.image
    return what, evaluating + _FIT_SECONDS * samples / 100 + networks / _ATLAS_PER_SECOND


_WORDS = {
    "sample_architectures": "networks drawn uniformly",
    "encode_graphs": "graphs of the sample",
    "search": "candidates and Pareto fronts of every budget",
    "export": "winners as safetensors and ONNX, outputs compared",
    "report": "one HTML page and metrics.json",
    "segments": "one segment of the chain after the other",
    "latency_kit": "ONNX files of every part and a script that times them elsewhere",
    "compare_experiments": "one HTML page over several experiments",
}


def _plan_comparison(settings: ProjectParameters) -> tuple[str, float]:
    if settings.truth is None:
        return "nothing: no table of true accuracies is given", 1.0
    fits = settings.supernet.seeds if settings.truth.predictor_by_seed and settings.supernet.seeds > 1 else 0
    seconds = 10 + fits * _FIT_SECONDS * settings.sample.architectures / 100
    return f"every score beside the true accuracies of {settings.truth.name}", seconds


def _plan_methods(
    settings: ProjectParameters, train: int, validation: int, pace: Pace | None
) -> tuple[str, float | None]:
    methods, verification, budgets = settings.methods, settings.verification, len(settings.search.budgets)
    searches = len(METHODS) * methods.seeds * budgets
    scored = searches * (methods.evaluations or settings.sample.architectures)
    alone = (searches + budgets) * verification.seeds
    what = f"{searches} searches of {scored:,} networks in all, {alone} trainings at most"
    if pace is None:
        return what, None
    images = _full_seeds(settings) * scored * (settings.evaluation.calibration_images + validation)
    workers = settings.device.workers or os.cpu_count() or 1
    steps = alone * verification.training.epochs * train / verification.training.batch_size / workers
    return what, 8 + images * pace.image + steps * pace.step


def _plan_verification(
    settings: ProjectParameters, train: int, validation: int, pace: Pace | None
) -> tuple[str, float | None]:
    verification, audit = settings.verification, settings.verification.audit
    if settings.truth is not None:
        what = f"winners of {len(settings.search.budgets)} budgets and {audit.networks} more looked up in a table"
        images = _full_seeds(settings) * audit.networks * (settings.evaluation.calibration_images + validation)
        return what, None if pace is None else 15 + images * pace.image * _SHARED_PREFIXES
    beside = verification.top_k + verification.random_networks + int(verification.mobilenet)
    alone = len(settings.search.budgets) * beside * verification.seeds
    audited = audit.networks * audit.seeds
    what = f"{alone} trainings for {len(settings.search.budgets)} budgets, {audited} for the audit"
    if pace is None:
        return what, None
    epochs = alone * verification.training.epochs + audited * audit.training.epochs
    workers = settings.device.workers or os.cpu_count() or 1
    return what, 8 + epochs * (train / verification.training.batch_size) * pace.step / workers


def _memory_mib(settings: ProjectParameters, stages: Collection[str], description: ImageDescription | None) -> float:
    images = sum(description.splits.values()) if description else 0
    megabytes = images * (_side(settings) ** 2) * 3 / 2**20
    workers = settings.device.workers or os.cpu_count() or 1
    trained = settings.table is None and settings.truth is None and {"verify_candidates", "methods"} & {*stages}
    alone = workers * (_WORKER_MIB + megabytes) if trained else 0
    kept = workers * settings.supernet.seeds * KEPT_MIB if trained and "methods" in stages else 0
    return _LIBRARIES_MIB + 2 * megabytes + alone + kept


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
    size = _side(settings)
    return ImageDescription(
        class_names=names, channels=1, image_size=size, mean=(0.3,), std=(0.4,), splits=splits, source="digits"
    )


def _stage_of(node: Node) -> str:
    """The folder of ``archatlas.pipelines`` that wires the node: that of its function, or of its namespace."""
    if (node.namespace or "").startswith("segments."):
        return "segments"  # It repeats functions of other stages.
    module: str = node.func.__module__
    return module.split(".")[-2]
