"""How fast networks train and answer on this machine, measured as they will run: side by side, a thread each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archatlas.training.parameters import DeviceParameters

if TYPE_CHECKING:
    from archatlas.spaces.protocol import Choices, SearchSpace

_SECONDS = 1.2
"""Of each network's timing. The least of its steps counts, so that what else runs for a while does not."""
_FEWEST_STEPS = 3
_MOST_WORKERS = 1024


@dataclass(frozen=True)
class Pace:
    """Seconds for an image, by a network of so many MACs: ``fixed + per_mac * MACs`` of one worker.

    Attributes:
        workers: networks that train at a time.
        train_fixed: seconds of an image forward and backward that do not depend on MACs.
        train_per_mac: seconds of an image forward and backward for each multiply-accumulate.
        answer_fixed: the same of a forward pass alone.
        answer_per_mac: the same of a forward pass alone.
        processes: how many can share the steps of one training.
    """

    workers: int
    train_fixed: float
    train_per_mac: float
    answer_fixed: float
    answer_per_mac: float
    processes: int = 1

    def train(self, macs: float) -> float:
        """Seconds that one worker takes to train one image."""
        return self.train_fixed + self.train_per_mac * macs

    def on_larger(self, area: float) -> Pace:
        """The pace on images of so many times the pixels, where a network has so many times the MACs."""
        return replace(self, train_fixed=area * self.train_fixed, answer_fixed=area * self.answer_fixed)

    def answer(self, macs: float) -> float:
        """Seconds that one worker takes for a forward pass of one image."""
        return self.answer_fixed + self.answer_per_mac * macs


@dataclass(frozen=True)
class Reference:
    """A network whose step was timed with the pace, by which it is told later how busy the machine is.

    Attributes:
        network: its name.
        batch_size: images of the step.
        seconds: of an image forward and backward.
    """

    network: str
    batch_size: int
    seconds: float


def load_now(reference: Reference, space: SearchSpace, device: DeviceParameters) -> float:
    """By what the network trains slower now than when the pace was measured, on a machine that was perhaps less busy.

    1 where it does not.
    """
    (now,) = training_seconds([(space, reference.network)], device, reference.batch_size)
    return max(now / reference.seconds, 1.0)


def measure_pace(
    space: SearchSpace, rows: Choices, macs: Sequence[float], device: DeviceParameters, batch_size: int, dtype: str
) -> tuple[Pace, Reference]:
    """Time steps of the networks of ``rows``, which have so many MACs, by as many workers as will train.

    The pace, and what the network in the middle took by itself.

    Args:
        space: of the networks.
        rows: ``[n, positions]``; two at least, of different cost.
        macs: of each.
        device: where, and by how many workers.
        batch_size: images of a step: no more than a run will have.
        dtype: number format of forward passes where nothing is trained: ``evaluation.precision``.
    """
    from archatlas.training.fabric import may_share_steps

    workers, mean = _side_by_side([(space, row) for row in rows], device, batch_size, dtype)
    train, answer = (_line(np.asarray(macs, dtype=np.float64), mean[:, column]) for column in range(2))
    middle = len(rows) // 2
    reference = Reference(str(space.names(rows)[middle]), batch_size, float(mean[middle, 0]))
    return Pace(workers, *train, *answer, processes=workers if may_share_steps(device) else 1), reference


def training_seconds(
    networks: Sequence[tuple[SearchSpace, str]], device: DeviceParameters, batch_size: int
) -> list[float]:
    """Seconds of an image forward and backward of each network, a name in a space, by as many workers as will train."""
    named = [(space, space.parse([name])[0]) for space, name in networks]
    return [float(seconds) for seconds in _side_by_side(named, device, batch_size, "32")[1][:, 0]]


def _side_by_side(
    networks: Sequence[tuple[SearchSpace, Choices]], device: DeviceParameters, batch_size: int, dtype: str
) -> tuple[int, NDArray[np.float64]]:
    """How many workers there are, and ``seconds_per_image`` where all of them work, on average."""
    from archatlas.engines.engine import side_by_side
    from archatlas.training.fabric import single_shares

    shares = single_shares(device, _MOST_WORKERS)
    given = (networks, device, batch_size, dtype)
    with side_by_side(seconds_per_image, range(shares.workers), *given, shares=shares) as results:
        return shares.workers, np.mean(list(results), axis=0)


def _line(macs: NDArray[np.float64], seconds: NDArray[np.float64]) -> tuple[float, float]:
    """Non-negative intercept and slope, by least squares of relative errors."""
    from scipy.optimize import nnls

    columns = np.column_stack([np.ones_like(macs), macs]) / seconds[:, None]
    (fixed, slope), _ = nnls(columns, np.ones(len(macs)))
    return float(fixed), float(slope)


def seconds_per_image(
    number: int,
    networks: Sequence[tuple[SearchSpace, Choices]],
    device: DeviceParameters,
    batch_size: int,
    dtype: str,
    *,
    seconds: float = _SECONDS,
    threads: int | None = 1,
) -> NDArray[np.float64]:
    """Seconds of an image of each network, trained and answered, ``[n, 2]``: the least of several steps of each.

    Args:
        number: of the worker that this runs in.
        networks: each a space, whose images it takes, and a row of choices.
        device: where.
        batch_size: images of a step.
        dtype: ``evaluation.precision``, of what is answered.
        seconds: of timing, for each network.
        threads: on a CPU; None: as ``device`` says.
    """
    import torch

    from archatlas.training.fabric import autocast_dtype, prepare_process, threads_restored, torch_device

    place = torch_device(device)
    labels = torch.zeros(batch_size, dtype=torch.long, device=place)
    answers_in = "bf16-mixed" if dtype == "bf16" else dtype
    formats = autocast_dtype(device.precision), autocast_dtype(answers_in)
    times = np.zeros((len(networks), 2))

    def synchronised() -> float:
        if place.type != "cpu":
            getattr(torch, place.type).synchronize()
        return time.perf_counter()

    with threads_restored(), torch.random.fork_rng(devices=[]):
        prepare_process(device)
        if place.type == "cpu" and threads is not None:
            torch.set_num_threads(threads)
        for row, (space, choices) in enumerate(networks):
            images = torch.randn(batch_size, *space.input_shape, device=place)
            images = images.contiguous(memory_format=torch.channels_last)
            network = space.build(choices).to(place).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            optimizer = torch.optim.SGD(network.parameters(), lr=0.0, momentum=0.9, foreach=True)

            def train(
                network: torch.nn.Module = network,
                optimizer: torch.optim.Optimizer = optimizer,
                images: torch.Tensor = images,
            ) -> None:
                with torch.autocast(place.type, formats[0], enabled=formats[0] is not None):
                    loss = torch.nn.functional.cross_entropy(network(images), labels)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)

            def answer(network: torch.nn.Module = network, images: torch.Tensor = images) -> None:
                with torch.inference_mode(), torch.autocast(place.type, formats[1], enabled=formats[1] is not None):
                    network(images)

            calls: tuple[Callable[[], None], ...] = (train, answer)
            for column, call in enumerate(calls):
                call()  # The first one prepares kernels.
                steps: list[float] = []
                while len(steps) < _FEWEST_STEPS or sum(steps) < seconds / 2:
                    begun = synchronised()
                    call()
                    steps.append(synchronised() - begun)
                times[row, column] = min(steps) / batch_size
    return times
