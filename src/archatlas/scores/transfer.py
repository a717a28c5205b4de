"""What networks that others have trained say of this one."""

from __future__ import annotations

import numpy as np

from archatlas.graphs.computation_statistics import statistics
from archatlas.graphs.recording import record
from archatlas.networks.resized import Resized
from archatlas.scores.probe import Probe
from archatlas.transfer.predictor import shipped, task_of_side


def transfer(probe: Probe) -> float:
    """A normal quantile among known networks, by the predictor that comes with the package (``archatlas rank``).

    Of the network's computation graph alone: weights, images and labels do not matter, but for the images' size, which
    decides what task the known networks were trained for. It is the size that the network sees them at, where it makes
    them smaller. NaN for a network that is farther from all known ones than
    any that was ever left out, as many are that see images below 32 pixels. Ours; docs/transfer.md says how it ranks
    spaces that it has not seen.
    """
    network, (channels, *sides) = probe.network, probe.images.shape[1:]
    if isinstance(network, Resized):
        side = network.image_size
        network, sides = network.network, [side, side]
    graph = record(network, (channels, *sides))
    task = shipped().tasks[task_of_side(min(sides))]
    features = statistics(graph).astype(np.float32)[None]
    distances, _ = task.nearest(features, 1)
    return float(task.predict(features)[0]) if task.trust.verdict(float(distances[0, 0])).known else float("nan")
