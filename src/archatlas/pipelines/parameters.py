"""The whole of the project's parameters as one model: what conf/base holds, key by key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationInfo, field_validator

from archatlas.costs.parameters import CostsParameters
from archatlas.detection.parameters import DetectionParameters
from archatlas.engines.parameters import EngineParameters
from archatlas.errors import ArchatlasError, nearest
from archatlas.images.parameters import ImagesParameters, misfit_of_sizes
from archatlas.predictors.benchmark.parameters import PredictorBenchmarkParameters
from archatlas.predictors.parameters import FEWEST_PER_FOLD, AtlasParameters, PredictorParameters, TuningParameters
from archatlas.predictors.registry import PREDICTORS, predictor_settings
from archatlas.reporting.parameters import CompareParameters, ReportParameters
from archatlas.schedule.time_budget import FEWEST_SAMPLED, TimeBudget
from archatlas.scores.parameters import ScoreParameters
from archatlas.search.parameters import SearchParameters
from archatlas.search.segments.parameters import SegmentsParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.registry import SPACES
from archatlas.spaces.tables.parameters import TableName, TableParameters
from archatlas.supernet.parameters import EvaluationParameters, SampleParameters, SupernetParameters
from archatlas.supernet.strategies.registry import STRATEGIES
from archatlas.systems.parameters import MethodsParameters
from archatlas.systems.registry import METHODS
from archatlas.systems.settings import require_settings
from archatlas.training.parameters import DeviceParameters, misfit_of_devices
from archatlas.transfer.parameters import TransferParameters
from archatlas.verification.export_parameters import ExportParameters
from archatlas.verification.parameters import CalibrationParameters, FinishingParameters, VerificationParameters
from archatlas.verification.truth.parameters import TruthParameters

_Section = SupernetParameters | VerificationParameters | FinishingParameters | MethodsParameters
"""Parameters of a stage that sees images."""


class ProjectParameters(BaseModel):
    """Every top-level key of the configuration; any other is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100, description="names the experiment's folders"
    )
    seed: int = Field(ge=0, le=2**31 - 1, description="every random choice follows from it")
    time_budget: TimeBudget | None = Field(
        description="how long a run may take: a schedule is chosen by this machine's pace; null: as configured"
    )
    device: DeviceParameters
    engine: EngineParameters
    images: ImagesParameters
    space: SerializeAsAny[SpaceParameters]
    costs: CostsParameters
    supernet: SupernetParameters
    sample: SampleParameters
    scores: ScoreParameters
    evaluation: EvaluationParameters
    predictor: PredictorParameters
    tuning: TuningParameters
    atlas: AtlasParameters
    calibration: CalibrationParameters | None = Field(
        description="a few networks trained alone, that the predictor learns from beside super-networks; null: none"
    )
    search: SearchParameters
    segments: SegmentsParameters
    methods: MethodsParameters
    verification: VerificationParameters
    finishing: FinishingParameters | None = Field(
        description="winners are trained on before they are exported; null: they are exported as they are"
    )
    table: TableParameters | None = Field(
        description="a public table of accuracies that stands in the place of images and training; null: none"
    )
    truth: TruthParameters | None = Field(
        description="a public table of true accuracies that scores are compared with, and that stands in the place of "
        "stand-alone training; null: none"
    )
    export: ExportParameters
    detection: DetectionParameters
    report: ReportParameters
    compare: CompareParameters
    predictor_benchmark: PredictorBenchmarkParameters
    transfer: TransferParameters

    @field_validator("engine")
    @classmethod
    def _fits_the_device(cls, engine: EngineParameters, info: ValidationInfo) -> EngineParameters:
        device = info.data.get("device")
        problem = None if device is None else _misfit_of_engine(engine, device)
        if problem is not None:
            raise ValueError(problem)
        return engine

    @field_validator("space")
    @classmethod
    def _others_fit_the_space(cls, space: SpaceParameters, info: ValidationInfo) -> SpaceParameters:
        images = info.data.get("images")
        if images and images.image_size and space.searched_sizes and max(space.searched_sizes) != images.image_size:
            raise ValueError(
                f"`image_sizes` is {list(space.searched_sizes)}, but images are prepared at `images.image_size` = "
                f"{images.image_size} pixels: the largest must be that; or set `images.image_size` to null"
            )
        return space

    @field_validator("supernet")
    @classmethod
    def _others_fit_the_supernet(cls, supernet: SupernetParameters, info: ValidationInfo) -> SupernetParameters:
        for problem in _misfits_of_supernet(supernet, info.data.get("space")):
            raise ValueError(problem)
        if supernet.start_from is not None and supernet.start_from == info.data.get("experiment"):
            raise ValueError(
                f"`start_from` is {supernet.start_from}, this very experiment, whose super-networks would then be "
                "trained again by every run: name another `experiment`, or a folder of weights"
            )
        return supernet

    @field_validator("predictor")
    @classmethod
    def _fits_registry_and_sample(cls, predictor: PredictorParameters, info: ValidationInfo) -> PredictorParameters:
        _require_predictors([predictor.name, *(predictor.model_extra or {})])
        for family, settings in (predictor.model_extra or {}).items():
            try:
                predictor_settings(family, settings)
            except (ArchatlasError, TypeError) as error:
                raise ValueError(str(error)) from error
        _require_enough(info, "folds", predictor.folds)
        return predictor

    @field_validator("tuning")
    @classmethod
    def _enough_to_tune_on(cls, tuning: TuningParameters, info: ValidationInfo) -> TuningParameters:
        _require_predictors(tuning.families)
        _require_enough(info, "inner_folds", tuning.inner_folds)
        count = _scored(info)
        if count is None:
            return tuning
        outer = round(count * tuning.outer_fraction)
        if outer < FEWEST_OUTER or count - outer < FEWEST_SEEN_PER_FOLD * tuning.inner_folds:
            raise ValueError(
                f"`outer_fraction` is {tuning.outer_fraction:g}: of {count} networks the study would never see {outer} "
                f"and see {count - outer}, but {FEWEST_OUTER} at least must be left out, and "
                f"{FEWEST_SEEN_PER_FOLD} be seen for each of `inner_folds` = {tuning.inner_folds}"
            )
        return tuning

    @field_validator("methods")
    @classmethod
    def _of_known_methods(cls, methods: MethodsParameters) -> MethodsParameters:
        for field, names in (("names", methods.names or ()), ("settings", methods.settings)):
            for name in names:
                if name not in METHODS:
                    raise ValueError(f"`{field}`: there is no search method {name!r}{nearest(name, METHODS)}")
        require_settings(methods.settings)
        return methods

    @field_validator("segments")
    @classmethod
    def _others_fit_the_segments(cls, segments: SegmentsParameters, info: ValidationInfo) -> SegmentsParameters:
        for problem in _misfits_of_segments(segments, info.data.get("costs")):
            raise ValueError(problem)
        return segments

    @field_validator("finishing")
    @classmethod
    def _has_the_teacher(
        cls, finishing: FinishingParameters | None, info: ValidationInfo
    ) -> FinishingParameters | None:
        space = info.data.get("space")
        if finishing and finishing.teacher == "largest" and space and not space.has_largest_path:
            raise ValueError(
                f"`teacher` is largest, but `space.preset` {space.preset} is no chain of blocks, of which one network "
                "is the largest: take contenders or none"
            )
        return finishing

    @field_validator("predictor_benchmark")
    @classmethod
    def _of_known_predictors(cls, benchmark: PredictorBenchmarkParameters) -> PredictorBenchmarkParameters:
        _require_predictors([one.family for one in benchmark.predictors.values() if one is not None])
        return benchmark

    @field_validator("supernet", "verification", "finishing", "methods")
    @classmethod
    def _fits_the_size_of_images(cls, section: _Section | None, info: ValidationInfo) -> _Section | None:
        """Where ``images.image_size`` is null, `check_sizes` asks the same once the images are read."""
        images, space = info.data.get("images"), info.data.get("space")
        if section is not None and images and images.image_size:
            searched, own = (space.searched_sizes if space else ()), getattr(section, "image_sizes", None)
            problem = misfit_of_sizes(section.augmentation, images.image_size, searched, own or ())
            if problem is not None:
                raise ValueError(problem)
        return section

    @field_validator("supernet", "verification", "finishing", "methods")
    @classmethod
    def _devices_share_its_batches(cls, section: _Section | None, info: ValidationInfo) -> _Section | None:
        """On a CPU only super-networks are trained by several processes; others have one each."""
        device = info.data.get("device")
        if section is None or device is None:
            return section
        if device.accelerator == "cpu" and not isinstance(section, SupernetParameters):
            return section
        problems = [misfit_of_devices(section.training, device)]
        if isinstance(section, VerificationParameters):
            of_audit = misfit_of_devices(section.audit.training, device)
            problems.append(of_audit and f"of `audit`: {of_audit}")
        for problem in filter(None, problems):
            raise ValueError(problem)
        return section

    @field_validator("truth")
    @classmethod
    def _others_fit_the_truth(cls, truth: TruthParameters | None, info: ValidationInfo) -> TruthParameters | None:
        for problem in _misfits_of_truth(truth, **{name: info.data.get(name) for name in _BESIDE_TRUTH}):
            raise ValueError(problem)
        return truth

    @field_validator("table")
    @classmethod
    def _others_fit_the_table(cls, table: TableParameters | None, info: ValidationInfo) -> TableParameters | None:
        """The fields above ``table`` are checked before it; one that is wrong itself is missing here."""
        for problem in _misfits(table, **{name: info.data.get(name) for name in _BESIDE_TABLES}):
            raise ValueError(problem)
        return table


FEWEST_OUTER, FEWEST_SEEN_PER_FOLD = 4, 4
"""Networks that a study must leave out, and see for each of its folds, for an order among them to be told."""

_BESIDE_TABLES = ("space", "costs", "predictor", "search", "verification", "calibration")
_BESIDE_TRUTH = ("space", "costs", "verification", "table")
_SEARCHED = tuple(sorted(name for name in get_args(TableName) if name in SPACES))
"""Tables of spaces that can be searched here."""
_WITH_SUPERNETS = tuple(name for name in _SEARCHED if SPACES.load(name, 1).has_supernet)


def _misfit_of_engine(engine: EngineParameters, device: DeviceParameters) -> str | None:
    """What tasks on a cluster cannot do."""
    if engine.name == "local":
        return None
    if device.devices > 1:
        return f"each task has a device of its own: set `device.devices` to 1, not {device.devices}"
    if device.accelerator == "cpu" and engine.gpus_per_task:
        return (
            f"`gpus_per_task` is {engine.gpus_per_task:g}, but `device.accelerator` is cpu, and they would lie idle: "
            "set one of both otherwise"
        )
    if device.accelerator == "cuda" and not engine.gpus_per_task:
        return "`device.accelerator` is cuda, but `gpus_per_task` is 0, and no task would see a GPU: set it to 1"
    if device.accelerator == "mps":
        return "`device.accelerator` is mps, which tasks on a cluster cannot have: set it to auto or cpu"
    return None


def _misfits_of_supernet(supernet: SupernetParameters, space: SpaceParameters | None) -> Iterator[str]:
    """What would stop the run only where super-networks are trained, after all that comes before."""
    if supernet.strategy not in STRATEGIES:
        yield f"`strategy`: there is no training strategy {supernet.strategy!r}{nearest(supernet.strategy, STRATEGIES)}"
    if space and space.searched_sizes and supernet.image_sizes:
        yield (
            f"`image_sizes` is {list(supernet.image_sizes)}, but every super-network already sees images at the sizes "
            f"{list(space.searched_sizes)} of `space.image_sizes`: set it to null"
        )
    if space and not space.has_free_paths and supernet.strategy in ("uniform", "fair"):
        yield (
            f"`strategy` {supernet.strategy} draws each choice by itself, and such networks are unlike those that are "
            f"searched where `space.preset` is {space.preset}: take sampled"
        )
    if space and not space.has_largest_path:
        of = f"of a chain of blocks, and `space.preset` is {space.preset}"
        if supernet.largest_first_epochs:
            yield f"`largest_first_epochs` trains the largest path {of}: set it to 0"
        if supernet.strategy == "sandwich":
            yield f"`strategy` sandwich trains the largest and the smallest path {of}: take uniform or fair"
        if supernet.skip_weight != 1:
            yield f"`skip_weight` is {supernet.skip_weight:g}, and tells skips {of}: leave it at 1"


def _misfits_of_segments(segments: SegmentsParameters, costs: CostsParameters | None) -> Iterator[str]:
    """What would stop the segments only once networks of the first one are evaluated."""
    if segments.spread_over == "latency_ms" and costs and costs.latency.source == "none":
        yield (
            "`spread_over` is latency_ms, but `costs.latency.source` is none: set it to macs or params, or "
            "`costs.latency.source` to measured or imported"
        )


def _scored(info: ValidationInfo) -> int | None:
    """Networks that predictors learn from, as far as it is known before a run starts; None where it is not."""
    sample = info.data.get("sample")
    if sample is None:
        return None
    return sample.architectures if info.data.get("time_budget") is None else FEWEST_SAMPLED


def _require_predictors(names: Iterable[str]) -> None:
    """ValueError if one of the ``names`` is no family of predictors."""
    for name in names:
        if name not in PREDICTORS:
            raise ValueError(f"there is no predictor {name!r}{nearest(name, PREDICTORS)}")


def _require_enough(info: ValidationInfo, name: str, folds: int) -> None:
    """ValueError if so many ``folds`` (of the field ``name``) ask for more networks than are scored."""
    fewest, count = FEWEST_PER_FOLD * folds, _scored(info)
    if count is None or count >= fewest:
        return
    asked = f"`sample.architectures` is {count}"
    known = asked if info.data.get("time_budget") is None else f"with a `time_budget` there may be as few as {count}"
    raise ValueError(
        f"`{name}` is {folds}, which needs at least {fewest} evaluated networks, but {known}: lower `{name}`, or raise "
        "`sample.architectures`"
    )


def _misfits(
    table: TableParameters | None,
    space: SpaceParameters | None,
    costs: CostsParameters | None,
    predictor: PredictorParameters | None,
    search: SearchParameters | None,
    verification: VerificationParameters | None,
    calibration: CalibrationParameters | None,
) -> Iterator[str]:
    if table is None:
        if costs and costs.latency.source == "table":
            yield "`costs.latency.source` is `table`: name a public table here, or take another source"
        return
    if table.name not in _SEARCHED:
        yield f"only networks of {', '.join(_SEARCHED)} can be searched; others serve the comparison of predictors"
    changed = space.modified if space else []
    if space and (space.preset != table.name or changed):
        yield (
            f"its accuracies are those of its own networks: set `space.preset` to {table.name} and all other fields of "
            f"`space` to null (`space.preset` is {space.preset}{', and set are ' * bool(changed)}{', '.join(changed)})"
        )
    if predictor and predictor.target != "accuracy":
        yield f"it holds accuracies alone: set `predictor.target` to accuracy, not {predictor.target}"
    if search and search.method == "evolve":
        yield "an evolution proposes networks that it does not know: set `search.method` to auto or enumerate"
    if verification and verification.audit.truth != "accuracy":
        yield "it holds accuracies alone: set `verification.audit.truth` to accuracy"
    if calibration:
        yield "its accuracies are those of networks trained alone, and need no calibration: set `calibration` to null"


def _misfits_of_truth(
    truth: TruthParameters | None,
    space: SpaceParameters | None,
    costs: CostsParameters | None,
    verification: VerificationParameters | None,
    table: TableParameters | None,
) -> Iterator[str]:
    if truth is None:
        return
    if table is not None:
        yield "`table` stands in the place of all training, so there is nothing to compare: set one of both to null"
    if truth.name not in _WITH_SUPERNETS:
        yield f"only {' and '.join(_WITH_SUPERNETS)} have both super-networks here and a table: take one of them"
    changed = space.modified if space else []
    if space and (space.preset != truth.name or changed):
        yield (
            f"its accuracies are those of its own networks: set `space.preset` to {truth.name} and all other fields of "
            f"`space` to null (`space.preset` is {space.preset}{', and set are ' * bool(changed)}{', '.join(changed)})"
        )
    if costs and costs.latency.source == "table":
        yield "`costs.latency.source` is `table`, which only `table` gives: take another source"
    if verification and verification.top_k != 1:
        yield f"true accuracies choose nothing: set `verification.top_k` to 1, not {verification.top_k}"
    if verification and verification.audit.truth != "accuracy":
        yield "it holds accuracies alone: set `verification.audit.truth` to accuracy"
