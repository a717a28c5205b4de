"""What a timed call of a module is: in onnxruntime, or in eager PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from archatlas.costs.measure_latency import call_of
from archatlas.costs.parameters import LatencyParameters

if TYPE_CHECKING:
    from torch import nn

Call = Callable[[], Any]


def call_of_module(module: nn.Module, input_shape: tuple[int, ...], parameters: LatencyParameters) -> Call:
    """A call of the module (put into evaluation mode) on one batch of random images of ``input_shape`` (c, h, w)."""
    import torch

    x = torch.rand(parameters.batch_size, *input_shape, generator=torch.Generator().manual_seed(0))
    module.eval()
    if parameters.runtime == "torch":
        return lambda: module(x)
    return call_of(onnx_of(module, input_shape), x.numpy(), parameters.threads)


def empty_call(parameters: LatencyParameters) -> Call:
    """A call that computes nothing: what the runtime asks for each."""
    from torch import nn

    if parameters.runtime == "torch":
        # A module is called by another: what that costs, a network pays for each of its blocks.
        return lambda: None
    return call_of(onnx_of(nn.Identity(), (1, 1, 1)), np.zeros((1, 1, 1, 1), dtype=np.float32), parameters.threads)


def onnx_of(module: nn.Module, input_shape: tuple[int, ...]) -> bytes:
    """The module as the content of an ONNX file, written in the quickest way that knows all that it does."""
    from archatlas.networks.onnx_file import write_onnx
    from archatlas.networks.onnx_graph import UnknownOperationError, onnx_graph

    try:
        return onnx_graph(module, input_shape)
    except UnknownOperationError:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "module.onnx"
            write_onnx(module, input_shape, file)
            return file.read_bytes()
