"""Scenes, detectors and what they are to say, on three bright bars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from scipy.stats import t as student

from archatlas.detection.backbones import backbones
from archatlas.detection.detector import Detector, Places, Predictions
from archatlas.detection.judging import _interval, compared, detected, objects_of, precision
from archatlas.detection.losses import NOTHING, Targets, assigned, detection_loss, focal_loss, targets_of
from archatlas.detection.parameters import DetectionParameters, SceneParameters
from archatlas.detection.scenes import Scenes, make_scenes
from archatlas.detection.training import DetectorJob, train_detector
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.networks.blocks import initialise
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.presets import preset
from archatlas.verification.members import Member
from archatlas.verification.mobilenet import mobilenet, nearest_mobilenet

PARAMETERS = DetectionParameters.model_validate(
    {
        "scenes": {"side": 24, "train": 60, "judged": 20, "fewest": 1, "most": 3, "smallest": 8, "largest": 10},
        "width": 16,
        "training": {"epochs": 16, "batch_size": 10, "optimizer": "adamw", "learning_rate": 0.01},
    }
)


@pytest.fixture(scope="module")
def bars() -> ImageSplit:
    """Three classes told apart by which third of the image is bright."""
    pixels = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    for label in range(3):
        pixels[label, :, 3 * label : 3 * label + 2] = 200
    return ImageSplit(pixels, torch.arange(3))


def test_objects_are_images_of_the_split_and_do_not_overlap(bars: ImageSplit) -> None:
    scenes = make_scenes(bars, 40, PARAMETERS.scenes, seed=0)
    assert scenes.images.shape == (40, 1, 24, 24)
    counts = torch.bincount(scenes.scene, minlength=40)
    assert counts.min() >= 1
    assert counts.max() == 3
    sides = scenes.boxes[:, 2:] - scenes.boxes[:, :2]
    assert torch.equal(sides[:, 0], sides[:, 1])
    assert sides.unique().tolist() == [8.0, 9.0, 10.0]
    rest = scenes.images.clone()
    for (left, top, right, bottom), label, number in zip(
        scenes.boxes.int().tolist(), scenes.labels.tolist(), scenes.scene.tolist(), strict=True
    ):
        if right - left == 8:
            assert torch.equal(scenes.images[number, :, top:bottom, left:right], bars.images[label])
        rest[number, :, top:bottom, left:right] = 0
    assert not rest.any(), "there is nothing but the objects"
    again = make_scenes(bars, 40, PARAMETERS.scenes, seed=0)
    assert torch.equal(again.images, scenes.images)
    assert not torch.equal(make_scenes(bars, 40, PARAMETERS.scenes, seed=1).images, scenes.images)
    with pytest.raises(ArchatlasError, match="a split holds none"):
        make_scenes(bars.subset(torch.zeros(0, dtype=torch.int64)), 1, PARAMETERS.scenes, 0)


def test_every_scene_holds_as_many_objects_as_asked_or_that_is_an_error(bars: ImageSplit) -> None:
    def asked(**settings: int) -> SceneParameters:
        return SceneParameters.model_validate({"side": 32, "fewest": 4, "most": 4, **settings})

    # Four of these find room in four of ten scenes.
    scenes = make_scenes(bars, 20, asked(smallest=11, largest=12), seed=0)
    assert torch.bincount(scenes.scene, minlength=20).tolist() == [4] * 20
    with pytest.raises(ArchatlasError, match=r"at least `fewest` = 4 objects .* 16 to 16 pixels, but none of 100"):
        make_scenes(bars, 1, asked(smallest=16, largest=16), seed=0)  # One arrangement alone holds them.


def test_a_crowded_scene_keeps_as_many_detections_as_asked(description: ImageDescription) -> None:
    """A hundred objects, each seen from nine places."""

    class Seer(torch.nn.Linear):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            corners = torch.cartesian_prod(torch.arange(10.0) * 10, torch.arange(10.0) * 10).repeat(9, 1)
            boxes = torch.cat([corners, corners + 9], dim=1)
            return torch.full((len(images), 900, 1), 3.0), boxes.expand(len(images), -1, -1)

    scenes = Scenes(
        torch.zeros(1, 1, 100, 100, dtype=torch.uint8), torch.zeros(0, 4), torch.zeros(0).long(), torch.zeros(0).long()
    )
    many = PARAMETERS.model_copy(update={"most_detections": 100})
    found = detected(Seer(1, 1), scenes, description, many)  # type: ignore[arg-type]
    assert len(found) == len(found[["left", "top"]].drop_duplicates()) == 100


def test_objects_are_looked_for_near_their_middle_on_the_map_that_suits_their_size() -> None:
    grids = [torch.cartesian_prod(*[(torch.arange(24 // stride) + 0.5) * stride] * 2) for stride in (2, 4)]
    places = Places(
        torch.cat(grids), torch.cat([torch.full((len(grid),), float(2 + 2 * at)) for at, grid in enumerate(grids)])
    )
    # Sides of 8 and 16 pixels are four places of the finer and of the coarser map.
    boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0], [8.0, 8.0, 24.0, 24.0], [7.5, 0.0, 8.5, 1.0]])
    owner = assigned(places, boxes)
    seen = [places.centres[owner == number].tolist() for number in range(3)]
    fine = [[x, y] for x in (1.0, 3.0, 5.0, 7.0) for y in (1.0, 3.0, 5.0, 7.0)]
    assert sorted(seen[0]) == [place for place in fine if place != [7.0, 1.0]]
    assert (places.strides[owner == 1] == 4).all()
    assert sorted(seen[1]) == [[x, y] for x in (10.0, 14.0, 18.0, 22.0) for y in (10.0, 14.0, 18.0, 22.0)]
    assert seen[2] == [[7.0, 1.0]], "what is too small to hold a place has the nearest, before a larger object"
    scenes = Scenes(torch.zeros(2, 1, 24, 24, dtype=torch.uint8), boxes[:1], torch.tensor([2]), torch.tensor([1]))
    targets = targets_of(scenes, places)
    assert targets.labels.unique().tolist() == [NOTHING, 2]
    assert (targets.labels[0] == NOTHING).all()
    assert targets.boxes[1, targets.labels[1] == 2].unique(dim=0).tolist() == boxes[:1].tolist()


def test_losses_by_hand() -> None:
    logits, wanted = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0])
    assert focal_loss(logits, wanted).tolist() == pytest.approx([0.25 * 0.25 * np.log(2), 0.75 * 0.25 * np.log(2)])
    targets = Targets(torch.tensor([[1, NOTHING]]), torch.tensor([[[0.0, 0.0, 2.0, 2.0], [0.0] * 4]]))
    sure = torch.tensor([[[-50.0, 50.0], [-50.0, -50.0]]])
    boxes = torch.tensor([[[1.0, 0.0, 3.0, 2.0], [9.0, 9.0, 10.0, 10.0]]])
    assert detection_loss(Predictions(sure, targets.boxes), targets).item() == pytest.approx(0.0, abs=1e-6)
    assert detection_loss(Predictions(sure, boxes), targets).item() == pytest.approx(2 / 3), "of what is there alone"


def test_precision_by_hand() -> None:
    objects = pd.DataFrame(
        [(0, 1, 0.0, 0.0, 4.0, 4.0), (1, 1, 0.0, 0.0, 4.0, 4.0)],
        columns=["scene", "label", "left", "top", "right", "bottom"],
    )
    whole = np.arange(2)
    assert precision(objects, objects.assign(score=0.9), whole) == {"map": 1.0, "map_50": 1.0, "map_75": 1.0}
    half = objects.assign(score=0.9).iloc[:1]
    # Recall reaches a half: precision is 1 at 51 of COCO's 101 levels.
    assert precision(objects, half, whole)["map_50"] == pytest.approx(51 / 101)
    assert precision(objects, half, np.array([0, 0, 0]))["map"] == 1.0, "a scene may come several times"
    shifted = objects.assign(score=0.9, right=5.0)  # Four fifths of each are shared.
    assert precision(objects, shifted, whole)["map"] == pytest.approx(0.7), "right at 7 of 10 overlaps"
    assert precision(objects, half.iloc[:0], whole)["map"] == 0.0
    many, all_objects = (
        pd.concat([table.assign(scene=table["scene"] + 2 * number) for number in range(10)])
        for table in (objects.assign(score=0.9), objects)
    )
    told = compared(all_objects, {"winner": [many, many], "mobilenet": [many, many.iloc[:0]]}, 20)
    assert told["winner"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    reach = 12.7062 * (0.5 / 2) ** 0.5  # Of two seeds, 0 and 1; whatever scenes are left out they stay that.
    ends = {"mean": 0.5, "low": 0.5 - reach, "high": 0.5 + reach}
    assert told["mobilenet"] == pytest.approx(ends), "who finds nothing has nothing"
    assert told["ahead"] == pytest.approx(ends)
    alone = compared(all_objects, {"winner": [many], "mobilenet": [many.iloc[:0]]}, 20)
    assert alone["ahead"] == {"mean": 1.0, "low": None, "high": None}, "one seed tells nothing of the noise of training"


def test_intervals_know_scenes_and_seeds_each_by_their_own_number() -> None:
    # Rows: all scenes, and ten times without a tenth of them. Columns: three seeds, 1, 2 and 3.
    values = np.tile([1.0, 2.0, 3.0], (11, 1))
    seeds = 1 / 3
    reach = 4.302653 * seeds**0.5
    assert _interval(values) == pytest.approx({"mean": 2, "low": 2 - reach, "high": 2 + reach}), (
        "two degrees of freedom"
    )
    values = np.full((11, 3), 2.0)
    values[1:] += np.where(np.arange(10) < 5, 0.1, -0.1)[:, None]
    scenes = 0.9 * 10 * 0.01
    reach = 2.262157 * scenes**0.5
    assert _interval(values) == pytest.approx({"mean": 2, "low": 2 - reach, "high": 2 + reach}), "nine"
    values += [-1.0, 0.0, 1.0]
    freedom = (scenes + seeds) ** 2 / (scenes**2 / 9 + seeds**2 / 2)
    reach = float(student.ppf(0.975, freedom)) * (scenes + seeds) ** 0.5
    assert _interval(values)["high"] == pytest.approx(2 + reach)


def test_a_detector_learns_what_is_where(bars: ImageSplit, space: ChainSpace, description: ImageDescription) -> None:
    name = str(space.names(np.ones((1, 4), dtype=np.int8))[0])
    backbone = Member(space, name)
    fresh = backbone.build()
    initialise(fresh, torch.Generator().manual_seed(0))
    weights = {key: one.numpy() for key, one in fresh.state_dict().items()}
    detector = DetectorJob(backbone, weights, 0).build(PARAMETERS)
    assert detector.strides == (2, 4), "the backbone has one map that is smaller than the image, and one is made of it"
    assert len(detector.places(24).strides) == 12 * 12 + 6 * 6
    losses = train_detector(
        detector, make_scenes(bars, PARAMETERS.scenes.train, PARAMETERS.scenes, 0), description, PARAMETERS, 0
    )
    assert losses[-1] < losses[0] / 2
    judged = make_scenes(bars, PARAMETERS.scenes.judged, PARAMETERS.scenes, 1)
    found = detected(detector, judged, description, PARAMETERS)
    assert found.groupby("scene").size().max() <= PARAMETERS.most_detections
    assert found["score"].min() >= PARAMETERS.least_score
    assert precision(objects_of(judged), found, np.arange(len(judged)))["map_50"] > 0.5


def test_a_detector_looks_at_images_smaller_than_the_strides_of_its_backbone() -> None:
    mobile = preset("mobile", (3, 16, 16), 3)
    backbone = mobile.build(mobile.sample(1, np.random.default_rng(0))[0])
    detector = Detector(backbone, 3, 3, levels=3, width=8).eval()
    assert detector.strides == (8, 16, 32)
    with torch.no_grad():
        said = detector(torch.rand(1, 3, 16, 16))
    assert said.boxes.shape == (1, len(detector.places(16).strides), 4) == (1, 4 + 1 + 1, 4)


def test_the_mobilenet_beside_a_winner_is_the_nearest_in_macs(space: ChainSpace) -> None:
    own = mobilenet(space, 0.9)
    assert nearest_mobilenet(space, own.macs).macs == own.macs
    winners = [
        {"budget": "a", "status": "found", "architecture": "k3e1-skip_k3e1-skip", "macs": own.macs, "params": 1},
        {"budget": "b", "status": "none"},
    ]
    table = backbones(winners, space, None)
    assert table["role"].tolist() == ["winner", "mobilenet"]
    assert table["macs"].tolist() == [own.macs, own.macs]
    with pytest.raises(ArchatlasError, match=r"`detection.budget` is b, which has no winner.*take one of a"):
        backbones(winners, space, "b")
    with pytest.raises(ArchatlasError, match="no budget has a winner"):
        backbones(winners[1:], space, None)
    wired = preset("wired_cells", (1, 8, 8), 3)
    alone = [winners[0] | {"architecture": str(wired.names(wired.sample(1, np.random.default_rng(0)))[0])}]
    assert backbones(alone, wired, "a")["role"].tolist() == ["winner"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"scenes": {"fewest": 6}}, "`fewest` is 6, more than `most` = 5"),
        ({"scenes": {"largest": 40}}, "`largest` is 40, more than `side` = 32"),
        (
            {"scenes": {"smallest": 20, "largest": 20, "fewest": 4}},
            "`fewest` is 4, but 1 squares of `smallest` = 20 pixels fill a canvas of `side` = 32",
        ),
        ({"most_detections": 101}, "less than or equal to 100"),
        ({"training": {"label_smoothing": 0.1}}, "detectors are trained without"),
    ],
)
def test_impossible_settings_are_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        DetectionParameters.model_validate(given)
