"""NASWOT: how differently images switch the network's rectifiers."""

from __future__ import annotations

import torch

from archatlas.scores.probe import Probe


def nwot(probe: Probe) -> float:
    """``log |det K|``, where ``K_ij`` counts the rectifiers on which images i and j agree, both on or both off.

    K is the kernel ``N_A - d_H(c_i, c_j)`` of binary codes c with the Hamming distance d_H (Mellor et al., ICML 2021,
    arXiv 2006.04647 version 3, equation 2), added up layer by layer as in the authors' code. Labels and gradients do
    not matter. Minus infinity if two images have the same code, or the network rectifies nothing.
    """
    return float(torch.linalg.slogdet(probe.agreement).logabsdet)
