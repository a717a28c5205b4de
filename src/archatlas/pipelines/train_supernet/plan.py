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
    return Plan(what, ahead.full_seeds * (ahead.train / net.training.batch_size) * paths * ahead.pace.step)
