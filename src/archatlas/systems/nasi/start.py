"""What a search at initialisation begins with: a super-network that nobody trains, and batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.scores.batch import draw_batch
from archatlas.scores.initialisation import draw_weights
from archatlas.scores.parameters import ScoreParameters
from archatlas.spaces.identity import identity_of
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.storage.work_store import WorkStore, fingerprint
from archatlas.supernet.make import make_supernet
from archatlas.supernet.protocol import Supernet
from archatlas.systems.ledger import Ledger, Spending
from archatlas.systems.nasi.macs import MacCounter
from archatlas.training.seeds import mixed_seed

_BATCHES = 1


@dataclass(frozen=True)
class Start:
    """A space and images to search it with, at initialisation.

    Attributes:
        space: what is searched
        train: the training images; None where there are none: batches are then Gaussian
        description: of the images
        work: where draws are kept; None: nowhere
    """

    space: SearchSpace
    train: ImageSplit | None
    description: ImageDescription
    work: WorkStore | None = None

    def supernet(self, parameters: ScoreParameters, seed: int) -> Supernet:
        """The super-network in train mode, with weights drawn as ``parameters`` say."""
        with torch.random.fork_rng(devices=[]):  # Layers draw weights of their own when they are made.
            supernet = make_supernet(self.space, torch.Generator().manual_seed(0)).train()
        draw_weights(supernet, parameters.initialisation, seed)
        return supernet.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def batch(self, parameters: ScoreParameters, seed: int, step: int) -> tuple[Tensor, Tensor]:
        """Images ``[b, c, h, w]`` and labels ``[b]`` of one step."""
        drawn_by = mixed_seed(seed, _BATCHES, step)
        return draw_batch(self.train, self.description, parameters, drawn_by, section="methods.settings.nasi")

    def kept(self, *made_by: object) -> WorkStore | None:
        """Where draws that were made so are kept."""
        if self.work is None:
            return None
        return self.work.task("nasi", identity_of(self.space), self.space.num_classes, self._images, *made_by)

    @cached_property
    def _images(self) -> str:
        """A digest of the images: searches ask for it again and again."""
        return fingerprint(self.description, None if self.train is None else self.train.to_tensors())


def looking(supernet: Supernet, choices: Choices, images: Tensor, count: int, ledger: Ledger) -> NDArray[np.intp]:
    """Places of the first ``count`` rows that give different images different logits: a cell may lead nowhere.

    A forward pass of each that is looked at is owed, even where the ledger is closed: no search ends without.
    """
    found: list[int] = []
    with torch.no_grad(), MacCounter() as counter:
        for place, row in enumerate(choices):
            if len(found) == count:
                break
            found += [place] if float(supernet(images, row).std(dim=0).max()) > 1e-6 else []
    ledger.owe(Spending(forward_macs=counter.macs))
    return np.array(found, dtype=np.intp)
