from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from archatlas.images.parameters import AugmentationParameters, ImagesParameters

CONF = Path(__file__).parents[2] / "conf"


def read(path: str) -> dict:
    return yaml.safe_load((CONF / path).read_text())["images"]


def test_the_base_configuration_lists_every_field_and_differs_from_the_defaults_in_the_validation_share_alone():
    images = read("base/parameters_prepare_images.yml")
    assert set(images) == set(ImagesParameters.model_fields)
    configured = ImagesParameters.model_validate(images)
    assert configured == ImagesParameters(validation_fraction=configured.validation_fraction)


def test_environments_need_one_parameter_at_most():
    base = read("base/parameters_prepare_images.yml")
    folder = ImagesParameters.model_validate(base | read("image_folder/parameters.yml") | {"path": "photos"})
    assert (folder.source, folder.path) == ("folder", "photos")
    hub = ImagesParameters.model_validate(base | read("cifar10/parameters.yml"))
    assert (hub.source, hub.hub_name, hub.path) == ("hub", "cifar10", None)
    assert ImagesParameters.model_validate(base | read("cifar10/parameters.yml") | {"path": "copy"}).path == "copy"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "folder"}, "images.path is needed"),
        ({"source": "parquet"}, "--params images.path=DIR"),
        ({"source": "hub"}, "images.hub_name is needed"),
        ({"path": "photos"}, "`digits` reads no path"),
        ({"source": "folders"}, "'digits', 'folder', 'hub' or 'parquet'"),
        ({"imagesize": 3}, "Extra inputs"),
        ({"group_column": "patient"}, "neither columns nor file names"),
        (
            {"class_names": ("a", "b")},
            r"images.class_names is .*, which images.source `digits` does not read",
        ),
        ({"label_column": "kind"}, "images.label_column is 'kind', which images.source `digits` does not read"),
        ({"source": "folder", "path": "x", "image_column": "img"}, "images.source `folder` does not read"),
        ({"source": "parquet", "path": "x", "hub_name": "cifar10"}, "images.hub_name is 'cifar10', which"),
        ({"source": "folder", "path": "x", "group_pattern": "a", "group_column": "b"}, "not both"),
        ({"source": "folder", "path": "x", "group_pattern": "patient"}, "needs a group in parentheses"),
        ({"source": "folder", "path": "x", "group_pattern": "(patient"}, "not a regular expression"),
        ({"validation_fraction": 0.5, "test_fraction": 0.5}, "sum to less than 1"),
        ({"test_fraction": 0.0}, "greater than 0"),
        ({"min_images_per_class": 2}, "greater than or equal to 3"),
    ],
)
def test_what_cannot_be_is_refused(values: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        ImagesParameters.model_validate(values)


def test_digits_are_not_mirrored_by_default():
    assert AugmentationParameters() == AugmentationParameters(flip=False, shift=1, cutout=0)


def test_parameters_and_description_load_nothing_heavy():
    heavy = "torch", "sklearn", "datasets", "PIL", "numpy"
    code = (
        "import sys, archatlas.images.parameters, archatlas.images.description; "
        f"assert not {{'{heavy[0]}', *{heavy!r}}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
