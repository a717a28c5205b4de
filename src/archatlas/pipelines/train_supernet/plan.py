"""What train_supernet will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan

AUGMENTED_BY = "supernet"
"""The section of the parameters that says how training images are changed."""

_LARGEST = 1.7
"""A step of the largest path, against one of a random path."""


def plan(ahead: Ahead) -> Plan:
    """Steps of the super-networks, at the pace of random paths."""
    if ahead.settings.table is not None:
        return Plan("nothing: the table's networks are trained", 1.0)
    net = ahead.settings.supernet
    first = f"{net.largest_first_epochs} + " if net.largest_first_epochs else ""
    what = f"{net.seeds} super-networks, {first}{net.training.epochs} epochs each, {net.strategy} paths"
    if ahead.pace is None:
        return Plan(what, None)
    from archatlas.supernet.strategies.make import paths_per_step

    paths = net.training.epochs * paths_per_step(ahead.space, net) + net.largest_first_epochs * _LARGEST
    steps = ahead.full_seeds * net.training.steps_of_an_epoch(ahead.train)
    return Plan(what, steps * paths * ahead.pace.step)
