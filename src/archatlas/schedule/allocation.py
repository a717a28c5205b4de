"""From the time that a run was given, and the pace of this machine, to what it does with it.

What serves the user comes first: the longest part goes to training what is exported, as long as that can use it, the
next to the super-networks and to what is trained alike for the choice. An audit is made where it can say something.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from archatlas.schedule.epochs import (
    epoch_seconds,
    epochs_within,
    images_of_a_training,
    most_epochs,
    most_epochs_of_winners,
)
from archatlas.schedule.facts import Facts
from archatlas.schedule.finishing import (
    FEWEST_EPOCHS,
    NO_FINISHING,
    Sharing,
    epochs_of_winners,
    finishing_epoch,
    finishing_within,
    sharing_of,
)
from archatlas.schedule.pace import Pace
from archatlas.schedule.time_budget import FEWEST_SAMPLED, LONGEST
from archatlas.signals.schedule import TOO_LONG

Json = dict[str, Any]

USED = 0.97
"""Share of the time that is planned with: starting and deciding take the rest."""
_SUPERNET, _EVALUATION, _ALIKE, _FINISHING = 0.20, 0.05, 0.18, 0.57
"""Shares of the time that training has. An audit takes of finishing; what finishing cannot use is for what is alike."""
WITH_AUDIT_S = 3000
"""A run of so many seconds makes an audit, if it can afford ``FEWEST_AUDITED`` networks."""
FEWEST_AUDITED, MOST_AUDITED, _AUDIT_EPOCHS, _AUDIT_STEPS = 20, 60, 12, 400
_MOST_FOR_AUDIT = 0.3
"""Of the time that training has; and it leaves finishing half of what that could use, or ``_LEFT_TO_WINNERS``."""
TWO_SUPERNETS_S = 1200
"""A run of so many seconds trains two super-networks, whose disagreement tells of noise."""
_SAMPLES = ((900, 150, 3), (3600, 300, 8), (math.inf, 600, 16))
"""Up to so many seconds: so many architectures, and so many trials of the study."""
_ENOUGH = 0.7
_TOO_MUCH = 1.5
"""What is trained alike may take so many times its share. Beyond that an epoch has fewer images."""
_CROWDED = (0.75, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)
"""Parts of the images that are tried then."""
_LEAST_OF_AN_EPOCH = 2000
_LEFT_TO_WINNERS = 0.25
"""Of the time that training has, whatever an audit would take."""
_CONTESTANTS = ((4, 5), (3, 3), (2, 3), (2, 2))
"""Finalists and random networks of each budget, from what one would like to what must be: of one nothing is chosen, and
one has no spread, which says what chance does."""
_LIKED_CONTESTANTS = 3
_FEWER_IMAGES = (0.75, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)
"""Parts of the images that are tried where there are too many."""
_MOST_CONTESTANTS = 8
"""Of either kind: workers that would have nothing to do train more of them, up to so many."""
_LIKED_EPOCHS = 10
_FEWEST_PASSES = 4
"""Epochs of a super-network."""
_SHARED_PREFIXES = 0.35
MOST_MAPPED = 1_000_000
"""Spaces of more networks are not written out but sampled (`atlas.max_networks`)."""
_THREADS = 0.75
"""One network on ``w`` threads is ``w ** _THREADS`` times as fast as on one."""


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
        part: of the training images, in an epoch of what is trained alone.
        crowded: whether what is trained alike takes far more than its share, though it has as few epochs as make sense.
    """

    supernet: Json
    sample: Json
    tuning: Json
    verification: Json
    finishing: Json
    seconds: Mapping[str, float]
    gave_up: tuple[str, ...] = field(default=())
    part: float = 1.0
    crowded: bool = False

    @property
    def images_per_epoch(self) -> int | None:
        """Of what is trained alone, where not all."""
        images: int | None = self.finishing["training"].get("images_per_epoch")
        return images

    @property
    def promised(self) -> float:
        """Seconds of the whole run."""
        return sum(self.seconds.values())


def allocate(budget_s: float, pace: Pace, facts: Facts) -> Schedule:
    """The schedule of a run that may take ``budget_s`` seconds.

    Where even the least that makes sense takes longer, that is planned, and ``gave_up`` says so.
    """
    lengths = [max(int(part * facts.train), _LEAST_OF_AN_EPOCH) for part in _CROWDED]
    for length in (None, *dict.fromkeys(length for length in lengths if length < facts.train)):
        schedule = _allocate(budget_s, pace, replace(facts, images_per_epoch=length))
        fits = schedule.promised <= budget_s * TOO_LONG
        if fits and not schedule.crowded:
            break
    if fits:
        return schedule
    fewer = (facts.of_fewer(share) for share in _FEWER_IMAGES)
    fitting = next((few for few in fewer if _allocate(budget_s, pace, few).promised <= budget_s * TOO_LONG), None)
    cure = "fewer budgets or smaller images would take less"
    if fitting is not None and fitting.images:
        cure = f"`images.max_images` of {fitting.images} would fit"
    too_few = (
        f"{budget_s / 60:.0f} minutes are too few for these images: the least that makes sense takes about "
        f"{schedule.promised / 60:.0f}; {cure}"
    )
    return replace(schedule, gave_up=(*schedule.gave_up, too_few))


def _allocate(budget_s: float, pace: Pace, facts: Facts) -> Schedule:
    """The same, without a word on whether it fits."""
    samples, trials = _samples(budget_s, facts)
    seconds = _overhead(samples, trials, facts)
    free = _free(budget_s, facts)
    gave_up: list[str] = []
    epochs_of, sharing = _of_winners(pace, facts)
    audited = _audited(budget_s, pace, facts)
    if not audited:
        gave_up.append(_no_audit(budget_s, pace, facts))

    evaluated, seeds = _evaluations(free * _EVALUATION, samples, budget_s, pace, facts)
    if evaluated < _ENOUGH * samples:
        gave_up.append(f"only {evaluated} networks are scored: a sample this small teaches a predictor little")
    seen = _seen_by_supernets(free * _SUPERNET, seeds, pace, facts)
    first, then, supernet_s = _supernet(free * _SUPERNET, seeds, pace, seen)
    audit_s = audited * _audit_network(pace, facts) + _evaluation_s(audited, seeds, pace, facts)
    unused = max(free * _FINISHING - audit_s - _most_for_finishing(pace, facts), 0.0)
    top_k, random, epochs, alike_s, calibration_s = _alike(free * _ALIKE + unused, pace, facts)
    if min(top_k, random) < _LIKED_CONTESTANTS:
        gave_up.append(
            f"{top_k} finalists and {random} random networks of each budget are compared: more would say more"
        )
    if epochs < _LIKED_EPOCHS:
        gave_up.append(f"finalists are trained for {epochs} epochs before one is chosen: the choice is noisy")
    evaluation_s, candidates_s = (_evaluation_s(count, seeds, pace, facts) for count in (evaluated, facts.candidates))
    spent = supernet_s + evaluation_s + candidates_s + alike_s + audit_s + calibration_s
    finishing = finishing_within(free - spent, epochs_of, sharing, pace, facts) if facts.finishes else NO_FINISHING
    if facts.epoch < facts.train:
        gave_up.append(
            f"what is trained alone sees {facts.epoch:,} of {facts.train:,} images in an epoch, others in each"
        )
    if facts.finishes and finishing.of_winners < 4 * _LIKED_EPOCHS:
        gave_up.append(f"winners are trained on for {finishing.of_winners} epochs only: they will get better with more")
    seconds |= {
        "train_supernet": supernet_s,
        "evaluate_subnets": evaluation_s,
        "verify_candidates": candidates_s + alike_s + 4,
        "finish_winners": finishing.seconds,
        "audit": audit_s,
    }
    if calibration_s:
        seconds["calibrate_predictor"] = calibration_s
    images = images_of_a_training(facts)
    return Schedule(
        supernet={
            "seeds": seeds,
            "largest_first_epochs": first,
            "training": {
                **images_of_a_training(seen),
                "epochs": then,
                "warmup_epochs": min(1.0, first / 4 if first else then / 4),
            },
        },
        sample={"architectures": evaluated},
        tuning={"trials": trials},
        verification={
            "top_k": top_k,
            "seeds": 1,
            "random_networks": random,
            "training": {**images, "epochs": epochs, "warmup_epochs": min(1.0, epochs / 4)},
            "audit": {
                "networks": audited,
                "seeds": 1,
                "training": {**images, "epochs": _audit_epochs(facts), "warmup_epochs": 1.0},
            },
        },
        finishing={
            "seeds": 1,
            "contenders": sharing.contenders,
            "processes": sharing.processes,
            **finishing.teaching,
            "training": {
                **images,
                **sharing.batch,
                "epochs": finishing.epochs,
                "warmup_epochs": min(2.0, finishing.epochs / 8),
            },
        },
        seconds=seconds,
        gave_up=tuple(gave_up),
        part=facts.epoch / facts.train,
        crowded=facts.finishes and epochs == FEWEST_EPOCHS and alike_s > _TOO_MUCH * (free * _ALIKE + unused),
    )


def more_time(budget_s: float, pace: Pace, facts: Facts) -> list[str]:
    """What twice and four times the time would buy, a line each."""
    now, lines = allocate(budget_s, pace, facts), []
    for times in (2, 4):
        longer = facts.in_time(times * budget_s)
        then = allocate(times * budget_s, pace.on_larger(longer.area(facts)), longer)
        larger = [f"images of {longer.image_size} pixels"] if longer.image_size > facts.image_size else []
        gains = [*larger, *_gains(now, then)]
        lines.append(f"{times * budget_s / 60:.0f} minutes: {', '.join(gains) or 'nothing more'}")
    return lines


def _gains(now: Schedule, then: Schedule) -> list[str]:
    """What a run has more of by the second schedule than by the first."""
    counted: dict[str, Callable[[Schedule], float]] = {
        "epochs for the winners": lambda one: _told(one.part * epochs_of_winners(one.finishing)),
        "epochs for finalists": lambda one: _told(one.part * one.verification["training"]["epochs"]),
        "finalists of each budget": lambda one: one.verification["top_k"],
        "random networks beside them": lambda one: one.verification["random_networks"],
    }
    compared = {what: (count(now), count(then)) for what, count in counted.items()}
    gains = [f"{more:g} {what} instead of {few:g}" for what, (few, more) in compared.items() if more > few]
    if then.finishing["teacher"] != now.finishing["teacher"]:
        gains.append("the largest network as the winners' teacher")
    audited = then.verification["audit"]["networks"]
    if audited > now.verification["audit"]["networks"]:
        gains.append(f"an audit of {audited} networks")
    return gains


def _told(passes: float) -> float:
    """Passes over all images, as one would say them."""
    return round(passes) if passes >= 10 else round(passes, 1)


def _samples(budget_s: float, facts: Facts) -> tuple[int, int]:
    """Architectures to sample at the most, and trials of the study."""
    samples, trials = next((count, trials) for most, count, trials in _SAMPLES if budget_s <= most)
    return min(samples, facts.networks), trials


def _free(budget_s: float, facts: Facts) -> float:
    """Seconds that are left for training, once the other stages have theirs."""
    return max(budget_s * USED - sum(_overhead(*_samples(budget_s, facts), facts).values()), 0.0)


def _overhead(samples: int, trials: int, facts: Facts) -> dict[str, float]:
    """Seconds of the stages that take as long as they take."""
    hundreds = samples / 100
    return {
        "prepare_images": 4 + (facts.train + facts.validation) / 1200 if facts.prepared_s is None else facts.prepared_s,
        "measure_costs": 18.0,
        "plan_schedule": 14.0,
        "fit_predictor": 3 + 3.5 * hundreds,
        "tune_predictor": 2 + 0.6 * trials * hundreds,
        "map_space": 3 + min(facts.networks, MOST_MAPPED) / 60_000,
        "export": 10.0,
        "test_winners": 4.0,
        "report": 12.0,
    }


def _evaluation_s(count: int, seeds: int, pace: Pace, facts: Facts) -> float:
    images = 2 * facts.calibration + facts.validation
    return count * images * pace.answer(facts.mean_macs) * _SHARED_PREFIXES * _turns(seeds, pace)


def _turns(seeds: int, pace: Pace) -> float:
    """How long super-networks take that share the workers, against one on one thread."""
    side_by_side = min(seeds, pace.workers)
    return seeds / float(side_by_side * (pace.workers / side_by_side) ** _THREADS)


def _evaluations(share_s: float, samples: int, budget_s: float, pace: Pace, facts: Facts) -> tuple[int, int]:
    """Networks to evaluate, and super-networks to do it on."""
    seeds = max(2 if budget_s >= TWO_SUPERNETS_S else 1, facts.fewest_supernets)
    one = _evaluation_s(1, seeds, pace, facts)
    return max(min(samples, int(share_s / one)), min(FEWEST_SAMPLED, samples)), seeds


def _seen_by_supernets(share_s: float, seeds: int, pace: Pace, facts: Facts) -> Facts:
    """The facts with as many images of an epoch as the least number of epochs has the time for.

    They depend on nothing that is trained alone, so that another budget leaves super-networks as they are.
    """
    largest, mean = _supernet_epochs(seeds, pace, replace(facts, images_per_epoch=None))
    allowed = int(facts.train * share_s / (_FEWEST_PASSES * (mean + largest / 2)))
    images = max(allowed, min(_LEAST_OF_AN_EPOCH, facts.train))
    return replace(facts, images_per_epoch=images if images < facts.train else None)


def _supernet_epochs(seeds: int, pace: Pace, facts: Facts) -> tuple[float, float]:
    """Seconds of an epoch of the largest path, 0 where it does not begin, and of one of all paths."""
    turns = _turns(seeds, pace)
    largest = epoch_seconds(facts.largest_macs, pace, facts.epoch) * turns * facts.largest_first
    return largest, epoch_seconds(facts.mean_macs, pace, facts.epoch) * turns * facts.paths


def _supernet(share_s: float, seeds: int, pace: Pace, facts: Facts) -> tuple[int, int, float]:
    """Epochs of the largest path, of all paths, and the seconds of both."""
    largest, mean = _supernet_epochs(seeds, pace, facts)
    if not facts.largest_first:
        # Weights of others, trained before, need less.
        most = most_epochs(50, 3000, facts) if facts.warm else most_epochs(100, 6000, facts)
        then = min(max(int(share_s / mean), _FEWEST_PASSES), most)
        return 0, then, then * mean
    then = min(max(int(share_s / (largest / 2 + mean)), _FEWEST_PASSES), most_epochs(60, 4000, facts))
    first = max(then // 2, 2)
    return first, then, first * largest + then * mean


def _alike(share_s: float, pace: Pace, facts: Facts) -> tuple[int, int, int, float, float]:
    """Finalists and random networks of each budget, epochs of each training, and the seconds of all.

    And the seconds of the trainings, as long, by which a predictor is calibrated.
    """
    most = most_epochs(4 * _LIKED_EPOCHS, 2000, facts) if facts.finishes else most_epochs_of_winners(facts)
    calibration_s = facts.calibrated * epoch_seconds(facts.mean_macs, pace, facts.epoch) / pace.workers
    epochs_of = epochs_within(facts.limits, pace, facts.epoch)
    beside, budgets = facts.comparisons, len(epochs_of)
    for finalists, others in _CONTESTANTS:
        # Finalists first, then what stands beside them: workers wait for the last of either.
        rounds = [math.ceil(count * budgets / pace.workers) for count in (finalists, others + beside)]
        top_k, at_once = (max(min(turns * pace.workers // budgets, _MOST_CONTESTANTS), 1) for turns in rounds)
        random = at_once - beside
        epoch_s = sum(rounds) * sum(epochs_of) / budgets
        epochs = min(int(share_s / (epoch_s + calibration_s)), most)
        if epochs >= _LIKED_EPOCHS:
            break
    epochs = max(epochs, FEWEST_EPOCHS)
    return top_k, random, epochs, epochs * epoch_s, epochs * calibration_s


def _audit_epochs(facts: Facts) -> int:
    return most_epochs(_AUDIT_EPOCHS, _AUDIT_STEPS, facts)


def _audit_network(pace: Pace, facts: Facts) -> float:
    """Seconds of one network of the audit, where all workers train one."""
    return _audit_epochs(facts) * epoch_seconds(facts.mean_macs, pace, facts.epoch) / pace.workers


def _audited(budget_s: float, pace: Pace, facts: Facts) -> int:
    """Networks of an audit that a run of so many seconds allows; 0 where they would say nothing."""
    if budget_s < WITH_AUDIT_S:
        return 0
    count = _auditable(budget_s, pace, facts)
    return count if count >= FEWEST_AUDITED else 0


def _auditable(budget_s: float, pace: Pace, facts: Facts) -> int:
    """The same, whatever they would say."""
    free = _free(budget_s, facts)
    winners_s = min(_most_for_finishing(pace, facts) / 2, free * _LEFT_TO_WINNERS)
    left = min(free * _MOST_FOR_AUDIT, free * _FINISHING - winners_s)
    return max(min(int(left / _audit_network(pace, facts)), MOST_AUDITED), 0)


def _of_winners(pace: Pace, facts: Facts) -> tuple[list[float], Sharing]:
    """Seconds of one worker for an epoch of what is trained on for each budget, and how workers are shared out."""
    sharing = sharing_of(len(facts.limits), pace, facts)
    return epochs_within(facts.limits, pace, facts.finishing) * sharing.contenders, sharing


def _most_for_finishing(pace: Pace, facts: Facts) -> float:
    """Seconds beyond which more epochs would gain nothing that a user would see; 0 where winners are not trained on."""
    return facts.finishes * most_epochs_of_winners(facts) * finishing_epoch(*_of_winners(pace, facts), pace)


def _no_audit(budget_s: float, pace: Pace, facts: Facts) -> str:
    afforded = _auditable(budget_s, pace, facts)
    few = f"{afforded} networks would say too little"
    if not 0 < afforded < FEWEST_AUDITED:
        few = "the winner needs the time"

    def audited_in(seconds: float) -> int:
        then = facts.in_time(seconds)
        return _audited(seconds, pace.on_larger(then.area(facts)), then)

    longer = range(int(budget_s // 360) + 1, LONGEST // 360 + 1)
    needed = next((tenths / 10 for tenths in longer if audited_in(tenths * 360)), None)
    then = "more time than a month would allow one" if needed is None else f"{needed:g} h would allow {FEWEST_AUDITED}"
    return f"no audit: {few}; {then}"
