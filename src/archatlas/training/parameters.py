"""How networks are trained, and on what. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Precision = Literal["auto", "32", "bf16-mixed", "16-mixed", "bf16-true"]


FEWEST_OF_A_STEP = 2
"""Images of a step that each device needs: batch norm takes no deviation of one."""


class DeviceParameters(BaseModel):
    """Where the arithmetic happens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="kind of device; auto takes a GPU if there is one"
    )
    devices: int = Field(default=1, ge=1, le=64, description="devices that share each training step's batch")
    precision: Precision = Field(
        default="32",
        description="number format of training; mixed keeps weights in float32; auto: bf16-mixed where the processor "
        "computes in bfloat16, else 32",
    )
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="CPU threads, over all workers; null: PyTorch's own choice"
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="networks trained at a time on a CPU: super-networks share the threads, and what is trained alone "
        "has one each; null: as many as CPU cores",
    )
    channels_last: bool = Field(
        default=True,
        description="keep images and weights channels-last in memory; on CPUs 5x5 depthwise kernels gain most",
    )


class TrainingParameters(BaseModel):
    """One training: optimiser, schedule and regularisation. The defaults suit networks of some 10^4 to 10^6 weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=30, ge=1, le=10_000, description="passes over the training images")
    images_per_epoch: int | None = Field(
        default=None,
        ge=FEWEST_OF_A_STEP,
        description="images of an epoch, others in each, where not all that there are; null: all",
    )
    batch_size: int = Field(default=64, ge=FEWEST_OF_A_STEP, le=65_536, description="images per step, over all devices")
    optimizer: Literal["sgd", "adamw"] = Field(default="sgd", description="sgd is with Nesterov momentum")
    learning_rate: float = Field(
        default=0.1, gt=0, le=100, description="largest learning rate, reached after the warm-up"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="momentum of sgd; first beta of adamw")
    weight_decay: float = Field(default=1e-4, ge=0, le=1, description="not applied to norms and biases")
    warmup_epochs: float = Field(default=1.0, ge=0, le=1000, description="epochs of linear warm-up before the cosine")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="share of the target spread over all classes")
    ema_decay: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="decay per step of the averaged weights that are kept; null: the last weights",
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none", description="balanced: classes count alike in the loss, however many images each has"
    )
    gradient_clip: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="largest L2 norm of a step's gradient; null: none"
    )

    def of_an_epoch(self, images: int) -> int:
        """How many of so many training images an epoch passes over."""
        return images if self.images_per_epoch is None else min(images, self.images_per_epoch)

    def steps_of_an_epoch(self, images: int) -> float:
        """About how many steps that makes."""
        return self.of_an_epoch(images) / self.batch_size

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Self:
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"`warmup_epochs` is {self.warmup_epochs:g}, more than all of `epochs` = {self.epochs}: the learning "
                "rate would never be reached; give fewer, or train longer"
            )
        return self


def misfit_of_devices(training: TrainingParameters, device: DeviceParameters) -> str | None:
    """Why the devices cannot share a step's images; None if they can."""
    return misfit_of_shares(training, device.devices, "device.devices")


def misfit_of_shares(training: TrainingParameters, count: int, parameter: str) -> str | None:
    """The same of so many processes, by the name of the parameter that asks for them."""
    fewest = FEWEST_OF_A_STEP * count
    if training.batch_size % count == 0 and (count == 1 or training.batch_size >= fewest):
        return None
    return (
        f"`training.batch_size` is {training.batch_size}, of which each of `{parameter}` = {count} takes an equal "
        f"share: take a multiple of {count}, {fewest} at least"
    )
