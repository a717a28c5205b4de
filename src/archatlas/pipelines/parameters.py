"""The whole of the project's parameters as one model: what conf/base holds, key by key."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from archatlas.costs.parameters import CostsParameters
from archatlas.images.parameters import ImagesParameters
from archatlas.predictors.parameters import AtlasParameters, PredictorParameters, TuningParameters
from archatlas.reporting.parameters import CompareParameters, ReportParameters
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.supernet.parameters import EvaluationParameters, SampleParameters, SupernetParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.export_parameters import ExportParameters
from archatlas.verification.parameters import VerificationParameters


class ProjectParameters(BaseModel):
    """Every top-level key of the configuration; any other is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="names the experiment's folders")
    seed: int = Field(ge=0, le=2**31 - 1, description="every random choice follows from it")
    device: DeviceParameters
    images: ImagesParameters
    space: SpaceParameters
    costs: CostsParameters
    supernet: SupernetParameters
    sample: SampleParameters
    evaluation: EvaluationParameters
    predictor: PredictorParameters
    tuning: TuningParameters
    atlas: AtlasParameters
    search: SearchParameters
    verification: VerificationParameters
    export: ExportParameters
    report: ReportParameters
    compare: CompareParameters
