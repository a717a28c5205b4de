"""Training strategies by name. A new one is a file beside this one and a line below."""

from __future__ import annotations

from archatlas.registry import Registry

STRATEGIES = Registry(
    "training strategy",
    {
        "uniform": "archatlas.supernet.strategies.uniform:UniformPaths.of",
        "fair": "archatlas.supernet.strategies.fair:FairPaths.of",
        "sandwich": "archatlas.supernet.strategies.sandwich:SandwichPaths.of",
        "sampled": "archatlas.supernet.strategies.sampled:SampledPaths.of",
    },
)
"""Each makes a ``PathSampler`` of a space and the weights of its choices (``ChoiceWeights``)."""
