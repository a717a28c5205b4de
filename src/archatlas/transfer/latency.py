"""Latency of networks as users name them, in onnxruntime on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from archatlas.costs.measure_latency import call_of, quartiles_in_turn
from archatlas.costs.runtimes import onnx_of
from archatlas.errors import ArchatlasError
from archatlas.graphs.onnx_loading import first_line, shape_of_image
from archatlas.graphs.sources import NetworkSource, is_file, name_of, real_module

_WARM_UP, _CALLS, _FEWEST, _MAX_SECONDS = 5, 50, 5, 30.0


def latencies(sources: Sequence[NetworkSource], input_shape: Sequence[int] | None) -> list[float | str]:
    """Median milliseconds of a call on one thread, for one image, each network in turn with the others.

    A file of a fixed batch is called with that, and its time divided by the images. Of one that cannot be exported or
    does not run, the reason.
    """
    found: list[float | str] = []
    runs: list[Callable[[], object]] = []
    for source in sources:
        try:
            run, images = _call(source, input_shape)
            runs.append(run)
            found.append(float(images))
        except ArchatlasError as error:
            found.append(str(error))
    if runs:
        quartiles = quartiles_in_turn(runs, warm_up=_WARM_UP, calls=_CALLS, fewest=_FEWEST, max_seconds=_MAX_SECONDS)
        medians = iter(quartiles[:, 1].tolist())
        found = [one if isinstance(one, str) else float(next(medians)) / one for one in found]
    return found


def _call(source: NetworkSource, input_shape: Sequence[int] | None) -> tuple[Callable[[], object], int]:
    """A call of the network, and how many images it is of."""
    name = name_of(source)
    try:
        if is_file(source):
            run, images = _call_of_file(Path(source), input_shape)
        else:
            assert input_shape is not None  # `graph_of` has refused modules without it.
            channels, height, width = input_shape
            model = onnx_of(real_module(source), (channels, height, width))
            run, images = call_of(model, np.zeros((1, *input_shape), dtype=np.float32), threads=1), 1
        run()
        return run, images
    except ArchatlasError:
        raise
    except Exception as error:
        said = first_line(error)
        raise ArchatlasError(f"{name} cannot be timed in onnxruntime: {said}") from error


def _call_of_file(path: Path, input_shape: Sequence[int] | None) -> tuple[Callable[[], object], int]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    asked = session.get_inputs()[0]
    dims = [size if isinstance(size, int) else 0 for size in asked.shape]
    if not dims:
        raise ArchatlasError(f"{path.name} does not say how many axes its input has")
    shape = (max(dims[0], 1), *(shape_of_image(dims[1:], input_shape) or dims[1:]))
    kind = {"tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8}
    return call_of(str(path), np.zeros(shape, dtype=kind.get(asked.type, np.float32)), threads=1), shape[0]
