"""Exported ONNX files at work: their logits on images, and their latency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archatlas.costs.latency import LatencyMeasurement, measure_calls
from archatlas.costs.parameters import LatencyParameters
from archatlas.costs.runtimes import call_of_onnx

Floats = NDArray[np.float32]

ONNX, INT8 = "network.onnx", "network_int8.onnx"
"""Names of an exported network's files, in float32 and in eight bits."""


def onnx_logits(path: Path, images: Any, batch: int = 64) -> Floats:
    """Logits ``[n, classes]`` of an exported file, by onnxruntime on the CPU.

    Args:
        path: the file.
        images: uint8 ``[n, c, h, w]``, a tensor or an array, of the size of training.
        batch: images at a time.
    """
    pixels, session = np.asarray(images), session_of(path)
    # An empty batch too, so that no images give no rows of as many classes.
    starts = range(0, max(len(pixels), 1), batch)
    chunks = [session.run(["logits"], {"pixels": as_pixels(pixels[start : start + batch])})[0] for start in starts]
    logits: Floats = np.concatenate(chunks)
    return logits


def session_of(path: Path) -> Any:
    """An exported file, ready to run in onnxruntime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def seen_size(path: Path) -> int:
    """Side of the images that an exported file takes, pixels."""
    (given,) = session_of(path).get_inputs()
    return int(given.shape[-1])


def as_pixels(images: NDArray[np.uint8]) -> Floats:
    """What exported files take: float32 in 0..1."""
    return images.astype(np.float32) / np.float32(255)


def accuracy_of(logits: Floats, labels: Any) -> float:
    """Share of the rows ``[n, classes]`` whose largest logit is that of the label ``[n]``."""
    return float((logits.argmax(axis=1) == np.asarray(labels)).mean())


def measure_files(
    paths: Sequence[Path], input_shape: tuple[int, ...], parameters: LatencyParameters
) -> list[LatencyMeasurement]:
    """Latency of exported files in onnxruntime on ``parameters.device``, all measured in the same rounds."""
    x = np.random.default_rng(0).random((parameters.batch_size, *input_shape), dtype=np.float32)
    return measure_calls([call_of_onnx(str(path), x, parameters) for path in paths], parameters)
