"""How winners are trained on: who shares the workers, and how many epochs the time that is left allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from archatlas.schedule.epochs import LOOP, MOST_EPOCHS, MOST_STEPS, batch_size, most_epochs, with_liked_steps
from archatlas.schedule.facts import Facts
from archatlas.schedule.pace import Pace

MOST_CONTENDERS = 3
"""Of each budget so many networks are trained on at most."""
FEWEST_EPOCHS = 4
_LEAST_SHARE = 32
"""Images of a step for each of several processes: batch norm is each one's own."""
_MOST_SURPRISE = 1.6
"""Finishing is some half of a run: where it takes so many times as long as planned, the run takes a quarter longer."""
_SHARED = 0.92
"""Processes that share a training's steps do so much of what as many do that train a network each."""


@dataclass(frozen=True)
class Sharing:
    """How workers are shared out while winners are trained on.

    Attributes:
        contenders: networks of each budget.
        processes: that share the steps of each training.
        share: images of a step for each process.
    """

    contenders: int
    processes: int
    share: int

    @property
    def batch(self) -> dict[str, int]:
        """``batch_size`` where steps are shared; else nothing, and it is as for other trainings."""
        return {} if self.processes == 1 else {"batch_size": self.share * self.processes}


def sharing_of(budgets: int, pace: Pace, facts: Facts) -> Sharing:
    """Workers share the winners' trainings while each has images enough; those left over train the next best.

    None is left over where validation images are trained on too: nothing would tell networks apart.

    Args:
        budgets: winners, of which some may be one network.
        pace: of this machine.
        facts: of the run.
    """
    budgets, liked = max(budgets, 1), with_liked_steps(facts.finishing)
    processes = max(min(pace.processes // budgets, liked // _LEAST_SHARE), 1)
    share = batch_size(facts.finishing // processes)
    contenders = 1 if facts.with_validation else min(max(pace.workers // (budgets * processes), 1), MOST_CONTENDERS)
    return Sharing(contenders, processes, share)


def expected_load(now: float, so_far: float) -> float:
    """By what a training will be slower than on a quiet machine, of which it is known how busy it is now, and was.

    What else runs now may end in a moment or stay: the geometric mean of both, but no less than would keep a run within
    its bound if it stays.
    """
    now, so_far = max(now, 1.0), max(so_far, 1.0)
    return max(math.sqrt(now * so_far), now / _MOST_SURPRISE)


def finishing_now(
    left_s: float, planned: int, seconds_of: Sequence[float], sharing: Sharing, pace: Pace, facts: Facts
) -> int:
    """Epochs of each training that the seconds that are left allow, once it is known which networks are trained on.

    More than planned, where they are smaller or fewer than was feared; a sixth of what was planned at the least.

    Args:
        left_s: seconds for finishing.
        planned: epochs in the schedule.
        seconds_of: of an image forward and backward, of each network.
        sharing: of the workers.
        pace: of this machine.
        facts: of the run.
    """
    epochs, _ = finishing_epochs(left_s, [facts.finishing * LOOP * one for one in seconds_of], sharing, pace, facts)
    return max(epochs, planned // 6, 1)


def finishing_epochs(
    left_s: float, epochs_of: Sequence[float], sharing: Sharing, pace: Pace, facts: Facts
) -> tuple[int, float]:
    """Epochs of each training within the seconds that are left, and the seconds of all.

    An epoch of each takes one worker ``epochs_of``.
    """
    epoch_s = finishing_epoch(epochs_of, sharing, pace)
    epochs = min(max(int(left_s / epoch_s), FEWEST_EPOCHS), most_epochs(MOST_EPOCHS, MOST_STEPS, facts))
    return epochs, epochs * epoch_s


def finishing_epoch(epochs_of: Sequence[float], sharing: Sharing, pace: Pace) -> float:
    """Seconds in which all trainings have passed over their images once."""
    faster = 1.0 if sharing.processes == 1 else sharing.processes * _SHARED
    # The longest begins first; what is left over is shared out, so the longest or the sum decides.
    side_by_side = max(pace.workers // sharing.processes, 1)
    return max(max(epochs_of), sum(epochs_of) / side_by_side) / faster
