"""Losses of an ensemble: outputs ``[n, members]`` against one target ``[n]``, each member with weights of its own."""

from __future__ import annotations

import torch
from torch import Tensor

_SHIFTS = 16
"""Partners of each architecture in one evaluation of the pairwise loss."""


def squared_error(outputs: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean over members of the weighted mean squared error; ``weights [n, members]``."""
    errors = weights * (outputs - target[:, None]) ** 2
    return (errors.sum(dim=0) / weights.sum(dim=0)).mean()


def pairwise_hinge(outputs: Tensor, target: Tensor, weights: Tensor, generator: torch.Generator) -> Tensor:
    """Weighted mean of ``max(0, m - (f_i - f_j))`` over pairs with ``t_i > t_j``, with ``m = min(t_i - t_j, 1)``.

    The margin is the difference of the (standardised) targets themselves, so that pairs that noise has swapped are
    asked for little. Each architecture meets 16 others, drawn anew at each evaluation.
    """
    count = len(target)
    order = torch.randperm(count, generator=generator)
    shifts = torch.randperm(max(count - 1, 1), generator=generator)[:_SHIFTS] + 1
    left = order.repeat(len(shifts))
    right = torch.cat([order.roll(int(shift)) for shift in shifts])
    difference = target[left] - target[right]
    margin = difference.abs().clamp(max=1)[:, None]
    gained = difference.sign()[:, None] * (outputs[left] - outputs[right])
    pair_weights = weights[left] * weights[right]
    hinge = pair_weights * torch.relu(margin - gained)
    return (hinge.sum(dim=0) / pair_weights.sum(dim=0).clamp(min=1e-6)).mean()


def list_mle(outputs: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """ListMLE (Xia et al., ICML 2008, section 4.2): minus the log likelihood, per item, of the targets' order.

    ``-sum_k w_k (f_k - log sum_(l >= k) exp f_l) / sum_k w_k`` with items sorted best first; items of weight zero are
    not in the list.
    """
    order = torch.argsort(target, descending=True, stable=True)
    listed, weight = outputs[order], weights[order]
    logits = torch.where(weight > 0, listed, torch.full_like(listed, -1e9))
    tail = torch.logcumsumexp(logits.flip(0), dim=0).flip(0)
    terms = weight * torch.where(weight > 0, tail - logits, torch.zeros_like(tail))
    return (terms.sum(dim=0) / weight.sum(dim=0)).mean()
