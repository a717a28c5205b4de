"""Latency on a GPU, as far as machines without one can tell: what is asked of which device, and when it is refused.

onnxruntime binds inputs and outputs on the CPU as on a GPU; PyTorch's meta device stands for a GPU that is not there.
"""

from __future__ import annotations

import ctypes

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from archatlas.costs import measure_latency, runtimes
from archatlas.costs.latency import latency_tables, measure_network
from archatlas.costs.measure_latency import (
    PROVIDERS,
    ProviderError,
    bound_call,
    call_of,
    cuda_problem,
    device_name,
    gpu_name,
    processor_name,
)
from archatlas.costs.runtimes import call_of_module, empty_call, onnx_of, require_device
from archatlas.errors import ArchatlasError

CUDA = PROVIDERS["cuda"]
no_provider = pytest.mark.skipif(
    CUDA in onnxruntime.get_available_providers(), reason="what should be missing is there"
)


@pytest.fixture
def on_gpu(quick):
    return quick.model_copy(update={"device": "cuda", "batch_size": 32})


class Driver:
    """CUDA's driver with one GPU, or one that answers with an error."""

    def __init__(self, error: int = 0) -> None:
        self.error = error

    def cuInit(self, flags: int) -> int:
        return self.error

    def cuDeviceGet(self, device: object, number: int) -> int:
        assert number == 0
        ctypes.cast(device, ctypes.POINTER(ctypes.c_int))[0] = 5
        return 0

    def cuDeviceGetName(self, name: ctypes.Array[ctypes.c_char], length: int, device: ctypes.c_int) -> int:
        assert (length, device.value) == (256, 5)
        name.value = b"H1"
        return 0


def test_a_gpu_is_named_by_its_driver(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Driver())
    assert gpu_name() == "H1"
    assert device_name("cuda") == f"H1 with {processor_name()}"
    assert device_name() == device_name("cpu") == processor_name()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Driver(error=100))
    assert gpu_name() is None


def test_without_a_driver_there_is_no_gpu(monkeypatch):
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert gpu_name() is None
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, PROVIDERS["cpu"]])
    assert cuda_problem() == "CUDA's driver finds no GPU here: look at what nvidia-smi says"
    with pytest.raises(
        ArchatlasError, match=r"^`costs.latency.device` is cuda, but CUDA's driver .*; or set it to cpu$"
    ):
        require_device("cuda", "onnxruntime")


def test_an_onnxruntime_without_cuda_is_refused_by_the_package_that_has_it(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDERS["cpu"]])
    with pytest.raises(ArchatlasError) as refused:
        require_device("cuda", "onnxruntime")
    assert str(refused.value) == (
        "`costs.latency.device` is cuda, but the installed onnxruntime has no CUDAExecutionProvider (it has "
        "CPUExecutionProvider): install onnxruntime-gpu in its place; or set it to cpu"
    )
    require_device("cpu", "onnxruntime")


def test_a_pytorch_without_a_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ArchatlasError, match=r"`costs.latency.device` is cuda, but PyTorch \S+ finds no GPU here"):
        require_device("cuda", "torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    require_device("cuda", "torch")


def test_nothing_is_timed_where_there_is_no_gpu(tiny, on_gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDERS["cpu"]])
    monkeypatch.setattr(
        "archatlas.costs.latency.quartiles_in_turn", lambda *_, **__: pytest.fail("something was timed")
    )
    for runtime in ("onnxruntime", "torch"):
        with pytest.raises(ArchatlasError, match=r"`costs.latency.device` is cuda"):
            latency_tables(tiny, on_gpu.model_copy(update={"runtime": runtime}), seed=0)


@no_provider
def test_what_onnxruntime_would_do_on_the_cpu_instead_is_refused(monkeypatch, on_gpu):
    """Where CUDA's libraries cannot be loaded it says so, takes the CPU and goes on."""
    model, x = onnx_of(nn.Identity(), (1, 2, 2)), np.zeros((1, 1, 2, 2), dtype=np.float32)
    with pytest.warns(UserWarning, match=CUDA), pytest.raises(ProviderError, match=f"cannot use {CUDA} here"):
        call_of(model, x, 1, CUDA, "cuda")
    monkeypatch.setattr(runtimes, "cuda_problem", lambda: None)
    refusal = f"`costs.latency.device` is cuda, but onnxruntime cannot use {CUDA} here, and takes CPUExecutionProvider"
    with pytest.warns(UserWarning, match=CUDA), pytest.raises(ArchatlasError, match=refusal):
        measure_network(nn.Identity(), (1, 2, 2), on_gpu)


def _to_meta(original):
    return lambda self, device, *more: original(self, "meta" if device == "cuda" else device, *more)


def bound_on_the_cpu(model, x, threads, provider, device):
    """What stands in the place of ``call_of``: bound as on a GPU, but where this machine can compute."""
    assert (threads, provider, device) == (1, CUDA, "cuda")
    assert len(x) in (1, 32)
    return bound_call(onnxruntime.InferenceSession(model, providers=[PROVIDERS["cpu"]]), x, "cpu")


def test_bound_inputs_and_outputs_give_the_same_numbers():
    model = onnx_of(nn.Conv2d(3, 4, 3).eval(), (3, 8, 8))
    x = np.random.default_rng(0).random((32, 3, 8, 8), dtype=np.float32)
    session = onnxruntime.InferenceSession(model, providers=[PROVIDERS["cpu"]])
    call = bound_call(session, x, "cpu")
    for _ in range(2):
        (given,) = call().copy_outputs_to_cpu()
        assert np.array_equal(given, session.run(None, {session.get_inputs()[0].name: x})[0])
    assert given.shape == (32, 4, 6, 6)


def test_parts_and_networks_are_timed_on_the_gpu_and_the_table_says_so(tiny, on_gpu, monkeypatch):
    monkeypatch.setattr(runtimes, "cuda_problem", lambda: None)
    monkeypatch.setattr(runtimes, "call_of", bound_on_the_cpu)
    monkeypatch.setattr(measure_latency, "gpu_name", lambda: "H1")
    table, check = latency_tables(tiny, on_gpu, seed=0)
    assert table[["device", "batch_size"]].drop_duplicates().to_numpy().tolist() == [
        [f"H1 with {processor_name()}, onnxruntime", 32]
    ]
    assert len(check) == 3
    assert (check["measured_latency_ms"] > 0).all()


def test_eager_pytorch_computes_on_the_gpu_and_is_waited_for(on_gpu, monkeypatch):
    """The meta device stands for the GPU: what is left on the CPU would not meet there."""
    done = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: done.append("waited"))
    for kind in (torch.Tensor, nn.Module):
        monkeypatch.setattr(kind, "to", _to_meta(kind.to))
    network = nn.Conv2d(3, 4, 3)
    network.register_forward_hook(lambda module, given, out: done.append((module.training, out.device.type, out.shape)))
    eager = on_gpu.model_copy(update={"runtime": "torch"})
    call = call_of_module(network, (3, 8, 8), eager)
    assert done == []
    call()
    call()
    ran = (False, "meta", (32, 4, 6, 6))
    assert done == [ran, "waited", ran, "waited"]
    assert empty_call(eager) is torch.cuda.synchronize


def test_eager_pytorch_on_the_cpu_waits_for_nothing(quick, monkeypatch):
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: pytest.fail("there is no GPU to wait for"))
    call = call_of_module(nn.Conv2d(3, 4, 3), (3, 8, 8), quick.model_copy(update={"runtime": "torch"}))
    assert call().shape == (1, 4, 6, 6)
