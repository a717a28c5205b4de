"""What a timed call of a module is: in onnxruntime, or in eager PyTorch, on the CPU or on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archatlas.costs.measure_latency import PROVIDERS, ProviderError, call_of, cuda_problem
from archatlas.costs.parameters import LatencyParameters
from archatlas.errors import ArchatlasError

if TYPE_CHECKING:
    from torch import nn

Call = Callable[[], Any]


def call_of_module(module: nn.Module, input_shape: tuple[int, ...], parameters: LatencyParameters) -> Call:
    """A call of the module (put into evaluation mode) on one batch of random images of ``input_shape`` (c, h, w).

    The batch lies on ``parameters.device``, where eager PyTorch moves the module too. There a call ends when the device
    has done its work, not when it has been given it.

    Raises:
        ArchatlasError: the device is not there.
    """
    import torch

    x = torch.rand(parameters.batch_size, *input_shape, generator=torch.Generator().manual_seed(0))
    module.eval()
    if parameters.runtime == "onnxruntime":
        return call_of_onnx(onnx_of(module, input_shape), x.numpy(), parameters)
    if parameters.device == "cpu":
        return lambda: module(x)
    require_device(parameters.device, parameters.runtime)
    there, given = module.to(parameters.device), x.to(parameters.device)

    def call() -> None:
        there(given)
        torch.cuda.synchronize()

    return call


def call_of_onnx(model: str | bytes, x: NDArray[np.float32], parameters: LatencyParameters) -> Call:
    """A call of an ONNX file (path or content) on one batch, whose both ends lie on ``parameters.device``.

    Raises:
        ArchatlasError: the device is not there, or onnxruntime cannot use it.
    """
    device = parameters.device
    require_device(device, "onnxruntime")
    try:
        return call_of(model, x, parameters.threads, PROVIDERS[device], device)
    except ProviderError as error:
        raise _not_there(device, str(error)) from error


def require_device(device: str, runtime: str) -> None:
    """Refuse a device that networks cannot be timed on.

    Raises:
        ArchatlasError: ``cuda`` where there is no GPU, or an onnxruntime that knows none.
    """
    if device == "cpu":
        return
    problem = cuda_problem() if runtime == "onnxruntime" else _problem_of_torch()
    if problem is not None:
        raise _not_there(device, problem)


def _problem_of_torch() -> str | None:
    import torch

    if torch.cuda.is_available():
        return None
    return f"PyTorch {torch.__version__} finds no GPU here: install a build for CUDA, where there is one"


def _not_there(device: str, problem: str) -> ArchatlasError:
    return ArchatlasError(f"`costs.latency.device` is {device}, but {problem}; or set it to cpu")


def empty_call(parameters: LatencyParameters) -> Call:
    """A call that computes nothing: what the runtime asks for each."""
    import torch
    from torch import nn

    if parameters.runtime == "onnxruntime":
        return call_of_onnx(onnx_of(nn.Identity(), (1, 1, 1)), np.zeros((1, 1, 1, 1), dtype=np.float32), parameters)
    if parameters.device == "cpu":
        # A module is called by another: what that costs, a network pays for each of its blocks.
        return lambda: None
    # A GPU is waited for once, by a part alone as by a network.
    return torch.cuda.synchronize


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
