"""The stage score_untrained: the sample's networks, and of a public table without images."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from archatlas.costs.counting import count_parts
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.preparing import no_images
from archatlas.pipelines.score_untrained.nodes import score
from archatlas.pipelines.space import space_document
from archatlas.scores.parameters import ScoreParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.search_space import SearchSpaceDocument
from archatlas.spaces.tables.known import CIFAR10
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.training.parameters import DeviceParameters

SPACE = SpaceParameters.model_validate(
    {"stem_width": 4, "stages": [{"width": 4, "depth": 2}], "choices": ["k3e1", "k5e2", "skip"], "head_width": 0}
)
DEVICE = DeviceParameters(accelerator="cpu", workers=1)


def test_each_sampled_network_is_scored_once(images: ImageSplit, description: ImageDescription, tmp_path: Path) -> None:
    space = make_space(SPACE, description.input_shape, description.num_classes)
    document = SearchSpaceDocument(
        space=SPACE, input_shape=description.input_shape, num_classes=description.num_classes
    ).document()
    names = space.names(space.canonicalise(space.parse(["k3e1-skip", "k5e2-k3e1"]))).tolist()
    table = score(
        pd.DataFrame({"network": [names[0], *names]}), images.to_tensors(), description.model_dump(mode="json"),
        count_parts(space), document, ScoreParameters(batch=8), DEVICE, 0, tmp_path,
    )  # fmt: skip
    assert table["network"].tolist() == names
    assert table["macs"].is_monotonic_increasing
    assert len(list(tmp_path.glob("*/untrained_scores-*/part_*.parquet"))) == 1


def test_networks_of_a_public_table_are_scored_on_gaussian_images(benchmark_data: Path, tmp_path: Path) -> None:
    preset = SpaceParameters.model_validate({"preset": "nas_bench_macro"})
    sample = pd.DataFrame({"network": ["22222222"]})
    asked = ScoreParameters(names=("nwot", "rectifiers"), batch=4, image_size=8, images="gaussian")
    table = TableParameters(name="nas_bench_macro", path=str(benchmark_data), label="test")
    empty = no_images(CIFAR10).train.to_tensors()
    made = make_space(preset, CIFAR10.input_shape, 10)
    images = CIFAR10.model_dump(mode="json")
    given = (images, count_parts(made), space_document(images, preset, table))
    scored = score(sample, empty, *given, asked, DEVICE, 0, tmp_path)
    assert scored.loc[0, "images"] == "gaussian"
    assert scored.loc[0, "nwot"] > 0
    with pytest.raises(ArchatlasError, match=r"there are 0: lower it, or set `scores.images` to gaussian"):
        score(sample, empty, *given, asked.model_copy(update={"images": "training"}), DEVICE, 0, tmp_path)
