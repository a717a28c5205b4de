"""How much of a GPU's memory training asks for, said before a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from archatlas.engines.engine import current_engine
from archatlas.pipelines.ahead import Ahead

_GIB = 2**30


def gpu_lines(ahead: Ahead, sections: Sequence[str]) -> list[str]:
    """What the largest network takes in a step of the largest batch, beside what the GPU has; else no line.

    Nothing is said of GPUs of other machines, of spaces without a largest network, and before the images are known.

    Args:
        ahead: the run.
        sections: of the parameters, of those stages that train: each has a ``training``.
    """
    settings = ahead.settings
    # Of networks of a public table super-networks alone are trained, if anything is.
    training = [one for one in sections if one == "supernet" or not ahead.looks_up]
    if not training or settings.table is not None or ahead.description is None or current_engine().accelerator:
        return []
    import torch

    from archatlas.spaces.protocol import chains_of
    from archatlas.training.fabric import free_memory, torch_device

    place = torch_device(settings.device)
    if place.type != "cuda" or not chains_of(ahead.space):
        return []
    schedules = {name: getattr(settings, name).training for name in training}
    section, schedule = max(schedules.items(), key=lambda one: int(one[1].batch_size))
    images = math.ceil(min(schedule.batch_size, ahead.train) / settings.device.devices)
    needed = largest_step(ahead, images, copies=4 if schedule.optimizer == "adamw" else 3) / _GIB
    free, total = free_memory(place) / _GIB, torch.cuda.mem_get_info(place)[1] / _GIB
    said = (
        f"a step of {images} images of the largest network takes about {needed:.1f} GiB of the GPU's memory in "
        f"float32; {free:.1f} of {total:.1f} GiB are free"
    )
    if needed <= free:
        return [f"  {said[0].upper()}{said[1:]}."]
    return [f"Careful: {said}. Set `{section}.training.batch_size` lower if memory runs out."]


def largest_step(ahead: Ahead, images: int, copies: int) -> int:
    """Bytes in float32 of a step of so many images of the largest network (`training_memory.bytes_of_a_step`).

    The space must be one of chains.
    """
    import numpy as np
    import torch

    from archatlas.costs.latency import as_shipped
    from archatlas.networks.training_memory import bytes_of_a_step
    from archatlas.supernet.strategies.extremes import extreme_paths

    path, _ = extreme_paths(ahead.space, "the memory of a step", "take a chain")
    row = np.array(path, dtype=np.int8)
    with torch.device("meta"):
        network, shape = as_shipped(ahead.space, row)
    return bytes_of_a_step(network, shape, images, copies)
