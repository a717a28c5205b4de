"""What is asked of the export. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ExportParameters(BaseModel):
    """How winners are written, and how exactly the written files must agree."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opset: int = Field(18, ge=18, le=23, description="version of the ONNX operators")
    check_images: int = Field(
        16, ge=2, le=10_000, description="random images on which logits are compared, as one batch and one alone"
    )
    tolerance: float = Field(
        1e-4, gt=0, le=1, description="largest difference of a logit; a larger one stops the run and exports nothing"
    )
    features: bool = Field(
        False, description="give the ONNX file an output for the map at the end of each stride too, beside the logits"
    )
    int8: bool = Field(False, description="write each network in eight bits too, calibrated on training images")
    calibration_images: int = Field(
        256, ge=16, le=100_000, description="training images that eight-bit networks are calibrated on"
    )
