"""The draws of a search at initialisation: made once, kept, and paid for by each search that uses them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch

from archatlas.errors import ArchatlasError
from archatlas.predictors.threads import single_thread
from archatlas.scores.parameters import ScoreParameters
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.protocol import Supernet
from archatlas.systems.ledger import Ledger, Spending
from archatlas.systems.nasi.start import Start
from archatlas.systems.nasi.steepness import Draw, draw, gumbel
from archatlas.systems.nasi.through import Through
from archatlas.training.seeds import mixed_seed

_LOGGER = logging.getLogger(__name__)
_NOISE = 2


def drawn(
    start: Start,
    supernet: Supernet,
    parameters: ScoreParameters,
    ledger: Ledger,
    *,
    steps: int,
    seed: int,
    through: Through,
    temperature: float,
) -> list[Draw]:
    """Up to ``steps`` draws, as many as the ledger pays for; those whose trace is no finite number are left out.

    Each is charged what it costs, also where it was kept. On one thread: draws are small, and are then the same however
    many threads there are.

    Args:
        start: what is drawn from, and where draws are kept.
        supernet: that of ``start``, with weights by ``parameters`` and ``seed``.
        parameters: of the batches.
        ledger: of the search.
        steps: draws at most.
        seed: of noise and batches.
        through: which choices of a position are computed.
        temperature: of the softmax that gradients pass through.

    Raises:
        ArchatlasError: none is left.
    """
    kept, counts = start.kept(parameters, seed, through, temperature), start.space.num_choices
    found: list[Draw] = []
    with single_thread():
        for step in range(steps):
            made = _load(kept, step)
            if made is None:
                noise = gumbel(counts, torch.Generator().manual_seed(mixed_seed(seed, _NOISE, step)))
                zeros, batch = [torch.zeros(count) for count in counts], start.batch(parameters, seed, step)
                made = draw(supernet, zeros, noise, *batch, temperature=temperature, through=through)
                _save(kept, step, made)
            if not ledger.charge(made.spent):
                break
            found.append(made)
    return _finite(found)


def _load(kept: WorkStore | None, step: int) -> Draw | None:
    document = None if kept is None else kept.load_json(_key(step))
    if document is None:
        return None
    gradient, spent = np.array(document["gradient"], dtype=np.float64), Spending(**document["spent"])
    return Draw(tuple(document["choices"]), document["trace"], document["tensors"], gradient, spent)


def _save(kept: WorkStore | None, step: int, made: Draw) -> None:
    if kept is not None:
        kept.save_json(_key(step), {**asdict(made), "gradient": made.gradient.tolist()})


def _key(step: int) -> str:
    return f"draw_{step:05}"


def _finite(draws: Sequence[Draw]) -> list[Draw]:
    fit = [one for one in draws if np.isfinite(one.trace) and np.isfinite(one.gradient).all()]
    if not fit:
        raise ArchatlasError(
            f"NASI made {len(draws)} draws, and none has a finite trace: allow more (`methods`), or look at the images "
            "and at `initialisation`"
        )
    if len(fit) < len(draws):
        _LOGGER.warning(
            "NASI leaves out %d of %d draws, whose trace is no finite number.", len(draws) - len(fit), len(draws)
        )
    return fit
