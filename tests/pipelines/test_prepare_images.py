from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, get_type_hints

import pytest
import torch

from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import ImagesParameters
from archatlas.pipelines.prepare_images.nodes import check_sizes, prepare_images
from archatlas.pipelines.prepare_images.pipeline import create_pipeline
from archatlas.supernet.parameters import SupernetParameters
from archatlas.systems.parameters import MethodsParameters
from archatlas.verification.parameters import FinishingParameters, VerificationParameters


def test_digits():
    train, validation, test, description, class_counts, split_files = prepare_images(ImagesParameters(), 0)
    shapes = [tuple(split["images"].shape) for split in (train, validation, test)]
    assert shapes == [(899, 1, 8, 8), (449, 1, 8, 8), (449, 1, 8, 8)]
    assert train["images"].dtype == torch.uint8
    assert int(train["images"].max()) == 255
    read = ImageDescription.model_validate(json.loads(json.dumps(description)))
    assert read.class_names == tuple("0123456789")
    assert read.splits == {"train": 899, "validation": 449, "test": 449}
    pixels = train["images"].double() / 255
    assert abs(read.mean[0] - pixels.mean().item()) < 1e-12
    assert abs(read.std[0] - pixels.std(correction=0).item()) < 1e-12
    assert list(class_counts.columns) == ["split", "class_name", "images"]
    assert class_counts["images"].sum() == 1797
    assert list(split_files.columns) == ["split", "position", "file", "class_name", "note"]
    assert sorted(split_files["file"]) == sorted(f"digit {row}" for row in range(1797))
    for name, split in (("train", train), ("validation", validation), ("test", test)):
        rows = split_files[split_files["split"] == name]
        assert rows["position"].tolist() == list(range(len(split["labels"])))
        assert rows["class_name"].tolist() == [str(label) for label in split["labels"].tolist()]
    by_split = class_counts.groupby("split")["images"]
    assert (by_split.max() - by_split.min()).max() <= 7  # as many as the classes themselves differ


def test_images_are_prepared_at_the_largest_size_that_is_searched():
    left_open = ImagesParameters(image_size=None)
    train, *_, description, _, _ = prepare_images(left_open, 0, image_sizes=(4, 6))
    assert train["images"].shape[2:] == (6, 6)
    assert description["image_size"] == 6


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"supernet": {"augmentation": {"cutout": 32}}},
            "^supernet: `augmentation.cutout` is 32 pixels, of images of 32:",
        ),
        ({"finishing": {"augmentation": {"shift": 33}}}, "^finishing: `augmentation.shift` is 33 pixels"),
        (
            {"methods": {"augmentation": {"cutout": 32}}},
            "methods: `augmentation.cutout` is 32 pixels, of images of 32: it must be smaller",
        ),
        (
            {"supernet": {"image_sizes": [4, 33], "seeds": 2}},
            r"`image_sizes` is \[4, 33\], but images are prepared at 32",
        ),
    ],
)
def test_a_stage_that_images_of_an_open_size_do_not_fit_stops_the_run_before_it_trains(
    asked: dict[str, Any], message: str
) -> None:
    description = prepare_images(ImagesParameters(image_size=None), 0)[3]
    sections = {
        "supernet": SupernetParameters,
        "verification": VerificationParameters,
        "methods": MethodsParameters,
        "finishing": FinishingParameters,
    }
    assert check_sizes(description, (4, 8), **{name: model() for name, model in sections.items()}) == {"fit": True}
    given = {name: model.model_validate(asked.get(name, {})) for name, model in sections.items()}
    with pytest.raises(ArchatlasError, match=message):
        check_sizes(description, None, **given)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    first, second, other = (prepare_images(ImagesParameters(), seed) for seed in (3, 3, 4))
    for one, two in zip(first[:3], second[:3], strict=True):
        assert torch.equal(one["images"], two["images"])
        assert torch.equal(one["labels"], two["labels"])
    assert first[3] == second[3]
    assert first[4].equals(second[4])
    assert first[5].equals(second[5])
    assert not first[5].equals(other[5])
    assert not torch.equal(first[2]["images"], other[2]["images"])


def test_no_image_is_on_two_sides():
    splits = prepare_images(ImagesParameters(), 0)[:3]
    seen = [{image.numpy().tobytes() for image in split["images"]} for split in splits]
    assert len(set.union(*seen)) == sum(len(one) for one in seen)


def test_the_test_split_leaves_by_its_own_data_set_alone():
    nodes = {node.name: node for node in create_pipeline().nodes}
    prepare = nodes.pop("prepare")
    assert prepare.inputs == [
        "params:images", "params:seed", "params:table", "params:time_budget", "params:space.image_sizes",
    ]  # fmt: skip
    images = ["train_images", "validation_images", "test_images"]
    assert prepare.outputs == [*images, "image_description", "class_counts", "split_files"]
    assert set(nodes) == {"check_sizes", "describe_search_space"}
    assert not any("test_images" in node.inputs for node in nodes.values())
    assert get_type_hints(prepare_images)["images"] is ImagesParameters


def test_wiring_loads_nothing_heavy():
    code = (
        "import sys, archatlas.pipelines.prepare_images.pipeline; "
        "assert not {'torch', 'sklearn', 'datasets', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
