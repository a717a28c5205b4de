"""How winners are trained on: who shares the workers, and how many epochs the time that is left allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archatlas.schedule.epochs import (
    LOOP,
    batch_size,
    epoch_seconds,
    images_of_a_training,
    most_epochs_of_winners,
    with_liked_steps,
)
from archatlas.schedule.facts import Facts
from archatlas.schedule.pace import Pace

MOST_CONTENDERS = 3
"""Of each budget so many networks are trained on at most."""
FEWEST_EPOCHS = 4
_LEAST_SHARE = 32
"""Images of a step for each of several processes: batch norm is each one's own."""
_MOST_SURPRISE = 1.6
"""Finishing is some half of a run: where it takes so many times as long as planned, the run takes a quarter longer."""
_LARGER, _LEAST_OF_A_TEACHER = 1.2, 0.3
"""A teacher takes so many times as long for an image as its pupils, and has this part of the most epochs, at least."""
_SHARED = 0.92
"""Processes that share a training's steps do so much of what as many do that train a network each."""
BEFORE_SCHEDULE = ("prepare_images", "measure_costs")
"""Stages before a schedule is made, which count if they were run with it."""
_LAST = ("export", "test_winners", "audit", "report")
"""Stages after finishing."""


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


@dataclass(frozen=True)
class Expected:
    """Seconds that a schedule has for what is not finishing.

    Attributes:
        so_far: for all stages until winners are known.
        since: for those of them after the schedule was made.
        last: for stages after finishing.
    """

    so_far: float
    since: float
    last: float

    @classmethod
    def of(cls, planned: Mapping[str, float]) -> Expected:
        """What a schedule has by stage, summed up."""
        last = sum(planned.get(stage, 0.0) for stage in _LAST)
        so_far = sum(seconds for stage, seconds in planned.items() if stage not in ("finish_winners", *_LAST))
        return cls(so_far, so_far - sum(planned[stage] for stage in (*BEFORE_SCHEDULE, "plan_schedule")), last)


def time_left(planned_s: float, spent_s: float, slower: float, expected: Expected) -> float:
    """Seconds for finishing, as a quiet machine would take them, of a run that has spent some of those planned with.

    Finishing and what comes after it will be ``slower`` than there by this factor.
    """
    return (planned_s - spent_s - slower * expected.last) / slower


def expected_load(now: float, so_far: float) -> float:
    """By what a training will be slower than on a quiet machine, of which it is known how busy it is now, and was.

    What else runs now may end in a moment or stay: the geometric mean of both, but no less than would keep a run within
    its bound if it stays.
    """
    now, so_far = max(now, 1.0), max(so_far, 1.0)
    return max(math.sqrt(now * so_far), now / _MOST_SURPRISE)


@dataclass(frozen=True)
class Finishing:
    """How long winners are trained on.

    Attributes:
        epochs: of each training; where the largest network teaches, of its own.
        seconds: of all.
        teacher: ``finishing.teacher``.
        taught_epochs: of each training with a teacher.
    """

    epochs: int
    seconds: float
    teacher: str = "none"
    taught_epochs: int = 0

    @property
    def of_winners(self) -> int:
        """Epochs that a winner is trained on for, at the end."""
        return self.taught_epochs or self.epochs

    @property
    def teaching(self) -> dict[str, str | int]:
        """What ``finishing`` has in the place of its own, beside the epochs."""
        return {"teacher": self.teacher} | ({"taught_epochs": self.taught_epochs} if self.taught_epochs else {})


def epochs_of_winners(finishing: Mapping[str, Any]) -> int:
    """``of_winners``, of what a schedule has in the place of the section ``finishing``."""
    return int(finishing.get("taught_epochs") or finishing["training"]["epochs"])


def finishing_of(planned: Mapping[str, Any], done: Finishing, sharing: Sharing, facts: Facts) -> dict[str, Any]:
    """What ``finishing`` has in the place of its own, once it is known how long winners are trained on.

    Args:
        planned: the same, before.
        done: what is done now.
        sharing: of the workers, now.
        facts: of the run.
    """
    training = {name: value for name, value in planned["training"].items() if name != "batch_size"}
    return {
        **planned,
        "contenders": sharing.contenders,
        "processes": sharing.processes,
        **done.teaching,
        "training": {
            **training,
            **images_of_a_training(facts),
            **sharing.batch,
            "epochs": done.epochs,
            "warmup_epochs": min(training["warmup_epochs"], done.epochs / 8),
        },
    }


NO_FINISHING = Finishing(FEWEST_EPOCHS, 0.0)
"""Where winners are exported as they were trained alike."""


def finishing_now(
    left_s: float,
    planned: int,
    seconds_of: Sequence[float],
    sharing: Sharing,
    pace: Pace,
    facts: Facts,
    seconds_of_teachers: Sequence[float] = (),
) -> Finishing:
    """How long each is trained in the seconds that are left, once it is known which networks are trained on.

    Longer than planned, where they are smaller or fewer than was feared; a sixth of what was planned at the least.

    Args:
        left_s: seconds for finishing.
        planned: epochs in the schedule.
        seconds_of: of an image forward and backward, of each network.
        sharing: of the workers.
        pace: of this machine.
        facts: of the run.
        seconds_of_teachers: the same of those that may teach; where there is none, by the MACs of the largest.
    """
    epochs_of, teachers = ([facts.finishing * LOOP * one for one in of] for of in (seconds_of, seconds_of_teachers))
    least = max(planned // 6, 1)
    now = finishing_within(left_s, epochs_of, sharing, pace, facts, teachers)
    return now if now.epochs >= least else replace(now, epochs=least)


def finishing_within(
    left_s: float,
    epochs_of: Sequence[float],
    sharing: Sharing,
    pace: Pace,
    facts: Facts,
    teachers: Sequence[float] = (),
) -> Finishing:
    """How long winners are trained on within the seconds that are left.

    Where more epochs would gain nothing and seconds are left over, the largest network teaches, if these are enough to
    train it.

    Args:
        left_s: seconds for finishing.
        epochs_of: seconds that an epoch of each network takes one worker.
        sharing: of the workers.
        pace: of this machine.
        facts: of the run.
        teachers: the same of those that may teach; where there is none, by the MACs of the largest.
    """
    most = most_epochs_of_winners(facts)
    teachers = teachers or [epoch_seconds(facts.largest_macs, pace, facts.finishing)]
    heard = sum(epochs_of) if facts.teacher == "contenders" else max(teachers)
    listening = heard * pace.answer(facts.largest_macs) / pace.train(facts.largest_macs)
    alone_s, teachers_s, taught_s = (
        finishing_epoch(of, sharing, pace) for of in (epochs_of, teachers, [one + listening for one in epochs_of])
    )

    def within(seconds: float, epoch_s: float) -> int:
        return min(max(int(seconds / epoch_s), FEWEST_EPOCHS), most)

    if facts.teacher != "none":
        lessons_s = facts.taught_epochs * taught_s
        epoch_s = teachers_s if facts.teacher == "largest" else alone_s
        epochs = within(left_s - lessons_s, epoch_s)
        return Finishing(epochs, epochs * epoch_s + lessons_s, facts.teacher, facts.taught_epochs)
    lessons_s, of_teachers = most * taught_s, within(left_s - most * taught_s, teachers_s)
    worth_it = max(teachers) >= _LARGER * max(epochs_of) and of_teachers >= most * _LEAST_OF_A_TEACHER
    if facts.one_is_largest and worth_it:
        return Finishing(of_teachers, of_teachers * teachers_s + lessons_s, "largest", most)
    epochs = within(left_s, alone_s)
    return Finishing(epochs, epochs * alone_s)


def finishing_epoch(epochs_of: Sequence[float], sharing: Sharing, pace: Pace) -> float:
    """Seconds in which all trainings have passed over their images once."""
    faster = 1.0 if sharing.processes == 1 else sharing.processes * _SHARED
    # The longest begins first; what is left over is shared out, so the longest or the sum decides.
    side_by_side = max(pace.workers // sharing.processes, 1)
    return max(max(epochs_of), sum(epochs_of) / side_by_side) / faster
