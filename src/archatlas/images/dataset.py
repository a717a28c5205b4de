"""Images and labels: in memory, or in a file that the system reads as memory where they are many."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from archatlas.errors import ArchatlasError
from archatlas.images.shrinking import shrink
from archatlas.storage.large_arrays import FULL, joined, no_room
from archatlas.storage.tensor_files import read_tensors

SplitArrays = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images and labels of a split: worker processes share large arrays, in memory or in a file."""


@dataclass(frozen=True)
class ImageSplit:
    """Images with their labels: ``images`` uint8 [n, c, h, w], ``labels`` int64 [n] (indices of class names).

    ``file`` holds them too, where another process may read them.
    """

    images: Tensor
    labels: Tensor
    file: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(f"images must be uint8 [n, c, h, w], not {self.images.dtype} {tuple(self.images.shape)}")
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"labels must be int64 [{len(self.images)}], not {self.labels.dtype} {tuple(self.labels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, index: Tensor) -> ImageSplit:
        """The images at ``index`` (int64 or bool [m]), in that order."""
        return ImageSplit(self.images[index], self.labels[index])

    def joined(self, other: ImageSplit) -> ImageSplit:
        """These images and then the other's, on the CPU."""
        images = joined([self.images.numpy(), other.images.numpy()])
        return ImageSplit(torch.from_numpy(images), torch.cat([self.labels, other.labels]))

    def at(self, image_size: int) -> ImageSplit:
        """The same images at this size, of at most their own (``shrinking.shrink``)."""
        if self.images.shape[2:] == (image_size, image_size):
            return self
        return ImageSplit(shrink(self.images, image_size), self.labels)

    def to(self, device: torch.device | str) -> ImageSplit:
        """The same images on another device."""
        return ImageSplit(self.images.to(device), self.labels.to(device))

    def in_file(self, file: Path) -> Path:
        """Where the images lie in a file: their own, or ``file``, which they are written to.

        Raises ArchatlasError if there is no room for it.
        """
        if self.file is not None:
            return self.file
        try:
            save_file({name: tensor.contiguous() for name, tensor in self.to_tensors().items()}, file)
        except SafetensorError as error:  # It holds the system's number in its text alone.
            for number in FULL:
                if f"(os error {number})" in str(error):
                    raise no_room(self.images.nbytes, file.parent, number) from error
            raise
        return file

    @classmethod
    def of_file(cls, file: Path) -> ImageSplit:
        """The split that `in_file` has written, read in place; it must not be written to."""
        return replace(cls.from_tensors(read_tensors(file)), file=file)

    def to_tensors(self) -> dict[str, Tensor]:
        """As the catalog keeps it."""
        return {"images": self.images, "labels": self.labels}

    def to_arrays(self) -> SplitArrays:
        """As worker processes are given it."""
        return self.images.numpy(), self.labels.numpy()

    @classmethod
    def from_arrays(cls, arrays: SplitArrays) -> ImageSplit:
        """The split that `to_arrays` gave; it may be shared, and must not be written to."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            images, labels = (torch.from_numpy(array) for array in arrays)
        return cls(images, labels)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> ImageSplit:
        """The split that `to_tensors` gave; `ArchatlasError` if the tensors are not those of a split."""
        missing = {"images", "labels"} - set(tensors)
        if missing:
            raise ArchatlasError(
                f"a split of images needs the tensors `images` and `labels`; {', '.join(sorted(missing))} not found. "
                "Run the pipeline prepare_images again."
            )
        return cls(tensors["images"], tensors["labels"])
