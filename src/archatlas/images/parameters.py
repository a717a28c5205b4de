"""Where the images come from, how they are split and augmented. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_UNREAD = {
    "digits": ("hub_name", "hub_config", "image_column", "label_column", "class_names"),
    "folder": ("hub_name", "hub_config", "image_column"),
    "parquet": ("hub_name", "hub_config"),
    "hub": (),
}
"""Of each source the fields that say nothing to it."""


class ImagesParameters(BaseModel):
    """A source of labelled images, the size they are brought to, and how they are split."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["digits", "folder", "hub", "parquet"] = Field(
        "digits",
        description="digits (of scikit-learn), a folder per class, a hub data set, or Parquet files",
    )
    path: str | None = Field(
        None,
        min_length=1,
        description="folder of images, or Parquet file or folder of them; with `hub`: a local copy to read instead",
    )
    hub_name: str | None = Field(None, min_length=1, description="name of the data set on the hub, such as `cifar10`")
    hub_config: str | None = Field(None, min_length=1, description="name of its configuration, where it has several")
    image_column: str = Field("image", min_length=1, description="column of the images (hub, parquet)")
    label_column: str = Field("label", min_length=1, description="column of the labels (hub, parquet, metadata files)")
    class_names: tuple[str, ...] | None = Field(
        None, min_length=2, description="names of the classes, where the label column holds numbers from 0"
    )
    image_size: int | None = Field(
        8,
        ge=4,
        le=1024,
        description="side of the square that images are resized to, pixels; null: as suits the images, and the time "
        "by this machine's cores",
    )
    aspect: Literal["crop", "pad", "stretch"] = Field(
        "crop",
        description="what is done with images that are not square: cut to the centre, pad with black, or distort",
    )
    channels: Literal[1, 3] | None = Field(
        None, description="1 (grey), 3 (RGB), or null: grey if every image is grey, else RGB"
    )
    group_column: str | None = Field(
        None, min_length=1, description="column whose equal values must not be split (hub, parquet, metadata files)"
    )
    group_pattern: str | None = Field(
        None,
        min_length=1,
        description="regular expression searched in the file's path; images with the same first group are not split",
    )
    validation_fraction: float = Field(
        0.25, gt=0, lt=1, description="share of the images to be split that goes to validation, where none is given"
    )
    test_fraction: float = Field(
        0.25, gt=0, lt=1, description="share of the images to be split that goes to the test, where none is given"
    )
    min_images_per_class: int = Field(3, ge=3, description="a class with fewer images stops the run, images")
    skip_unreadable: bool = Field(False, description="leave damaged image files out, instead of stopping")
    max_images: int | None = Field(
        None, ge=3, description="read at most so many images, every class in proportion; null: all"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.source in ("folder", "parquet") and self.path is None:
            raise ValueError(
                f"images.path is needed where images.source is `{self.source}`: add --params images.path=DIR"
            )
        if self.source == "hub" and self.hub_name is None:
            raise ValueError("images.hub_name is needed where images.source is `hub`, such as `cifar10`")
        if self.source == "digits" and self.path is not None:
            raise ValueError(
                f"images.path is `{self.path}`, but images.source `digits` reads no path: choose the source `folder` "
                "or `parquet`, for example with --env image_folder"
            )
        for name in _UNREAD[self.source]:
            if (value := getattr(self, name)) != type(self).model_fields[name].default:
                raise ValueError(
                    f"images.{name} is {value!r}, which images.source `{self.source}` does not read: leave it out, or "
                    "choose the source that it is meant for"
                )
        if self.class_names and len({*self.class_names}) < len(self.class_names):
            raise ValueError(f"images.class_names has a name twice: {', '.join(self.class_names)}")
        if self.group_column is not None and self.group_pattern is not None:
            raise ValueError("give images.group_column or images.group_pattern, not both")
        if self.source == "digits" and (self.group_column or self.group_pattern):
            raise ValueError("images.source `digits` has neither columns nor file names to group by")
        if self.group_pattern is not None:
            _check_pattern(self.group_pattern)
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError(
                "`images.validation_fraction` and `images.test_fraction` must sum to less than 1, so that training "
                f"images are left; they sum to {self.validation_fraction + self.test_fraction:g}"
            )
        return self


class AugmentationParameters(BaseModel):
    """Random changes of the training images, drawn anew for every image and epoch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flip: bool = Field(
        False,
        description="mirror left to right with probability 1/2; not where that makes another class (digits, letters)",
    )
    shift: int = Field(1, ge=0, le=256, description="largest shift in each direction (the gap is zero), pixels")
    cutout: int = Field(0, ge=0, le=512, description="side of the square that is set to zero, pixels; 0: none")
    zoom: float = Field(
        0.0, ge=0, lt=1, description="largest part by which the side of what is seen is cut or, a third of it, widened"
    )
    rotate: float = Field(0.0, ge=0, le=180, description="largest rotation in either direction, degrees")
    colour: float = Field(
        0.0, ge=0, le=1, description="largest relative change of brightness, contrast and, of RGB, saturation"
    )

    def scaled(self, factor: float) -> AugmentationParameters:
        """The same changes of images whose side is ``factor`` times as long, in whole pixels; none vanishes."""
        lengths = {"shift": self.shift, "cutout": self.cutout}
        return self.model_copy(update={name: max(min(of, 1), round(of * factor)) for name, of in lengths.items()})


def misfit_of_sizes(
    augmentation: AugmentationParameters, prepared: int, searched: Collection[int] = (), own: Collection[int] = ()
) -> str | None:
    """Why a stage cannot see images that were prepared at ``prepared`` pixels; None if it can.

    It sees them at that size, at those that are ``searched`` and at its ``own``, and changes them by ``augmentation``,
    of which neither shift nor cutout must hide a whole image.
    """
    if max(own, default=0) > prepared:
        return (
            f"`image_sizes` is {list(own)}, but images are prepared at {prepared} pixels and only shrunk from there: "
            "leave larger sizes out, or set `images.image_size` to the largest"
        )
    for size in sorted({prepared, *searched, *own}):
        scaled = augmentation.scaled(size / prepared)
        for name in ("shift", "cutout"):
            if getattr(scaled, name) >= size:
                seen = f", and {getattr(scaled, name)} of those that are seen at {size}" if size != prepared else ""
                return (
                    f"`augmentation.{name}` is {getattr(augmentation, name)} pixels, of images of {prepared}{seen}: it "
                    "must be smaller than the image"
                )
    return None


def _check_pattern(pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"images.group_pattern `{pattern}` is not a regular expression: {error}") from error
    if groups < 1:
        raise ValueError(f"images.group_pattern `{pattern}` needs a group in parentheses, such as `(patient\\d+)_`")
