"""What the rest of the project must know of the images: shape, classes, statistics. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ImageDescription(BaseModel):
    """The images after preparation; all that is needed to bring another image to the same form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_names: tuple[str, ...] = Field(
        min_length=1, description="names of the classes; a label is an index into them"
    )
    channels: int = Field(ge=1, description="1 (grey) or 3 (RGB)")
    image_size: int = Field(ge=1, le=1024, description="side of the square images, pixels")
    prepared_size: int | None = Field(
        None, ge=1, le=1024, description="side at which they are prepared, if a network then sees them smaller, pixels"
    )
    mean: tuple[float, ...] = Field(description="mean of each channel over the training split, pixel values in 0..1")
    std: tuple[float, ...] = Field(description="standard deviation of each channel over the training split, likewise")
    splits: dict[str, int] = Field(description="images in each split")
    source: str = Field(description="where the images came from")
    aspect: Literal["crop", "pad", "stretch"] = Field("crop", description="how images that are not square are made so")
    bits: int = Field(16, ge=8, le=16, description="bits that are in use in images of 16 bits, of which 8 are kept")
    suitable_sizes: tuple[int, ...] = Field(
        (), description="sides that the images could be brought to, if the time decides; none if their size was given"
    )
    unreadable_images: int = Field(0, ge=0, description="damaged image files that were left out")
    leaking_images: int = Field(
        0, ge=0, description="images left out since a copy, or another of the group, is in a later of the given splits"
    )

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def at(self, image_size: int) -> ImageDescription:
        """The same images, shrunk to this size once they are prepared."""
        if image_size == self.image_size:
            return self
        return self.model_copy(update={"image_size": image_size, "prepared_size": self.image_size})

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return (self.channels, self.image_size, self.image_size)
