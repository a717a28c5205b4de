"""Devices, precision and processes, through Lightning Fabric."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from joblib import cpu_count
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.nn.parallel import DistributedDataParallel

from archatlas.engines.engine import Shares, current_engine
from archatlas.errors import ArchatlasError
from archatlas.training.memory import keep_freed_memory
from archatlas.training.parameters import DeviceParameters

_PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed", "bf16-true"]] = {
    "32": "32-true",
    "bf16-mixed": "bf16-mixed",
    "16-mixed": "16-mixed",
    "bf16-true": "bf16-true",
}

# It tells of its number format at every training.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)

# PyTorch renames the option that copies buffers from the first process at every forward pass.
_BUFFER_OPTION = (
    "forward_sync_buffers"
    if "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
    else "broadcast_buffers"
)


def torch_device(device: DeviceParameters) -> torch.device:
    """The (first) device that ``device`` asks for; raises ArchatlasError if it is not there."""
    accelerator = device.accelerator
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.mps.is_available()}
    if not there[accelerator]:
        found = ", ".join(name for name, is_there in there.items() if is_there)
        raise ArchatlasError(
            f"`device.accelerator` is {accelerator}, but PyTorch {torch.__version__} finds none here (it finds: "
            f"{found}). Set it to auto or cpu, or install the driver and the PyTorch build for it."
        )
    counts = {"cuda": torch.cuda.device_count(), "mps": 1}
    if device.devices > counts.get(accelerator, device.devices):
        raise ArchatlasError(
            f"`device.devices` is {device.devices}, but there are {counts[accelerator]} of {accelerator}; "
            "ask for fewer."
        )
    if device.precision == "16-mixed" and accelerator == "cpu":
        raise ArchatlasError("`device.precision` 16-mixed needs a GPU; on a CPU take bf16-mixed or 32.")
    return torch.device(accelerator)


def make_fabric(device: DeviceParameters, *, some_unused: bool = False) -> Fabric:
    """The Fabric for ``device``; sets the number of CPU threads.

    Several devices are processes of their own (started by ``Fabric.launch(function, ...)``) with distributed data
    parallelism. Parameters that a step leaves alone are looked for where there are ``some_unused``, as in a
    super-network, of which it touches one path. Buffers are not broadcast: averages of batch norm are the first one's.
    """
    accelerator = torch_device(device).type
    prepare_process(device)
    strategy: Any = "auto"
    if device.devices > 1:
        options: dict[str, Any] = {"find_unused_parameters": some_unused, _BUFFER_OPTION: False}
        strategy = DDPStrategy(start_method="spawn", **options)
    return Fabric(
        accelerator=accelerator,
        devices=device.devices,
        strategy=strategy,
        precision=_PRECISIONS[known_precision(device.precision)],
    )


@contextmanager
def meeting_place() -> Iterator[None]:
    """Where processes that share a training find each other: a store of this process, which they are told of.

    Without it a free port is looked for, given back, kept for all later trainings of this process, and opened by the
    first of the processes once it has started: by then it may be another training's, and both wait for ever.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    told = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def prepare_process(device: DeviceParameters) -> None:
    """Use as many CPU threads as ``device`` says, if it says so, and keep freed memory for the next step."""
    keep_freed_memory()
    if device.threads is not None:
        torch.set_num_threads(device.threads)


def where_there_is_room(images: Tensor, place: torch.device) -> Tensor:
    """The images on the device; where they are, if they would take more than half of a GPU's free memory."""
    if place.type == "cuda" and images.nbytes > free_memory(place) / 2:
        return images
    return images.to(place)


def free_memory(place: torch.device) -> int:
    """Bytes of a GPU that are free for this process; what PyTorch keeps of freed memory is free, too."""
    kept = torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place)
    return torch.cuda.mem_get_info(place)[0] + kept


def kind_of_device(device: DeviceParameters) -> str:
    """What tasks run on, such as "cpu": the kind of :func:`torch_device`, unless the engine has machines of its own."""
    return current_engine().accelerator or torch_device(device).type


def shares_of(device: DeviceParameters, jobs: int, divisible: int = 1) -> Shares:
    """How many of some jobs go side by side, and the threads of each.

    On a CPU two small networks train faster on a core each than one after the other on both; elsewhere, and where
    several devices share a job, it is one at a time in this process. An engine with machines of its own says itself,
    for so many parts that each job is ``divisible`` into.
    """
    elsewhere = _engines_shares(jobs * divisible, threads=None)
    if elsewhere is not None:
        return elsewhere
    if torch_device(device).type != "cpu" or device.devices > 1:
        return Shares(1, 0, here=True)
    threads = device.threads or torch.get_num_threads()
    workers = max(1, min(device.workers or threads, threads, jobs))
    return Shares(workers, threads // workers, here=workers == 1)


def single_shares(device: DeviceParameters, jobs: int, processes: int = 1) -> Shares:
    """The same of jobs that on a CPU have so many processes of one thread each, whatever else the machine has."""
    kind = kind_of_device(device)
    elsewhere = _engines_shares(jobs, threads=processes if kind == "cpu" else None)
    if elsewhere is not None:
        return elsewhere
    workers = max(1, min((device.workers or cpu_count()) // processes, jobs)) if kind == "cpu" else 1
    return Shares(workers, processes, here=workers == 1)


def may_share_steps(device: DeviceParameters) -> bool:
    """Whether workers could share the steps of such a job: where they are cores of this machine."""
    return current_engine().accelerator is None and torch_device(device).type == "cpu"


def single_device(device: DeviceParameters, processes: int = 1) -> DeviceParameters:
    """The device of each of such jobs; on a CPU a single thread in each process: no other setting changes its result.

    Channels-last there: forward and backward of small MBConv networks take about half the time so.
    """
    if kind_of_device(device) != "cpu":
        return device
    alone = {"accelerator": "cpu", "devices": processes, "threads": 1, "workers": None, "channels_last": True}
    return device.model_copy(update=alone)


def _engines_shares(jobs: int, threads: int | None) -> Shares | None:
    """What the engine says, which is not asked where there is nothing to do: it might have to reach its machines."""
    return current_engine().shares(jobs, threads=threads) if jobs else None


def device_of_each(device: DeviceParameters, shares: Shares) -> DeviceParameters:
    """The device of each of the jobs that are shared out so.

    How they are shared out is no part of what they make: who has more cores, or more machines, goes on all the same,
    though last digits depend on the threads. Those that are asked for by number and used here are a part of it.
    """
    return device.model_copy(update={"workers": None, "threads": device.threads if shares.here else None})


@contextmanager
def threads_restored() -> Iterator[None]:
    """Leave the number of CPU threads as it was before the block: other work must sum in the same order as ever."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def autocast_dtype(precision: str) -> torch.dtype | None:
    """The number format of convolutions and matrix products under ``precision``; None: float32."""
    formats = {"bf16-mixed": torch.bfloat16, "bf16-true": torch.bfloat16, "16-mixed": torch.float16}
    return formats.get(known_precision(precision))


def known_precision(precision: str) -> str:
    """``precision`` itself, or what ``auto`` stands for on this machine."""
    if precision != "auto":
        return precision
    return "bf16-mixed" if computes_in_bfloat16() else "32"


def computes_in_bfloat16() -> bool:
    """Whether the processor, or the GPU where there is one, has instructions for bfloat16: elsewhere it is slower."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(supported()) for supported in asked if supported is not None)


@contextmanager
def evaluation_mode(place: torch.device, precision: str) -> Iterator[None]:
    """Inference mode, under autocast unless ``precision`` is 32; weights stay in float32 (bf16-true: likewise)."""
    dtype = autocast_dtype(precision)
    with torch.inference_mode(), torch.autocast(place.type, dtype=dtype, enabled=dtype is not None):
        yield
