"""An exported network in eight bits, calibrated on training images, beside the file that it was made from."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from archatlas.costs.latency import timed_in
from archatlas.costs.parameters import LatencyParameters
from archatlas.errors import ArchatlasError
from archatlas.images.shrinking import shrink
from archatlas.verification.onnx_run import INT8, as_pixels, measure_files, onnx_logits

_BATCH = 16


def write_int8(
    source: Path, train_images: Any, image_size: int, calibration: int, latency: LatencyParameters, seed: int
) -> dict[str, Any]:
    """Write ``network_int8.onnx`` beside an exported file, and compare the two.

    Args:
        source: the exported file.
        train_images: uint8 ``[n, c, h, w]``, tensor or array.
        image_size: of the network, to which those that are drawn are shrunk.
        calibration: images to calibrate on, drawn by ``seed``; as many others, where there are any, to compare on.
        latency: how the files are timed, in onnxruntime.
        seed: of the draw.

    Returns:
        file (with its folder's name), bytes and bytes_float, calibration_images, compared_images (drawn likewise, the
        calibration images themselves where there are no others), max_logit_difference, mean_logit_difference, agreement
        (share of these images of which both files name the same class), latency_on (the device), latency_ms by
        ``float`` and ``int8``, each with median_ms, lower_quartile_ms and upper_quartile_ms.

    Raises:
        ArchatlasError: there are no training images.
    """
    images = np.asarray(train_images)
    if not len(images):
        raise ArchatlasError("`export.int8` needs training images to calibrate on, but there are none: set it to false")
    drawn = np.random.default_rng(seed).permutation(len(images))[: 2 * calibration]
    seen = shrink(torch.from_numpy(images[drawn]), image_size).numpy()
    calibrated, others = seen[:calibration], seen[calibration:]
    compared = others if len(others) else calibrated
    target = source.with_name(INT8)
    quantise(source, as_pixels(calibrated), target)
    exact, rounded = (onnx_logits(file, compared) for file in (source, target))
    difference = np.abs(exact - rounded)
    measured = measure_files((source, target), seen.shape[1:], latency)
    return {
        "file": f"{source.parent.name}/{INT8}",
        "bytes": target.stat().st_size,
        "bytes_float": source.stat().st_size,
        "calibration_images": len(calibrated),
        "compared_images": len(compared),
        "max_logit_difference": float(difference.max()),
        "mean_logit_difference": float(difference.mean()),
        "agreement": float((exact.argmax(axis=1) == rounded.argmax(axis=1)).mean()),
        "latency_on": timed_in("onnxruntime", latency),
        "latency_ms": dict(zip(("float", "int8"), map(asdict, measured), strict=True)),
    }


def quantise(source: Path, pixels: NDArray[np.float32], target: Path) -> None:
    """Write an ONNX file with weights and activations in eight bits, by onnxruntime's static quantisation.

    Weights have a scale per channel. The normalisation of the input and the first and the last layer stay in float32:
    there rounding changes logits most, and they have few weights (docs/design.md has the figures).

    Args:
        source: the file in float32, whose input is called pixels.
        pixels: to calibrate on, float32 ``[n, c, h, w]`` in 0..1.
        target: the file to write, with the metadata of ``source``.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with _quiet():
        quantize_static(
            str(source),
            str(target),
            _Batches(pixels),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=_first_and_last(source),
        )


def _first_and_last(source: Path) -> list[str]:
    import onnx

    layers = [node.name for node in onnx.load(source).graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    return layers[:1] + layers[-1:]


class _Batches:
    """Calibration images as onnxruntime asks for them."""

    def __init__(self, pixels: NDArray[np.float32]) -> None:
        self._batches = (pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": batch}


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser advises, by the root logger, to prepare the file first, as the exporter has done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
