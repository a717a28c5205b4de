"""Training of super-networks, one per seed."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.spaces.protocol import SearchSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.make import make_supernet
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.strategies.registry import make_strategy
from archatlas.training.loop import train
from archatlas.training.parameters import DeviceParameters
from archatlas.training.seeds import mixed_seed

CURVE_COLUMNS = ("seed", "epoch", "loss", "accuracy", "learning_rate")


def train_supernets(
    space: SearchSpace,
    images: ImageSplit,
    description: ImageDescription,
    *,
    parameters: SupernetParameters,
    device: DeviceParameters,
    seed: int,
    work: WorkStore | None,
    progress: bool = True,
) -> tuple[dict[str, dict[str, Tensor]], pd.DataFrame]:
    """State dicts ``seed_0``, ``seed_1``, ... and their learning curves (columns ``CURVE_COLUMNS``).

    Super-network ``i`` depends on (``seed``, i): its first weights, its order of images and its paths. Each seed has
    its own checkpoints in ``work``.
    """
    strategy = make_strategy(parameters.strategy, space)
    supernets: dict[str, dict[str, Tensor]] = {}
    curves: list[pd.DataFrame] = []
    for number in range(parameters.seeds):
        own_seed = mixed_seed(seed, number)
        supernet = make_supernet(space, torch.Generator().manual_seed(own_seed))
        curve = train(
            supernet,
            images,
            description,
            training=parameters.training,
            augmentation=parameters.augmentation,
            device=device,
            seed=own_seed,
            paths=strategy,
            checkpoints=work,
            progress=f"super-network {number + 1} of {parameters.seeds}" if progress else None,
        )
        supernets[f"seed_{number}"] = {name: tensor.contiguous() for name, tensor in supernet.state_dict().items()}
        curves.append(pd.DataFrame(curve).assign(seed=number))
    return supernets, pd.concat(curves, ignore_index=True)[list(CURVE_COLUMNS)]
