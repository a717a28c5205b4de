"""Scenes with boxes, made of classified images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from archatlas.detection.parameters import SceneParameters
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.predict import to_square

_TRIES, _SCENES_TRIED = 20, 100
"""Places that are tried for an object before the scene does without it, and scenes until one holds enough objects."""


@dataclass(frozen=True)
class Scenes:
    """Scenes and the objects in them.

    Shapes:
        images: uint8 ``[n, c, side, side]``
        boxes: float32 ``[m, 4]``: left, top, right, bottom, in pixels
        labels: int64 ``[m]``, indices of class names
        scene: int64 ``[m]``, which scene an object is in, rising
    """

    images: Tensor
    boxes: Tensor
    labels: Tensor
    scene: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def objects(self, number: int) -> tuple[Tensor, Tensor]:
        """Boxes and labels of one scene."""
        own = self.scene == number
        return self.boxes[own], self.labels[own]

    def to_tensors(self) -> dict[str, Tensor]:
        """As the catalog keeps them."""
        return {"images": self.images, "boxes": self.boxes, "labels": self.labels, "scene": self.scene}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Scenes:
        """Inverse of ``to_tensors``."""
        return cls(tensors["images"], tensors["boxes"], tensors["labels"], tensors["scene"])


def make_scenes(images: ImageSplit, count: int, parameters: SceneParameters, seed: int) -> Scenes:
    """``count`` scenes of objects that are images of the split, drawn anew for each, and that do not overlap.

    The canvas is black; an object's box is the whole of its image.

    Raises:
        ArchatlasError: the split holds no images, or the canvas hardly ever has room for as many as are asked for.
    """
    if not len(images):
        raise ArchatlasError("scenes are made of images, and a split holds none: see `images`")
    generator, side, channels = np.random.default_rng(seed), parameters.side, images.images.shape[1]
    canvases = np.zeros((count, channels, side, side), dtype=np.uint8)
    boxes: list[_Box] = []
    labels: list[int] = []
    scene: list[int] = []
    for number, canvas in enumerate(canvases):
        for box in _places(parameters, generator):
            drawn = int(generator.integers(len(images)))
            left, top, right, bottom = box
            canvas[:, top:bottom, left:right] = _resized(images.images[drawn].numpy(), right - left)
            boxes.append(box)
            labels.append(int(images.labels[drawn]))
            scene.append(number)
    return Scenes(
        torch.from_numpy(canvases),
        torch.tensor(boxes, dtype=torch.float32),
        torch.tensor(labels, dtype=torch.int64),
        torch.tensor(scene, dtype=torch.int64),
    )


_Box = tuple[int, int, int, int]


def _places(parameters: SceneParameters, generator: np.random.Generator) -> list[_Box]:
    """Squares of one scene that do not overlap, no fewer than are asked for."""
    for _ in range(_SCENES_TRIED):
        found = _placed(parameters, generator)
        if len(found) >= parameters.fewest:
            return found
    raise ArchatlasError(
        f"scenes hold at least `fewest` = {parameters.fewest} objects of `smallest` to `largest` = "
        f"{parameters.smallest} to {parameters.largest} pixels, but none of {_SCENES_TRIED} drawn on a canvas of "
        f"`side` = {parameters.side} had room for them: lower `fewest` or `largest`, or raise `side` "
        "(`detection.scenes`)"
    )


def _placed(parameters: SceneParameters, generator: np.random.Generator) -> list[_Box]:
    """Squares at random places, as many as were drawn or there is room for."""
    found: list[_Box] = []
    for _ in range(int(generator.integers(parameters.fewest, parameters.most + 1))):
        size = int(generator.integers(parameters.smallest, parameters.largest + 1))
        for _ in range(_TRIES):
            left, top = (int(one) for one in generator.integers(0, parameters.side - size + 1, 2))
            box = (left, top, left + size, top + size)
            if not any(_overlap(box, other) for other in found):
                found.append(box)
                break
    return found


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _resized(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """uint8 ``[c, h, w]`` to ``[c, size, size]``, bilinear."""
    channels = len(image)
    pixels = image[0] if channels == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    return to_square(Image.fromarray(pixels), size, channels, "stretch")
