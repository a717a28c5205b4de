"""The section on a search at initialisation: what its reward would choose, were it another."""

from __future__ import annotations

from typing import Any

import pandas as pd

from archatlas.reporting import numbers
from archatlas.reporting.blocks import Section, TableBlock, Text
from archatlas.reporting.run import Run
from archatlas.reporting.tables import Cell, Table, cells
from archatlas.systems.nasi.reward import CONFIGURED


def initialisation_section(run: Run) -> Section | None:
    """Networks that each reward of the sweep would choose; None if nothing was searched so."""
    sweep = run.nasi_sweep
    if sweep.empty:
        return None
    blocks: list[Any] = [
        Text(agreement(sweep)),
        TableBlock(sweep_table(sweep), "What each reward would choose, by budget", folded=True),
    ]
    return Section(
        "initialisation",
        "Search at initialisation",
        "NASI draws networks of an untrained super-network, and takes one step towards those whose loss is steep (T), "
        "but not steeper than nu: beyond, mu takes off. All draws are made from the same start, so that they serve any "
        "mu and nu. None of these choices is trained or judged here: the table says how much hangs on the reward, and "
        "on which networks happened to be drawn.",
        blocks,
    )


def agreement(sweep: pd.DataFrame) -> str:
    """How many different networks come out by search alone, and by reward alone."""
    own = sweep[sweep["reward"] == CONFIGURED]
    of_searches = own.groupby("budget", sort=False)["network"].nunique()
    of_rewards = sweep[sweep["seed"] == sweep["seed"].min()].groupby("budget", sort=False)["network"].nunique()
    told = ", ".join(f"{budget} {count} and {of_rewards.get(budget, 0)}" for budget, count in of_searches.items())
    return (
        f"Different networks by budget, of {sweep['seed'].nunique()} searches with the reward as configured, and of "
        f"{sweep['reward'].nunique()} rewards on the first search's draws: {told}."
    )


def sweep_table(sweep: pd.DataFrame) -> Table:
    """A row per budget and reward, over all searches."""
    rows: list[tuple[Cell, ...]] = []
    emphasised = set()
    for budget, of_budget in sweep.groupby("budget", sort=False):
        rows.append(cells(str(budget)))
        own = of_budget[of_budget["reward"] == CONFIGURED].set_index("seed")["network"]
        for reward, chosen in of_budget.groupby("reward", sort=False):
            if reward == CONFIGURED:
                emphasised.add(len(rows))
            same = int((chosen["network"] == chosen["seed"].map(own)).sum())
            rows.append(
                cells(
                    str(reward),
                    Cell(str(chosen["network"].iloc[0]), code=True),
                    numbers.between(numbers.short(chosen["macs"].min()), numbers.short(chosen["macs"].max())),
                    f"{same} of {len(chosen)}",
                )
            )
    columns = (
        ("reward", "left"),
        ("network of the first search", "left"),
        ("MACs over all searches", "right"),
        ("as the configured one", "right"),
    )
    return Table(columns, tuple(rows), frozenset(emphasised))
