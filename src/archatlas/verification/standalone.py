"""A trained network by itself: weights, preprocessing and class names, without Kedro and without a run's folders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from archatlas.errors import ArchatlasError, brief, first_problem
from archatlas.images.decoding import to_pixels
from archatlas.images.description import ImageDescription
from archatlas.images.predict import check_colours, opened, own_limit, shrunk
from archatlas.networks.feature_maps import FeatureMap, FeatureShape, GivesFeatures, feature_shapes
from archatlas.spaces.documents import describe_space, space_of
from archatlas.spaces.protocol import SearchSpace
from archatlas.storage.atomic import atomic_path

DOCUMENT, WEIGHTS = "network.json", "network.safetensors"
_MOST_BYTES, _LEAST_STD = 4_000_000, 0.001


class NetworkDocument(BaseModel):
    """All that is needed, beside the weights, to build a network again and to feed it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["archatlas network"] = Field("archatlas network", description="what the file is")
    format_version: Literal[1] = Field(1, description="version of this layout")
    archatlas_version: str = Field(max_length=100, description="version of archatlas that wrote the file")
    budget: str = Field(max_length=300, description="name of the budget that the network won")
    architecture: str = Field(max_length=1000, description="name of the architecture in its space")
    space: dict[str, Any] = Field(description="the search space, field by field")
    images: ImageDescription = Field(description="class names, and how images are brought to the form of training")


@dataclass(frozen=True)
class Recognition:
    """What a network takes an image for. Unpacks into ``name, probability``."""

    name: str
    probability: float
    probabilities: dict[str, float]

    def __iter__(self) -> Iterator[Any]:
        return iter((self.name, self.probability))


class StandaloneNetwork(nn.Module):
    """A trained network that takes pixels as they are: normalisation is inside."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, document: NetworkDocument) -> None:
        super().__init__()
        self.network = network
        self.document = document
        shape = (1, -1, 1, 1)
        self.register_buffer("mean", torch.tensor(document.images.mean).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(document.images.std).view(shape), persistent=False)
        self.eval()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""
        return self.document.images.class_names

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels ``[b, c, h, w]``, float32 in 0..1 and of the size of training, to logits ``[b, classes]``."""
        logits: Tensor = self.network(self.normalised(pixels))
        return logits

    def normalised(self, pixels: Tensor) -> Tensor:
        """Pixels in 0..1 as the network itself sees them."""
        return (pixels - self.mean) / self.std

    def pixels_of(self, image: str | Path | Image.Image | NDArray[Any]) -> Tensor:
        """The image in the form that the network takes, float32 ``[1, c, h, w]``: as in training.

        Args:
            image: a file, a PIL image, or an array ``[h, w]`` or ``[h, w, channels]``, uint8 or float in 0..1.

        Raises:
            ArchatlasError: no such file, or not an image.
        """
        images = self.document.images
        channels: Literal[1, 3] = 1 if images.channels == 1 else 3
        try:
            with own_limit(), _open(image, images.bits) as ours:
                first = images.prepared_size or images.image_size
                whole = to_pixels(ours, first, channels=channels, aspect=images.aspect, bits=images.bits)
            pixels = shrunk(whole, images.image_size)
        except ArchatlasError:
            raise
        except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them to
            raise ArchatlasError(f"the image {_spell(image)} cannot be read: {brief(error)}") from error
        return torch.from_numpy(pixels.astype(np.float32) / 255)[None].to(self.mean.device)

    @cached_property
    def feature_shapes(self) -> tuple[FeatureShape, ...]:
        """Channels and stride of each map that ``features`` gives.

        Raises:
            ArchatlasError: the network has no maps to give.
        """
        if not isinstance(self.network, GivesFeatures):
            raise ArchatlasError(f"{self.document.architecture} is a network without maps of features")
        return feature_shapes(self.network, self.document.images.channels)

    def features(self, pixels: Tensor) -> tuple[FeatureMap, ...]:
        """The map at the end of each stride, largest first, as a feature pyramid takes them.

        Args:
            pixels: ``[b, c, h, w]``, float32 in 0..1, of any size.

        Raises:
            ArchatlasError: the network has no maps to give.
        """
        shapes, network = self.feature_shapes, self.network
        assert isinstance(network, GivesFeatures)
        maps = network.features(self.normalised(pixels))
        return tuple(FeatureMap(values, *shape) for values, shape in zip(maps, shapes, strict=True))

    @torch.no_grad()
    def predict(self, image: str | Path | Image.Image | NDArray[Any]) -> Recognition:
        """The most probable class of one image of any size, with its probability; see ``pixels_of`` for images."""
        probabilities = self(self.pixels_of(image))[0].softmax(dim=0).tolist()
        best = max(range(len(probabilities)), key=probabilities.__getitem__)
        named = dict(zip(self.class_names, probabilities, strict=True))
        return Recognition(self.class_names[best], probabilities[best], named)


def make_standalone(
    space: SearchSpace, architecture: str, weights: Mapping[str, Tensor], images: ImageDescription, budget: str
) -> StandaloneNetwork:
    """One architecture of ``space`` with trained ``weights`` (a state dict of the built network)."""
    from archatlas._version import __version__

    document = NetworkDocument(
        archatlas_version=__version__,
        budget=budget,
        architecture=architecture,
        space=describe_space(space),
        images=images,
    )
    return _build(document, weights, f"the weights of the winner of `{budget}`")


def save_network(network: StandaloneNetwork, folder: Path) -> None:
    """Write ``network.json`` and ``network.safetensors``, which ``load_network`` reads."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.network.state_dict().items()}
    with atomic_path(folder / WEIGHTS) as path:
        save_file(state, path)
    with atomic_path(folder / DOCUMENT) as path:
        path.write_text(json.dumps(network.document.model_dump(mode="json"), indent=2), encoding="utf-8")


def load_network(path: str | Path) -> StandaloneNetwork:
    """Read an exported network, ready to predict.

    Args:
        path: the folder of the network, or its ``.json`` or ``.safetensors`` file (the other lies beside it).

    Raises:
        ArchatlasError: a file is missing, truncated, or does not belong to the other.
    """
    from safetensors.torch import load_file

    path = Path(path)
    if path.suffix in (".json", ".safetensors"):
        document_file, weights_file = path.with_suffix(".json"), path.with_suffix(".safetensors")
    else:
        document_file, weights_file = path / DOCUMENT, path / WEIGHTS
    for file in (document_file, weights_file):
        if not file.is_file():
            raise ArchatlasError(
                f"there is no file {file}: an exported network is a folder with {DOCUMENT} and {WEIGHTS}; give the "
                "folder or one of the two"
            )
    document = _read_document(document_file)
    try:
        shapes = _shapes_in(weights_file)
        _require_same_shapes(document, shapes, str(weights_file))
        weights = load_file(weights_file)
    except ArchatlasError:
        raise
    except Exception as error:
        raise ArchatlasError(
            f"{weights_file} is damaged and cannot be read ({brief(error)}): copy it again, or run the pipeline "
            "export again"
        ) from error
    unfinite = [name for name, tensor in weights.items() if not bool(torch.isfinite(tensor.float()).all())]
    if unfinite:
        raise ArchatlasError(
            f"{weights_file}: weights that are no finite numbers ({brief(unfinite[0])}): export it anew"
        )
    return _build(document, weights, str(weights_file))


def _shapes_in(weights_file: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors of a file, read from its head alone."""
    from safetensors import safe_open

    with safe_open(weights_file, "pt") as opened:
        return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118


def _require_same_shapes(document: NetworkDocument, shapes: Mapping[str, tuple[int, ...]], source: str) -> None:
    """Compare what the document describes, built without memory, with what the file holds, before either is loaded."""
    space = space_of(document.space)
    with torch.device("meta"):
        wanted = space.build(space.parse([document.architecture])[0]).state_dict()
    given = {name: tuple(tensor.shape) for name, tensor in wanted.items()}
    if given != dict(shapes):
        other = next(name for name in sorted({*given, *shapes}) if given.get(name) != shapes.get(name))
        raise ArchatlasError(
            f"{source} does not hold the weights of {document.architecture} of the space {space.name}: "
            f"{brief(other)} is {_shape(shapes.get(other))} there and {_shape(given.get(other))} by {DOCUMENT}"
        )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else f"{list(shape)}"


def _read_document(file: Path) -> NetworkDocument:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArchatlasError(
            f"{file} is damaged and cannot be read ({brief(error)}): copy or export it again"
        ) from error
    if not isinstance(document, dict) or document.get("format") != "archatlas network":
        raise ArchatlasError(f"{file} does not describe a network of archatlas")
    if document.get("format_version") != 1:
        raise ArchatlasError(
            f"{file} has format version {brief(document.get('format_version'))}, but this archatlas reads version 1: "
            f"it was written by archatlas {brief(document.get('archatlas_version'))}; use that version"
        )
    try:
        made = NetworkDocument.model_validate(document)
    except ValidationError as error:
        raise ArchatlasError(f"{file} is damaged: {first_problem(error)}: copy or export it again") from error
    _require_sound(made, file)
    return made


def _require_sound(document: NetworkDocument, file: Path) -> None:
    """Refuse what is no network, and images that it cannot be fed by, or whose answers would be no numbers."""
    try:
        images, space = document.images, space_of(document.space)
        space.parse([document.architecture])
    except Exception as error:  # Also what numbers lead to that contradict each other.
        raise ArchatlasError(f"{file} is damaged: {brief(error, 1000)}: copy or export it again") from error
    channels, names = images.channels, images.class_names
    rules = {
        "`images.channels` must be 1 or 3": channels in (1, 3),
        f"`images.mean` must be {channels} numbers of 0 to 1": _all_within(images.mean, channels, 0, 1),
        f"`images.std` must be {channels} numbers of {_LEAST_STD} to 1": _all_within(
            images.std, channels, _LEAST_STD, 1
        ),
        f"`images` must be of the space's shape {list(space.input_shape)}": images.input_shape == space.input_shape,
        f"`images.class_names` must be {space.num_classes} different names": len({*names}) == space.num_classes,
        "`images.class_names` holds a name twice": len({*names}) == len(names),
    }
    for rule, kept in rules.items():
        if not kept:
            raise ArchatlasError(f"{file} is damaged: {rule}: copy or export it again")


def _all_within(values: tuple[float, ...], count: int, least: float, most: float) -> bool:
    return len(values) == count and all(least <= value <= most for value in values)


def _build(document: NetworkDocument, weights: Mapping[str, Tensor], source: str) -> StandaloneNetwork:
    space = space_of(document.space)
    network = space.build(space.parse([document.architecture])[0])
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise ArchatlasError(
            f"{source} does not hold the weights of {document.architecture} of the space {space.name}: "
            f"{brief(error, 1000)}"
        ) from error
    return StandaloneNetwork(network, document)


def _open(image: str | Path | Image.Image | NDArray[Any], bits: int) -> Image.Image:
    """A PIL image that is ours to close; ``bits`` of 16 are in use."""
    if isinstance(image, Image.Image):
        check_colours(image, bits)  # Its copy has been read.
        return image.copy()
    if isinstance(image, np.ndarray):
        return Image.fromarray(_eight_bits(image))
    if isinstance(image, str | Path):
        return opened(image)
    raise ArchatlasError(f"an image is a path, a PIL image or a NumPy array, but got {_spell(image)}")


def _eight_bits(array: NDArray[Any]) -> NDArray[np.uint8]:
    squeezed = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if squeezed.ndim not in (2, 3) or (squeezed.ndim == 3 and squeezed.shape[2] not in (3, 4)) or not squeezed.size:
        raise ArchatlasError(f"an array must have shape [h, w] or [h, w, 1, 3 or 4], but got {list(array.shape)}")
    if squeezed.dtype == np.uint8:
        return np.ascontiguousarray(squeezed)
    if np.issubdtype(squeezed.dtype, np.floating) and squeezed.min() >= 0 and squeezed.max() <= 1:
        scaled: NDArray[np.uint8] = np.rint(squeezed * 255).astype(np.uint8)
        return scaled
    raise ArchatlasError(
        f"an array must be uint8, or float in 0..1, but got {squeezed.dtype} in {squeezed.min()}..{squeezed.max()}"
    )


def _spell(image: object) -> str:
    return str(image) if isinstance(image, str | Path) else f"({type(image).__name__})"
