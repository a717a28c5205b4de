"""How candidates are trained alone, compared and audited. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from archatlas.images.parameters import AugmentationParameters
from archatlas.training.parameters import TrainingParameters, misfit_of_shares


class AuditParameters(BaseModel):
    """Networks drawn uniformly and trained alone, that say how true the scores are; never used to fit or to choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: int = Field(40, ge=0, le=100_000, description="networks to draw; 0: no audit")
    seeds: int = Field(2, ge=1, le=100, description="trainings per network; two or more give the ceiling")
    training: TrainingParameters = Field(
        default_factory=TrainingParameters, description="schedule of each training, possibly a shorter one"
    )
    truth: Literal["accuracy", "log_loss"] = Field(
        "accuracy", description="truth is the mean validation accuracy, or minus the mean validation log loss"
    )
    bootstrap_samples: int = Field(1000, ge=10, le=1_000_000, description="resamples of the networks per interval")
    confidence: float = Field(0.95, gt=0, lt=1, description="coverage of the intervals")


class CalibrationParameters(BaseModel):
    """Networks trained alone, from which a predictor learns what super-networks get wrong. The audit draws others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: int = Field(30, ge=10, le=10_000, description="networks to train alone, of all levels of predicted score")
    seeds: int = Field(1, ge=1, le=100, description="trainings per network, on the schedule of finalists")


class FinishingParameters(BaseModel):
    """Winners are trained on before they are exported; what they are compared with is not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Literal["trained", "supernet", "scratch"] = Field(
        "trained",
        description="first weights: those of the winner's best training, of its path on a super-network, or fresh ones",
    )
    seeds: int = Field(
        1, ge=1, le=100, description="trainings of each winner, from its best ones in turn; the best is exported"
    )
    contenders: int = Field(
        1,
        ge=1,
        le=8,
        description="networks of each budget that are trained on: the winner and the best behind it; the best at the "
        "end wins",
    )
    processes: int = Field(
        1,
        ge=1,
        le=64,
        description="processes that share the images of each step of a training on a CPU, a thread each; on a GPU "
        "`device.devices` says",
    )
    teacher: Literal["none", "contenders", "largest"] = Field(
        "none",
        description="who teaches beside the labels: nobody; all contenders together, once they are trained on; or the "
        "largest network of the space, trained in their place",
    )
    teacher_share: float = Field(0.7, gt=0, le=1, description="share of the target that is the teachers' answer")
    taught_epochs: int = Field(30, ge=1, le=10_000, description="epochs with a teacher, on the same schedule")
    with_validation: bool = Field(
        False, description="train on the validation images too: nothing then says which training is the best"
    )
    training: TrainingParameters = Field(default_factory=TrainingParameters, description="schedule of each training")
    augmentation: AugmentationParameters = Field(
        default_factory=AugmentationParameters, description="changes of training images"
    )

    @model_validator(mode="after")
    def _shared_equally(self) -> Self:
        problem = misfit_of_shares(self.training, self.processes, "processes")
        if problem is not None:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _one_where_nothing_tells_them_apart(self) -> Self:
        for name in ("seeds", "contenders"):
            if self.with_validation and getattr(self, name) > 1:
                raise ValueError(
                    f"`{name}` is {getattr(self, name)}, but with `with_validation` no images are left to tell "
                    f"trainings apart: set `{name}` to 1, or `with_validation` to false"
                )
        return self


class VerificationParameters(BaseModel):
    """From candidates to winners: who is trained alone, how, and beside whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top_k: int = Field(3, ge=1, le=10_000, description="finalists per budget, which are trained alone")
    seeds: int = Field(2, ge=1, le=100, description="trainings per finalist and per network beside it")
    training: TrainingParameters = Field(
        default_factory=TrainingParameters, description="schedule of finalists and of the networks beside them"
    )
    augmentation: AugmentationParameters = Field(
        default_factory=AugmentationParameters, description="changes of training images, for audit trainings too"
    )
    random_networks: int = Field(
        5, ge=0, le=10_000, description="random networks within each budget, trained alike; 0: none"
    )
    mobilenet: bool = Field(True, description="train a MobileNet scaled to each budget by hand beside the winner")
    nearest_misses: int = Field(3, ge=0, le=1000, description="networks to name where a budget has no winner")
    audit: AuditParameters = Field(default_factory=AuditParameters, description="how true are the scores?")
