"""What an exported file answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ONNX_INT8 = "network_int8.onnx"
"""The quantised file beside ``network.onnx``."""


def onnx_logits(path: Path, images: NDArray[np.uint8], batch: int = 256) -> NDArray[np.float32]:
    """Logits ``[n, classes]`` of uint8 images ``[n, c, h, w]`` by onnxruntime on the CPU, a batch at a time."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts: list[Any] = [
        session.run(None, {name: images[start : start + batch].astype(np.float32) / 255})[0]
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(parts)
