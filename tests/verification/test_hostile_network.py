"""A folder from elsewhere: whatever stands in it, there is one error of ours, and little memory is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.verification.standalone import DOCUMENT, WEIGHTS, load_network, make_standalone, save_network

HOSTILE: list[Any] = [
    10**9, 200_000, -1, 0, None, True, 1e308, float("nan"), "x", "", "..", [], {}, [[[]]], [None], {"a": 1},
    [10**7] * 3, "k3e1" * 1000,
]  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = ImageDescription(
        class_names=("a", "b"), channels=3, image_size=8, mean=(0.4, 0.5, 0.6), std=(0.2,) * 3, splits={}, source="made"
    )
    space = ChainSpace("small", images.input_shape, 2, 4, (Stage(6, 2, 2),), (Operation(3, 1), Operation(5, 2)))
    folder = tmp_path_factory.mktemp("network")
    save_network(make_standalone(space, "k3e1-k5e2", space.build([0, 1]).state_dict(), images, "small"), folder)
    return folder


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value stands, the lists and mappings that hold others among them."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from leaves(one, (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


def test_a_network_is_loaded_or_refused_in_words(exported: Path, tmp_path: Path) -> None:
    document = json.loads((exported / DOCUMENT).read_text())
    (tmp_path / WEIGHTS).write_bytes((exported / WEIGHTS).read_bytes())
    tried = refused = 0
    for path in leaves(document):
        for value in HOSTILE:
            (tmp_path / DOCUMENT).write_text(json.dumps(changed(document, path, value)))
            tried += 1
            try:
                network = load_network(tmp_path)
            except ArchatlasError:
                refused += 1
            else:
                assert sum(one.numel() for one in network.state_dict().values()) < 10_000
    assert tried > 700
    assert refused > 0.8 * tried


@pytest.mark.parametrize(
    "text",
    ["", "null", "[" * 100_000, '{"format": ' * 5_000, "\x00", '{"a": NaN', "{}", "[]", "7", '"archatlas network"'],
)
def test_a_document_that_is_none_is_refused(exported: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / WEIGHTS).write_bytes((exported / WEIGHTS).read_bytes())
    (tmp_path / DOCUMENT).write_text(text)
    with pytest.raises(ArchatlasError):
        load_network(tmp_path)


def test_weights_that_are_no_numbers_are_refused(exported: Path, tmp_path: Path) -> None:
    weights = load_file(exported / WEIGHTS)
    (tmp_path / DOCUMENT).write_bytes((exported / DOCUMENT).read_bytes())
    name = "head.classifier.bias"
    save_file({**weights, name: torch.full_like(weights[name], float("nan"))}, tmp_path / WEIGHTS)
    with pytest.raises(ArchatlasError, match="no finite numbers"):
        load_network(tmp_path)
    save_file({**weights, name: torch.zeros(3)}, tmp_path / WEIGHTS)
    with pytest.raises(ArchatlasError, match=rf"does not hold the weights of k3e1-k5e2 .* {name} is \[3\] there"):
        load_network(tmp_path)
    content = (exported / WEIGHTS).read_bytes()
    for cut in (0, 4, 8, 100, len(content) - 1):
        (tmp_path / WEIGHTS).write_bytes(content[:cut])
        with pytest.raises(ArchatlasError, match="damaged"):
            load_network(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("images", "mean"), [0.5] * 4, r"`images.mean` must be 3 numbers of 0 to 1"),
        (("images", "mean"), [0.5, 0.5, float("nan")], r"`images.mean` must be 3 numbers of 0 to 1"),
        (("images", "std"), [0.2, 0.2, 0.0], r"`images.std` must be 3 numbers of 0.001 to 1"),
        (("images", "std"), [0.2, 0.2, 1e-308], r"`images.std` must be 3 numbers of 0.001 to 1"),
        (("images", "channels"), 4, r"`images.channels` must be 1 or 3"),
        (("images", "image_size"), 9, r"`images` must be of the space's shape \[3, 8, 8\]"),
        (("images", "class_names"), ["a", "a"], r"`images.class_names` must be 2 different names"),
        (("images", "class_names"), ["a", "b", "c"], r"`images.class_names` must be 2 different names"),
        (
            ("space", "stages", 0, "stride"),
            "2",
            r"description of the space is damaged: `stages.0.stride`: Input should",
        ),
        (
            ("space", "stages", 0, "stride"),
            1.5,
            r"description of the space is damaged: `stages.0.stride`: Input should",
        ),
        (("space", "stem_width"), True, r"description of the space is damaged: `stem_width`: Input should be a valid"),
        (("space", "unheard-of"), 1, r"description of the space has `unheard-of`, of which nothing is known here"),
        (("archatlas_version",), "9" * 5000, r"network.json is damaged: `archatlas_version`: String should have at"),
    ],
)
def test_what_the_network_could_not_be_fed_by_is_refused(
    exported: Path, tmp_path: Path, path: tuple[Any, ...], value: Any, message: str
) -> None:
    document = json.loads((exported / DOCUMENT).read_text())
    (tmp_path / WEIGHTS).write_bytes((exported / WEIGHTS).read_bytes())
    (tmp_path / DOCUMENT).write_text(json.dumps(changed(document, path, value)))
    with pytest.raises(ArchatlasError, match=message) as refused:
        load_network(tmp_path)
    assert "network.json" in str(refused.value)
    assert len(str(refused.value)) < 500
