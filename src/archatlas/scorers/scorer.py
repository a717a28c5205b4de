"""What a scorer is: something that puts networks in order before they are trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from archatlas.encodings.batch import ArchitectureBatch
    from archatlas.images.dataset import ImageSplit

Scores = NDArray[np.float64] | NDArray[np.int64]


@dataclass(frozen=True)
class Scorer:
    """A scorer of networks; what it says of a network is higher for a better one.

    Attributes:
        label: what figures, tables and sentences call it.
        source: where its scores come from. Those of super-networks, predictors and a public table are made by the run
            and handed on; a cost or a measure is made of the networks alone, by ``score``, or handed on where the run
            has made it.
        control: it needs no training, and every scorer that needs some has to beat it.
        audit_column: its scores in the table of the audit, where it is held against networks that the run trained;
            None: it is not. In the comparison with a public table its column is its name.
        colour: of its marks, by the theme's name.
        dash: of its lines.
        drawn: its scores are drawn network by network, too.
        score: scores ``[n]`` of a batch; it is given the training images, None where there are none. None of those that
            the run makes.
        slow: ``score`` passes images through every network, so that it is asked about the networks of an audit and not
            about those of a whole public table.
    """

    label: str
    source: Literal["supernet", "predictor", "table", "cost", "measure"]
    control: bool = False
    audit_column: str | None = None
    colour: Literal["blue", "orange", "green", "red", "purple", "grey"] = "grey"
    dash: Literal["solid", "dash", "dot"] = "solid"
    drawn: bool = False
    score: Callable[[ArchitectureBatch, ImageSplit | None], Scores] | None = None
    slow: bool = False
