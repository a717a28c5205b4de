"""From the time that a run was given, and the pace of this machine, to what it does with it.

What serves the user comes first: the longest part goes to training what is exported, the next to the super-networks and
to what is trained alike for the choice. An audit is made where it can say something.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archatlas.schedule.pace import Pace
from archatlas.schedule.time_budget import FEWEST_SAMPLED
from archatlas.training.parameters import FEWEST_OF_A_STEP

Json = dict[str, Any]

WITH_AUDIT_S = 3000
"""A run of so many seconds makes an audit, if it can afford ``FEWEST_AUDITED`` networks."""
FEWEST_AUDITED, MOST_AUDITED, AUDIT_EPOCHS = 20, 60, 12
TWO_SUPERNETS_S = 1200
"""A run of so many seconds trains two super-networks, whose disagreement tells of noise."""
MOST_EPOCHS, MOST_STEPS = 300, 15_000
"""Of finishing: more than so many passes over the images and steps gain nothing that a user would see."""
MOST_CONTENDERS = 3
"""Of each budget so many networks are trained on at most."""
_LIKED_BATCH, _LEAST_BATCH, _LIKED_STEPS = 64, 8, 16
"""Images of a step, fewer where an epoch would have less than so many steps."""
_LEAST_SHARE = 32
"""Images of a step for each of several processes: batch norm is each one's own."""
_SHARES = {"supernet": 0.20, "evaluation": 0.05, "alike": 0.18, "audit": 0.0, "finishing": 0.57}
_WITH_AUDIT = {"supernet": 0.20, "evaluation": 0.05, "alike": 0.18, "audit": 0.20, "finishing": 0.37}
_SAMPLES = ((900, 150, 3), (3600, 300, 8), (math.inf, 600, 16))
"""Up to so many seconds: so many architectures, and so many trials of the study."""
_ENOUGH = 0.7
_CONTESTANTS = ((4, 5), (3, 3), (2, 3), (2, 2), (2, 1), (1, 1))
"""Finalists and random networks of each budget, from what one would like to what must be."""
_MOST_CONTESTANTS = 8
"""Of either kind: workers that would have nothing to do train more of them, up to so many."""
_LIKED_EPOCHS, _FEWEST_EPOCHS = 10, 4
USED = 0.97
"""Share of the time that is planned with: starting and deciding take the rest."""
_TRAINED_TO_LIMIT = 0.9
"""MACs of what keeps a budget, as a share of its limit."""
_SHARED_PREFIXES = 0.35
MOST_MAPPED = 1_000_000
"""Spaces of more networks are not written out but sampled (`atlas.max_networks`)."""
LOOP = 1.12
"""A step of a training against one of the pace's: augmentation, and what else runs on a machine."""
_THREADS = 0.75
"""One network on ``w`` threads is ``w ** _THREADS`` times as fast as on one."""
_SHARED = 0.92
"""Processes that share a training's steps do so much of what as many do that train a network each."""


@dataclass(frozen=True)
class Facts:
    """What a schedule must know of the images and the space."""

    train: int
    validation: int
    calibration: int
    mean_macs: float
    median_macs: float
    largest_macs: float
    networks: int
    largest_first: bool
    """Whether super-networks can begin with their largest path."""
    limits: Mapping[str, float] = field(default_factory=lambda: {"any": 1.0})
    """By budget, the most MACs that it permits. Only trainings alone depend on them."""
    comparisons: bool = True
    """Whether a MobileNet stands beside each winner."""
    devices: int = 1
    """How many share each step's images."""
    with_validation: bool = False
    """Whether winners are trained on with the validation images too."""

    @property
    def finishing(self) -> int:
        """Images that winners are trained on with."""
        return self.train + self.validation * self.with_validation


@dataclass(frozen=True)
class Schedule:
    """What a run does, by stage: changes of its parameters, and about how long it takes.

    Attributes:
        supernet: what ``params:supernet`` has in the place of its own.
        sample: the same of ``sample``.
        tuning: the same of ``tuning``.
        verification: the same of ``verification``.
        finishing: the same of ``finishing``.
        seconds: by stage.
        gave_up: what the time does not allow, in words.
    """

    supernet: Json
    sample: Json
    tuning: Json
    verification: Json
    finishing: Json
    seconds: Mapping[str, float]
    gave_up: tuple[str, ...] = field(default=())

    @property
    def promised(self) -> float:
        """Seconds of the whole run."""
        return sum(self.seconds.values())


def allocate(budget_s: float, pace: Pace, facts: Facts) -> Schedule:
    """The schedule of a run that may take ``budget_s`` seconds.

    Where even the least that makes sense takes longer, that is planned, and ``gave_up`` says so.
    """
    samples, trials = next((count, trials) for most, count, trials in _SAMPLES if budget_s <= most)
    samples = min(samples, facts.networks)
    seconds = _overhead(samples, trials, facts)
    free = max(budget_s * USED - sum(seconds.values()), 0.0)
    audited = _audited(free * _WITH_AUDIT["audit"], pace, facts) if budget_s >= WITH_AUDIT_S else 0
    shares = _WITH_AUDIT if audited else _SHARES
    gave_up: list[str] = []
    if not audited:
        gave_up.append(_no_audit(budget_s, pace, facts))

    evaluated, seeds = _evaluations(free * shares["evaluation"], samples, budget_s, pace, facts)
    if evaluated < _ENOUGH * samples:
        gave_up.append(f"only {evaluated} networks are scored: a sample this small teaches a predictor little")
    first, then, supernet_s = _supernet(free * shares["supernet"], seeds, pace, facts)
    top_k, random, epochs, alike_s = _alike(free * shares["alike"], pace, facts)
    if epochs < _LIKED_EPOCHS:
        gave_up.append(f"finalists are trained for {epochs} epochs before one is chosen: the choice is noisy")
    audit_s = audited * _epoch(facts.mean_macs, pace, facts.train) * _audit_epochs(facts) / pace.workers
    evaluation_s = _evaluation_s(evaluated, seeds, pace, facts) + _evaluation_s(audited, seeds, pace, facts)
    spent = supernet_s + evaluation_s + alike_s + audit_s
    sharing = sharing_of(len(facts.limits), pace, facts)
    epochs_of = _epochs_within(facts.limits, pace, facts.finishing) * sharing.contenders
    finishing_epochs, finishing_s = _finishing(free - spent, epochs_of, sharing, pace, facts)
    if finishing_epochs < 4 * _LIKED_EPOCHS:
        gave_up.append(f"winners are trained on for {finishing_epochs} epochs only: they will get better with more")
    seconds |= {
        "train_supernet": supernet_s,
        "evaluate_subnets": evaluation_s,
        "verify_candidates": alike_s + audit_s + 4,
        "finish_winners": finishing_s,
    }
    total = sum(seconds.values())
    if total > budget_s * 1.1:
        gave_up.append(
            f"{budget_s / 60:.0f} minutes are too few for these images: the least that makes sense takes about "
            f"{total / 60:.0f}; fewer images (`images.max_images`), smaller ones or fewer budgets would fit"
        )
    batch = _fewer_of_a_step(facts)
    return Schedule(
        supernet={
            "seeds": seeds,
            "largest_first_epochs": first,
            "training": {**batch, "epochs": then, "warmup_epochs": min(1.0, first / 4 if first else then / 4)},
        },
        sample={"architectures": evaluated},
        tuning={"trials": trials},
        verification={
            "top_k": top_k,
            "seeds": 1,
            "random_networks": random,
            "training": {**batch, "epochs": epochs, "warmup_epochs": min(1.0, epochs / 4)},
            "audit": {
                "networks": audited,
                "seeds": 1,
                "training": {**batch, "epochs": _audit_epochs(facts), "warmup_epochs": 1.0},
            },
        },
        finishing={
            "seeds": 1,
            "contenders": sharing.contenders,
            "processes": sharing.processes,
            "training": {
                **batch,
                **sharing.batch,
                "epochs": finishing_epochs,
                "warmup_epochs": min(2.0, finishing_epochs / 8),
            },
        },
        seconds=seconds,
        gave_up=tuple(gave_up),
    )


def batch_size(images: int) -> int:
    """Images of a step: a power of two, of which an epoch has some ``_LIKED_STEPS``, within the bounds above."""
    return min(max(_with_liked_steps(images), _LEAST_BATCH), _LIKED_BATCH)


def _with_liked_steps(images: int) -> int:
    return 1 << int(math.log2(max(images / _LIKED_STEPS, 1)))


def _fewer_of_a_step(facts: Facts) -> dict[str, int]:
    """``batch_size`` where there are few images, as devices can share it; else nothing, and it is as configured."""
    liked = batch_size(facts.train)
    if liked >= _LIKED_BATCH:
        return {}
    return {"batch_size": max(liked - liked % facts.devices, FEWEST_OF_A_STEP * facts.devices)}


def _most(epochs: int, steps: int, facts: Facts) -> int:
    """So many epochs, or what makes so many steps: few images are passed over more often."""
    of_an_epoch = max(facts.train // batch_size(facts.train), 1)
    return max(epochs, min(math.ceil(steps / of_an_epoch), 10_000))


def _audit_epochs(facts: Facts) -> int:
    return _most(AUDIT_EPOCHS, 400, facts)


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
    budgets, liked = max(budgets, 1), _with_liked_steps(facts.finishing)
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
    epochs, _ = _finishing(left_s, [facts.finishing * LOOP * one for one in seconds_of], sharing, pace, facts)
    return max(epochs, planned // 6, 1)


_MOST_SURPRISE = 1.6
"""Finishing is some half of a run: where it takes so many times as long as planned, the run takes a quarter longer."""


def more_time(budget_s: float, pace: Pace, facts: Facts) -> list[str]:
    """What twice and four times the time would buy, a line each."""
    now, lines = allocate(budget_s, pace, facts), []
    for times in (2, 4):
        then = allocate(times * budget_s, pace, facts)
        gains = [
            f"{then.finishing['training']['epochs']} epochs for the winners instead of "
            f"{now.finishing['training']['epochs']}",
            f"{then.verification['training']['epochs']} for finalists instead of "
            f"{now.verification['training']['epochs']}",
        ]
        networks = then.verification["audit"]["networks"]
        if networks > now.verification["audit"]["networks"]:
            gains.append(f"an audit of {networks} networks")
        lines.append(f"{times * budget_s / 60:.0f} minutes: {', '.join(gains)}")
    return lines


def _overhead(samples: int, trials: int, facts: Facts) -> dict[str, float]:
    """Seconds of the stages that take as long as they take."""
    hundreds = samples / 100
    return {
        "prepare_images": 4 + (facts.train + facts.validation) / 1200,
        "measure_costs": 18.0,
        "plan_schedule": 14.0,
        "fit_predictor": 3 + 3.5 * hundreds,
        "tune_predictor": 2 + 0.6 * trials * hundreds,
        "map_space": 3 + min(facts.networks, MOST_MAPPED) / 60_000,
        "export": 10.0,
        "report": 12.0,
    }


def _epoch(macs: float, pace: Pace, images: int) -> float:
    """Seconds that one worker takes for one epoch of a network."""
    return images * pace.train(macs) * LOOP


def _epochs_within(limits: Mapping[str, float], pace: Pace, images: int) -> list[float]:
    """The same of a network that keeps each budget."""
    return [_epoch(_TRAINED_TO_LIMIT * limit, pace, images) for limit in limits.values()]


def _evaluation_s(count: int, seeds: int, pace: Pace, facts: Facts) -> float:
    images = 2 * facts.calibration + facts.validation
    return count * images * pace.answer(facts.mean_macs) * _SHARED_PREFIXES * _turns(seeds, pace)


def _turns(seeds: int, pace: Pace) -> float:
    """How long super-networks take that share the workers, against one on one thread."""
    side_by_side = min(seeds, pace.workers)
    return seeds / float(side_by_side * (pace.workers / side_by_side) ** _THREADS)


def _evaluations(share_s: float, samples: int, budget_s: float, pace: Pace, facts: Facts) -> tuple[int, int]:
    """Networks to evaluate, and super-networks to do it on."""
    seeds = 2 if budget_s >= TWO_SUPERNETS_S else 1
    one = _evaluation_s(1, seeds, pace, facts)
    return max(min(samples, int(share_s / one)), min(FEWEST_SAMPLED, samples)), seeds


def _supernet(share_s: float, seeds: int, pace: Pace, facts: Facts) -> tuple[int, int, float]:
    """Epochs of the largest path, of all paths, and the seconds of both."""
    turns = _turns(seeds, pace)
    largest, mean = (_epoch(macs, pace, facts.train) * turns for macs in (facts.largest_macs, facts.mean_macs))
    if not facts.largest_first:
        then = min(max(int(share_s / mean), 4), _most(100, 6000, facts))
        return 0, then, then * mean
    then = min(max(int(share_s / (largest / 2 + mean)), 4), _most(60, 4000, facts))
    first = max(then // 2, 2)
    return first, then, first * largest + then * mean


def _alike(share_s: float, pace: Pace, facts: Facts) -> tuple[int, int, int, float]:
    """Finalists and random networks of each budget, epochs of each training, and the seconds of all."""
    epochs_of = _epochs_within(facts.limits, pace, facts.train)
    beside, budgets = int(facts.comparisons), len(epochs_of)
    for finalists, others in _CONTESTANTS:
        # Finalists first, then what stands beside them: workers wait for the last of either.
        rounds = [math.ceil(count * budgets / pace.workers) for count in (finalists, others + beside)]
        top_k, at_once = (max(min(turns * pace.workers // budgets, _MOST_CONTESTANTS), 1) for turns in rounds)
        random = at_once - beside
        epoch_s = sum(rounds) * sum(epochs_of) / budgets
        epochs = min(int(share_s / epoch_s), _most(4 * _LIKED_EPOCHS, 2000, facts))
        if epochs >= _LIKED_EPOCHS:
            break
    epochs = max(epochs, _FEWEST_EPOCHS)
    return top_k, random, epochs, epochs * epoch_s


def _audited(share_s: float, pace: Pace, facts: Facts) -> int:
    """Networks of an audit that this time allows; 0 where they would say nothing."""
    one = _audit_epochs(facts) * _epoch(facts.mean_macs, pace, facts.train) / pace.workers
    count = min(int(share_s / one), MOST_AUDITED)
    return count if count >= FEWEST_AUDITED else 0


def _no_audit(budget_s: float, pace: Pace, facts: Facts) -> str:
    one = _audit_epochs(facts) * _epoch(facts.mean_macs, pace, facts.train) / pace.workers
    needed = max(30 * one / _WITH_AUDIT["audit"] + 120, WITH_AUDIT_S)
    afforded = int(budget_s * _WITH_AUDIT["audit"] / one)
    few = f"{afforded} networks would say nothing" if afforded < FEWEST_AUDITED else "the winner needs the time"
    return f"no audit: {few}; {math.ceil(needed / 360) / 10:g} h would allow 30"


def _finishing(
    left_s: float, epochs_of: Sequence[float], sharing: Sharing, pace: Pace, facts: Facts
) -> tuple[int, float]:
    """Epochs of each training, and the seconds of all; an epoch of each takes one worker ``epochs_of``."""
    faster = 1.0 if sharing.processes == 1 else sharing.processes * _SHARED
    # The longest begins first; what is left over is shared out, so the longest or the sum decides.
    side_by_side = max(pace.workers // sharing.processes, 1)
    epoch_s = max(max(epochs_of), sum(epochs_of) / side_by_side) / faster
    epochs = min(max(int(left_s / epoch_s), _FEWEST_EPOCHS), _most(MOST_EPOCHS, MOST_STEPS, facts))
    return epochs, epochs * epoch_s
