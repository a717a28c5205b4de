"""How steep the loss of a path is before any training, and how the choices would change that (NASI, section 3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from archatlas.errors import ArchatlasError
from archatlas.supernet.protocol import Supernet
from archatlas.systems.ledger import Spending
from archatlas.systems.nasi.macs import MacCounter
from archatlas.systems.nasi.through import Through


@dataclass(frozen=True)
class Draw:
    """One architecture drawn, with what the trace does there.

    Attributes:
        choices: of the architecture, ``[positions]``
        trace: T, the square of the norm of the gradient of the batch's mean loss by all weights
        tensors: how many tensors of weights T adds up; some ports divide by it
        gradient: of T by the logits of all choices, position after position
        spent: multiply-accumulates of the draw
    """

    choices: tuple[int, ...]
    trace: float
    tensors: int
    gradient: NDArray[np.float64]
    spent: Spending


def draw(
    supernet: Supernet,
    logits: Sequence[Tensor],
    noise: Sequence[Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    temperature: float = 1.0,
    through: Through = "all",
) -> Draw:
    """The architecture that Gumbel noise draws from ``logits``, with T and its gradient there.

    Gates are hard and pass gradients on as if they were soft: ``(hard - soft).detach() + soft``, with ``soft`` the
    softmax of ``(logits + noise) / temperature`` [straight-through Gumbel, as ports of NASI have it: the paper says
    Gumbel-softmax]. The weights' gradient is taken with a graph, so that T can be differentiated in turn.

    Args:
        supernet: at initialisation, in train mode; its running statistics change.
        logits: for each position ``[choices]``.
        noise: of the Gumbel distribution, alike.
        images: ``[b, c, h, w]``, as the super-network takes them.
        labels: ``[b]``.
        temperature: of the softmax.
        through: which choices are computed.

    Raises:
        ArchatlasError: an operation of the super-network has no second derivative.
    """
    given = [one.detach().clone().requires_grad_() for one in logits]
    soft = [torch.softmax((one + fixed) / temperature, dim=0) for one, fixed in zip(given, noise, strict=True)]
    chosen = tuple(int(one.argmax()) for one in soft)
    hard = [functional.one_hot(torch.tensor(place), len(one)).to(one) for place, one in zip(chosen, soft, strict=True)]
    gates = [(at - one).detach() + one for at, one in zip(hard, soft, strict=True)]
    weights = [one for one in supernet.parameters() if one.requires_grad]
    try:
        with torch.enable_grad(), MacCounter() as counter:
            mixed = supernet.mixed(images, gates, None if through == "all" else chosen)
            forward = counter.macs
            loss = functional.cross_entropy(mixed, labels)
            by_weights = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
            squares = [one.square().sum() for one in by_weights if one is not None]
            trace = torch.stack(squares).sum()
            moves = (
                torch.autograd.grad(trace, given, allow_unused=True) if trace.requires_grad else (None,) * len(given)
            )
    except RuntimeError as error:
        raise _without_second_derivative(error) from error
    gradient = [torch.zeros_like(one) if move is None else move for move, one in zip(moves, given, strict=True)]
    spent = Spending(forward_macs=forward, backward_macs=counter.macs - forward)
    return Draw(chosen, float(trace.detach()), len(squares), torch.cat(gradient).double().numpy(), spent)


def gumbel(num_choices: Sequence[int], generator: torch.Generator) -> list[Tensor]:
    """Noise for each position, ``[choices]``: added to logits, the largest is a draw from their softmax."""
    return [-torch.log(torch.empty(count).exponential_(generator=generator)) for count in num_choices]


def _without_second_derivative(error: RuntimeError) -> Exception:
    found = re.search(r"derivative for (\S+) is not implemented", str(error))
    if found is None:
        return error
    return ArchatlasError(
        f"NASI differentiates gradients, and the operation {found.group(1)} of this space's super-network has no "
        "second derivative: take a space without it, or another search method"
    )
