"""A ranking in words: what it goes by, whose networks percentiles refer to, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterator

from archatlas.reporting import numbers
from archatlas.transfer.rank import RankedNetwork, Ranking

_TASKS = {"imagenet": "a task like ImageNet-1k", "cifar": "a task like CIFAR-10"}
_SOURCES = {
    "timm": "timm (trained on ImageNet-1k alone)",
    "nas_bench_201": "NAS-Bench-201",
    "nas_bench_101": "NAS-Bench-101",
    "nas_bench_macro": "NAS-Bench-Macro",
}
_ORDERS = {"params": "the number of params", "macs": "MACs", "depth": "depth"}

COLUMNS = (
    "rank",
    "network",
    "percentile",
    "80% interval",
    "params",
    "MACs",
    "latency",
    "distance",
    "nearest known network",
)

LEFT = ("network", "nearest known network")
"""Of these, those that are words: they stand flush left."""


def headline(ranking: Ranking) -> str:
    """What the order goes by."""
    task = _TASKS[ranking.task]
    if ranking.order == "predicted":
        return f"Which first, for {task}: by networks that others have trained"
    return f"Which first, for {task}: by {_ORDERS[ranking.order]}, since nothing better is known of such networks"


def reason(ranking: Ranking) -> str:
    """How left-out networks like these were ranked, as a sentence."""
    return f"{ranking.why[0].upper()}{ranking.why[1:]}."


def percentiles(ranking: Ranking) -> str:
    """What percentiles are of; nothing where none is shown."""
    if ranking.order != "predicted":
        return ""
    sources = [_SOURCES.get(name, name) for name in ranking.speaking]
    among = sources[0] if len(sources) == 1 else f"{', '.join(sources[:-1])} and {sources[-1]}"
    words = f"A percentile of 70: ahead of 70% of the networks of {among}, at their recipes of training."
    if len(sources) == 1:
        return f"{words} Four of five trainings are expected within the interval."
    return f"{words} What level networks of another space reach cannot be told from these: go by the order."


def cells(ranked: RankedNetwork) -> tuple[str, ...]:
    """A row of ``COLUMNS``."""
    interval = ranked.interval_80
    return (
        str(ranked.rank),
        ranked.name,
        numbers.DASH if ranked.percentile is None else f"{ranked.percentile:.0f}",
        numbers.DASH if interval is None else numbers.interval(interval, digits=0),
        numbers.short(ranked.params),
        numbers.short(ranked.macs),
        numbers.milliseconds(ranked.latency_ms),
        f"{ranked.distance:.2f}",
        ranked.nearest[0],
    )


def shown(ranking: Ranking) -> list[int]:
    """Columns that have something to say."""
    hidden: set[str] = set()
    if all(one.latency_ms is None for one in ranking.networks):
        hidden |= {"latency"}
    if ranking.order != "predicted":
        hidden |= {"percentile", "80% interval"}
    return [index for index, name in enumerate(COLUMNS) if name not in hidden]


def notes(ranking: Ranking) -> Iterator[str]:
    """What speaks against the place of a network, and which could not be read."""
    for ranked in ranking.networks:
        for flag in ranked.flags:
            yield f"{ranked.name}: {flag}."
    ranks = [ranked.rank for ranked in ranking.networks]
    for ranked in ranking.networks:
        first = ranking.networks[ranks.index(ranked.rank)]
        if first is not ranked:
            yield f"{ranked.name} cannot be told from {first.name} (padding, dilation and slopes are not looked at)."
