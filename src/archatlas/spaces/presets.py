"""The space that a project's parameters and images ask for."""

from __future__ import annotations

from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.registry import SPACES


def preset(name: str, input_shape: tuple[int, int, int], num_classes: int) -> SearchSpace:
    """The space ``name`` as it is, for images of ``input_shape`` (channels, height, width)."""
    return make_space(SpaceParameters.model_validate({"preset": name}), input_shape, num_classes)


def make_space(parameters: SpaceParameters, input_shape: tuple[int, int, int], num_classes: int) -> SearchSpace:
    """The space that ``parameters`` name, with what they set in the place of its own; else ArchatlasError."""
    space: SearchSpace = SPACES.load(parameters.preset)(parameters, input_shape, num_classes)
    return space
