"""What a search space is asked to be. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, model_validator

from archatlas.errors import ArchatlasError, nearest
from archatlas.spaces.registry import SPACES


class StageParameters(BaseModel):
    """A run of positions with one width; the first position of the stage carries the stride."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(ge=1, le=4096, description="output channels of the stage's blocks")
    depth: int = Field(
        ge=1, le=20, description="positions in the stage (of a space of cells: how often the cell stands)"
    )
    stride: Literal[1, 2] = Field(1, description="stride of the stage's first position")


class SpaceParameters(BaseModel):
    """A space by its name, and what is to differ from it: each space has settings of its own, a sub-class of this.

    Validating gives an instance of the model that belongs to the name. Settings that are null ask for nothing, and are
    dropped where they are another space's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    has_largest_path: ClassVar[bool] = False
    """Whether the choices of each position can be ordered by size."""
    has_free_paths: ClassVar[bool] = True
    """Whether choices that are drawn one by one, at even odds, give networks like those that are searched."""
    has_supernet: ClassVar[bool] = False
    """Whether there is a super-network for it."""
    has_sizes: ClassVar[bool] = False
    """Whether its networks may take images of several sizes."""

    preset: str = Field(description="the space, by its name in spaces/registry.py, which the other fields modify")

    image_sizes: tuple[Annotated[int, Field(ge=4, le=4096)], ...] | None = Field(
        None,
        min_length=1,
        description="sides of the images that networks may take, pixels: part of the search; null: as prepared",
    )

    @property
    def searched_sizes(self) -> tuple[int, ...]:
        """Sides of the images that networks may choose, pixels; none where they take all at the prepared size."""
        return self.image_sizes or ()

    @property
    def modified(self) -> list[str]:
        """The fields that differ from the space as it is."""
        return sorted(self.model_dump(exclude={"preset"}, exclude_none=True))

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_space(cls, given: Any, handler: ModelWrapValidatorHandler[SpaceParameters]) -> SpaceParameters:
        if cls is not SpaceParameters or not isinstance(given, Mapping):
            return handler(given)
        try:
            model: type[SpaceParameters] = SPACES.load(str(given.get("preset", "digits")), 1)
        except ArchatlasError as error:
            raise ValueError(f"`preset`: {error}") from error
        return model.model_validate(dict(_own(given, model)))


def _settings_of(model: type[SpaceParameters]) -> set[str]:
    return set(model.model_fields) - {"preset"} - (set() if model.has_sizes else {"image_sizes"})


def _own(given: Mapping[str, Any], model: type[SpaceParameters]) -> Iterator[tuple[str, Any]]:
    """What is given without the nulls of other spaces' settings; ValueError for what this space does not have."""
    for key, value in given.items():
        if key == "preset" or key in _settings_of(model):
            yield key, value
            continue
        others = any(key in SPACES.load(name, 1).model_fields for name in SPACES)
        if not others:
            raise ValueError(f"there is no setting {key!r}{nearest(key, model.model_fields)}")
        if value is not None:
            raise ValueError(
                f"`{key}` is another space's, but `preset` is {given.get('preset')}: set it to null. What can be set "
                f"there is {', '.join(sorted(_settings_of(model)))}"
            )
