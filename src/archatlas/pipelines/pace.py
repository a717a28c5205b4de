"""How fast a space's networks train and answer here, found out in a second or two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archatlas.pipelines.parameters import ProjectParameters

if TYPE_CHECKING:
    from archatlas.spaces.protocol import SearchSpace


@dataclass(frozen=True)
class Pace:
    """Seconds of a training step (a batch forward and backward), and of a forward pass of one image."""

    step: float
    image: float


def measure_pace(space: SearchSpace, settings: ProjectParameters, networks: int = 3) -> Pace:
    """Time a training step and a forward pass at the run's own batch size, averaged over a few random networks."""
    import time

    import numpy as np
    import torch

    from archatlas.training.fabric import autocast_dtype, prepare_process, threads_restored, torch_device

    device = torch_device(settings.device)
    dtype = autocast_dtype(settings.device.precision)
    wanted = settings.evaluation.precision
    evaluated = autocast_dtype("bf16-mixed" if wanted == "bf16" else wanted)
    batch = settings.supernet.training.batch_size
    images = torch.randn(batch, *space.input_shape, device=device)
    labels = torch.zeros(batch, dtype=torch.long, device=device)
    if settings.device.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    steps: list[float] = []
    passes: list[float] = []
    with threads_restored(), torch.random.fork_rng(devices=[]):
        prepare_process(settings.device)
        for row in space.sample(networks, np.random.default_rng(0)):
            network = space.build(row).to(device)
            if settings.device.channels_last:
                network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            for _ in range(3):  # The first calls prepare kernels; the last ones count.
                started = time.perf_counter()
                with torch.inference_mode(), torch.autocast(device.type, evaluated, enabled=evaluated is not None):
                    network(images).sum().item()
                forward = time.perf_counter()
                with torch.autocast(device.type, dtype, enabled=dtype is not None):
                    loss = torch.nn.functional.cross_entropy(network(images), labels)
                loss.backward()  # type: ignore[no-untyped-call]
                if device.type != "cpu":
                    getattr(torch, device.type).synchronize()  # It answers before it has computed.
                ended = time.perf_counter()
            passes.append((forward - started) / batch)
            steps.append(ended - forward)
    return Pace(float(np.mean(steps)), float(np.mean(passes)))
