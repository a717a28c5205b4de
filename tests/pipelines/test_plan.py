from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from pydantic import ValidationError
from torch import nn

from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription
from archatlas.pipeline_registry import STAGES, register_pipelines
from archatlas.pipelines.pace import Pace
from archatlas.pipelines.parameters import ProjectParameters
from archatlas.pipelines.plan import describe_rest, describe_run, plan_stages
from archatlas.spaces.presets import make_space

IMAGES = ImageDescription(
    class_names=("no", "yes"),
    channels=1,
    image_size=8,
    mean=(0.5,),
    std=(0.5,),
    splits={"train": 640, "validation": 100, "test": 100},
    source="folder",
)


@pytest.fixture
def configured(repository: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for file in sorted((repository / "conf" / "base").glob("parameters*.yml")):
        values |= yaml.safe_load(file.read_text().replace("${globals:experiment}", "digits")) or {}
    return values


def test_training_is_counted_in_steps_of_the_measured_pace(configured: dict[str, Any]) -> None:
    configured["supernet"] |= {"seeds": 3, "strategy": "sandwich"}
    configured["supernet"]["training"] |= {"epochs": 10, "batch_size": 64}
    settings = ProjectParameters.model_validate(configured)
    twice = configured | {"supernet": configured["supernet"] | {"seeds": 6}}
    (once,) = plan_stages(settings, ["train_supernet"], IMAGES).values()
    assert once.what == "3 super-networks, 10 epochs each, sandwich paths"
    assert once.seconds is not None
    assert once.seconds > 0
    (more,) = plan_stages(ProjectParameters.model_validate(twice), ["train_supernet"], IMAGES).values()
    assert more.what.startswith("6 super-networks")


def test_smaller_images_count_by_their_pixels(configured: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archatlas.pipelines.ahead.measure_pace", lambda *_: Pace(step=0.5, image=0.001))
    configured["supernet"] |= {"seeds": 2, "largest_first_epochs": 0}
    configured["supernet"]["training"] |= {"epochs": 10, "batch_size": 64}

    def seconds(**changes: Any) -> float | None:
        settings = configured | {"supernet": configured["supernet"] | changes}
        (plan,) = plan_stages(ProjectParameters.model_validate(settings), ["train_supernet"], IMAGES).values()
        return plan.seconds

    assert seconds() == 2 * 10 * 10 * 0.5
    assert seconds(image_sizes=[8, 4]) == 1.25 * 10 * 10 * 0.5
    # There are seven choices at most positions.
    assert seconds(strategy="fair") == 7 * 100.0


def test_scores_without_training_are_counted_in_steps(
    configured: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archatlas.pipelines.ahead.measure_pace", lambda *_: Pace(step=0.5, image=0.001))
    configured["device"] |= {"workers": 2}
    configured["sample"] |= {"architectures": 100}
    configured["supernet"]["training"] |= {"batch_size": 32}
    plan = plan_stages(ProjectParameters.model_validate(configured), ["score_untrained"], IMAGES)["score_untrained"]
    assert plan.what == "8 scores of 100 networks"
    assert plan.seconds == pytest.approx(3 + 1.7 * 100 * 2 * 0.5 / 2)  # 64 images a batch are two of these steps.


def test_as_many_networks_are_mapped_as_the_atlas_is_to_hold(configured: dict[str, Any]) -> None:
    def mapped(**atlas: int) -> str:
        configured["atlas"] |= atlas
        return plan_stages(ProjectParameters.model_validate(configured), ["map_space"], IMAGES)["map_space"].what

    networks = make_space(ProjectParameters.model_validate(configured).space, IMAGES.input_shape, 10).networks
    assert mapped(max_networks=networks, sample=1000) == f"{networks:,} networks"
    assert mapped(max_networks=networks - 1) == "1,000 networks"


def test_a_whole_space_that_is_too_large_is_refused_before_anything_is_trained(configured: dict[str, Any]) -> None:
    configured["space"] |= {"preset": "mobile"}
    configured["evaluation"] |= {"whole_space": "networks"}
    with pytest.raises(ArchatlasError, match=r"`evaluation\.whole_space` asks for all .* networks of mobile"):
        plan_stages(ProjectParameters.model_validate(configured), ["evaluate_subnets"], None)


def test_images_are_not_enlarged(configured: dict[str, Any]) -> None:
    configured["space"] |= {"image_sizes": [4, 16]}
    with pytest.raises(ValidationError, match=r"`image_sizes` is \[4, 16\], but images are prepared at .* = 8 pixels"):
        ProjectParameters.model_validate(configured)
    configured["space"] |= {"image_sizes": [4, 8]}
    configured["supernet"] |= {"image_sizes": [4, 8]}
    with pytest.raises(ValidationError, match=r"already sees images at the sizes \[4, 8\] of `space.image_sizes`"):
        ProjectParameters.model_validate(configured)
    configured["space"] |= {"image_sizes": None}
    configured["supernet"] |= {"image_sizes": [8, 16]}
    with pytest.raises(ValidationError, match=r"`image_sizes` is \[8, 16\], but images are prepared at 8 pixels"):
        ProjectParameters.model_validate(configured)


def test_what_depends_on_images_that_are_not_known_yet_is_not_guessed(configured: dict[str, Any]) -> None:
    configured["images"] |= {"source": "folder", "path": "somewhere"}
    plans = plan_stages(ProjectParameters.model_validate(configured), STAGES, None)
    unknown = {stage for stage, plan in plans.items() if plan.seconds is None}
    assert unknown == {"prepare_images", "train_supernet", "evaluate_subnets", "verify_candidates", "finish_winners"}


def test_the_run_is_described_before_it_starts_in_the_order_of_the_stages(configured: dict[str, Any]) -> None:
    catalog = DataCatalog({"image_description": MemoryDataset(IMAGES.model_dump(mode="json"))})
    pipelines = register_pipelines()
    lines = describe_run(configured, pipelines["search"] + pipelines["report"] + pipelines["map_space"], catalog)
    assert lines[0].startswith("Experiment 'digits': 3 stages, about ")
    assert [line.split()[0] for line in lines[1:]] == ["map_space", "search", "report"]


def test_once_the_images_are_read_what_is_left_is_estimated(configured: dict[str, Any]) -> None:
    configured["images"] |= {"source": "folder", "path": "somewhere"}
    left = register_pipelines()["train_supernet"] + register_pipelines()["search"]
    unread, read = (
        DataCatalog({}),
        DataCatalog({"image_description": MemoryDataset(IMAGES.model_dump(mode="json"))}),
    )
    assert "once the images are read" in describe_run(configured, left, unread)[1]
    lines = describe_rest(configured, left.nodes, read, ["train_images", "image_description"])
    assert lines[0].startswith("Images are read. Left: 2 stages, about ")
    assert [line.split()[0] for line in lines[1:]] == ["train_supernet", "search"]
    assert not any("once the images are read" in line for line in lines)
    assert describe_rest(configured, left.nodes, read, ["supernets"]) == []
    # How many digits there are was known before.
    configured["images"] |= {"source": "digits", "path": None}
    assert describe_rest(configured, left.nodes, read, ["image_description"]) == []


def test_within_a_time_the_memory_is_told_once_the_images_are_known(
    configured: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[tuple[int, ...], int]] = []

    def a_gib(module: nn.Module, shape: tuple[int, ...], images: int, copies: int) -> int:
        steps.append((shape, images))
        return 2**30

    monkeypatch.setattr("archatlas.networks.training_memory.bytes_of_a_step", a_gib)
    configured["images"] |= {"source": "folder", "path": "somewhere", "image_size": None}
    configured["device"] |= {"workers": 4, "accelerator": "cpu", "precision": "32"}
    configured["verification"]["training"] |= {"batch_size": 64}
    configured["finishing"]["training"] |= {"batch_size": 1000}
    configured["time_budget"] = "30min"
    pipeline = register_pipelines()["__default__"]
    of_photographs = IMAGES.model_copy(update={"channels": 3, "image_size": 32, "splits": {"train": 640}})
    read = DataCatalog({"image_description": MemoryDataset(of_photographs.model_dump(mode="json"))})

    def told(**changes: Any) -> str:
        (line,) = describe_rest(configured | changes, pipeline.nodes[1:], read, ["image_description"])
        return line

    (unknown,) = describe_run(configured, pipeline, DataCatalog({}))
    assert "GiB" not in unknown
    # Libraries, images twice, and eight processes: those that train finalists stay beside those that train winners on.
    most = 900 + 2 * 640 * 32 * 32 * 3 / 2**20 + 8 * (420 + 1.6 * 1024)
    assert told().startswith("Images are read. Left: ")
    assert told().endswith(
        f"within 30min and up to {most / 1024:.1f} GiB of memory; what is done with the time is said once the pace of "
        "this machine is measured."
    )
    assert set(steps) == {((3, 32, 32), 640)}  # No more than there are.
    assert f"up to {most / 1024:.1f} GiB" in describe_run(configured, pipeline, read)[0]
    few = 900 + 2 * 640 * 32 * 32 * 3 / 2**20 + 4 * (420 + 1.6 * 1024)
    assert f"up to {few / 1024:.1f} GiB" in told(finishing=None)
    half = 900 + 2 * 640 * 32 * 32 * 3 / 2**20 + 8 * (420 + 0.95 * 1024)
    assert f"up to {half / 1024:.1f} GiB" in told(device={**configured["device"], "precision": "bf16-mixed"})
    # What was planned before is not told of as configured.
    rest = register_pipelines()["train_supernet"].nodes
    assert describe_rest(configured, rest, read, ["image_description"]) == []


def test_who_would_mirror_digits_or_letters_is_told_once_by_the_parameters_that_do(
    configured: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archatlas.pipelines.ahead.measure_pace", lambda *_: Pace(step=0.5, image=0.001))

    def told(*class_names: str, channels: int = 1) -> list[str]:
        description = IMAGES.model_copy(update={"class_names": class_names, "channels": channels})
        catalog = DataCatalog({"image_description": MemoryDataset(description.model_dump())})
        pipeline = register_pipelines()["__default__"]
        before = describe_run(configured, pipeline, catalog)
        after = describe_rest(configured, pipeline.nodes[1:], catalog, ["image_description"])
        return [line for line in (*before, *after) if line.startswith("Careful")]

    configured["images"] |= {"source": "folder", "path": "."}
    digits = [str(digit) for digit in range(10)]
    assert told(*digits) == []  # The configuration of the digits mirrors nothing.
    for section in ("supernet", "finishing"):
        configured[section]["augmentation"]["flip"] = True
    assert told("0", "1", "10") == [
        "Careful: by their names, classes are digits or letters, and `supernet.augmentation.flip`, "
        "`finishing.augmentation.flip` mirror training images. Where a mirrored image is no longer of its class, set "
        "that to false."
    ]
    assert len(told(*digits)) == len(told("a", "b", "c")) == 1
    # Numbers that only count the classes are labels without names; and images in colour are seldom digits.
    assert told("0", "1", "2") == told(*digits, channels=3) == told(*map(str, range(100)), channels=3) == []
    assert told("cat", "dog") == []
    assert "classes are left and right sides" in told("Left hand", "Right hand", "none")[0]
    configured["images"] |= {"source": "digits", "path": None}
    assert len(told(*digits)) == 1


def test_what_the_largest_network_takes_of_a_gpu_is_said_beside_what_it_has(
    configured: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    gib = 2**30
    free = [6 * gib]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free[0], 8 * gib))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 3 * gib)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 2 * gib)
    monkeypatch.setattr("archatlas.pipelines.ahead.measure_pace", lambda *_: Pace(step=0.5, image=0.001))
    steps: list[tuple[tuple[int, ...], int, int]] = []

    def four_gib(module: nn.Module, shape: tuple[int, ...], images: int, copies: int) -> int:
        assert next(module.parameters()).device.type == "meta"
        steps.append((shape, images, copies))
        return 4 * gib

    monkeypatch.setattr("archatlas.networks.training_memory.bytes_of_a_step", four_gib)

    def told(*stages: str, **settings: Any) -> list[str]:
        catalog = DataCatalog({"image_description": MemoryDataset(IMAGES.model_dump(mode="json"))})
        pipeline = sum((register_pipelines()[stage] for stage in stages), Pipeline([]))
        return [line for line in describe_run(configured | settings, pipeline, catalog) if "GPU" in line]

    configured["device"] |= {"accelerator": "cuda", "devices": 2, "precision": "32"}
    configured["supernet"]["training"] |= {"batch_size": 300, "optimizer": "sgd"}
    configured["verification"]["training"] |= {"batch_size": 200}
    assert told("train_supernet", "verify_candidates") == [
        "  A step of 150 images of the largest network takes about 4.0 GiB of the GPU's memory in float32; 7.0 of 8.0 "
        "GiB are free."
    ]
    free[0] = 2 * gib
    configured["verification"]["training"] |= {"batch_size": 10_000, "optimizer": "adamw"}
    assert told("train_supernet", "verify_candidates") == [
        "Careful: a step of 320 images of the largest network takes about 4.0 GiB of the GPU's memory in float32; 3.0 "
        "of 8.0 GiB are free. Set `verification.training.batch_size` lower if memory runs out."
    ]
    assert steps == [((1, 8, 8), 150, 3), ((1, 8, 8), 320, 4)]  # Of 640 images, on two GPUs.
    assert told("search", "report") == []
    assert told("train_supernet", device={**configured["device"], "accelerator": "cpu", "devices": 1}) == []
    assert len(steps) == 2


@pytest.mark.parametrize(
    ("stages", "changes", "runtime"),
    [
        (["measure_costs"], {}, "torch"),
        (["verify_candidates"], {}, "torch"),
        (["measure_costs"], {"costs": {"source": "none"}}, None),
        (["map_space", "search", "export"], {}, None),
        (["export"], {"export": {"int8": True}}, "onnxruntime"),
    ],
)
def test_a_gpu_that_networks_would_be_timed_on_is_asked_for_before_any_work(
    configured: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    stages: list[str],
    changes: dict[str, dict[str, Any]],
    runtime: str | None,
) -> None:
    configured["costs"]["latency"] |= {"device": "cuda", "runtime": "torch"} | changes.get("costs", {})
    configured["export"] |= changes.get("export", {})
    asked: list[tuple[str, str]] = []

    def refuse(device: str, runtime: str) -> None:
        asked.append((device, runtime))
        raise ArchatlasError("no such device")

    monkeypatch.setattr("archatlas.costs.runtimes.require_device", refuse)
    monkeypatch.setattr("archatlas.pipelines.ahead.measure_pace", lambda *_: Pace(step=0.5, image=0.001))
    pipeline = sum((register_pipelines()[stage] for stage in stages), Pipeline([]))
    if runtime is None:
        assert describe_run(configured, pipeline, DataCatalog({}))[0].startswith("Experiment")
        assert asked == []
    else:
        with pytest.raises(ArchatlasError, match="no such device"):
            describe_run(configured, pipeline, DataCatalog({}))
        assert asked == [("cuda", runtime)]


@pytest.mark.parametrize(
    ("pipeline", "preset", "names", "why"),
    [
        ("nasi", "digits", ["gram", "nasgem"], "nasi is left out (`methods.names` is gram, nasgem)"),
        ("nasi", "nas_bench_101", None, "nasi is left out (there is no super-network for the space nas_bench_101)"),
        ("search_by_training", "digits", ["gram"], "gram is left out (digits chooses operations on fixed wirings"),
    ],
)
def test_a_run_that_no_method_would_search_is_refused_before_any_work(
    configured: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    pipeline: str,
    preset: str,
    names: list[str] | None,
    why: str,
) -> None:
    monkeypatch.setattr("archatlas.pipelines.ahead.measure_pace", lambda *_: Pace(step=0.5, image=0.001))
    configured["space"] |= {"preset": preset}
    configured["methods"] |= {"names": names}
    asked = register_pipelines()[pipeline]
    with pytest.raises(ArchatlasError) as refused:
        describe_run(configured, asked, DataCatalog({}))
    assert str(refused.value).startswith("nothing would search: ")
    assert f"{why}" in str(refused.value)
    assert "Ask for a method that can (--params 'methods.names=[NAME]'; null: all)" in str(refused.value)
    # With candidates of the main job there is something to go on with.
    kept = DataCatalog({"candidates_of_atlas": MemoryDataset(1)})
    assert describe_run(configured, asked, kept)[0].startswith("Experiment 'digits'")


def test_nasi_says_where_it_does_not_search(configured: dict[str, Any]) -> None:
    configured["methods"] |= {"names": ["gram"]}
    plan = plan_stages(ProjectParameters.model_validate(configured), ["nasi"], None)["nasi"]
    assert (plan.what, plan.seconds) == ("nothing: nasi is left out (`methods.names` is gram)", 0.0)


def test_segments_say_how_many_are_evaluated_and_predicted(configured: dict[str, Any]) -> None:
    configured["space"] |= {"preset": "mobile", "stages": None, "choices": None}
    configured["segments"] |= {"samples_per_segment": 500, "survivors": 2}
    catalog = DataCatalog({})
    configured["images"] |= {"source": "folder", "path": "somewhere"}
    (_, line) = describe_run(configured, register_pipelines()["segments"], catalog)
    assert line.split()[0] == "segments"
    # 400,932 sub-architectures, and behind two survivors 456,876 and 400,932 more.
    assert "3 x 500 networks on 2 super-networks; 2,116,548 predicted" in line
    assert "once the images are read" in line


def test_with_a_public_table_nothing_is_trained(configured: dict[str, Any]) -> None:
    configured["table"] = {"name": "nas_bench_201"}
    configured["space"] |= {"preset": "nas_bench_201"}
    settings = ProjectParameters.model_validate(configured)
    plans = plan_stages(settings, STAGES, None)
    assert list(plans) == list(STAGES)
    assert plans["prepare_images"].what == "no images: accuracies are looked up in the public table nas_bench_201"
    assert plans["evaluate_subnets"].what == "800 networks looked up: validation accuracy"
    assert plans["train_supernet"].what.startswith("nothing")
    assert all(plan.seconds is not None and plan.seconds < 120 for plan in plans.values())


def test_with_true_accuracies_no_winner_is_trained(configured: dict[str, Any]) -> None:
    configured |= {"truth": {"name": "nas_bench_macro"}, "verification": {**configured["verification"], "top_k": 1}}
    configured["space"] |= {"preset": "nas_bench_macro"}
    configured["evaluation"] |= {"whole_space": "architectures"}
    settings = ProjectParameters.model_validate(configured)
    plans = plan_stages(settings, STAGES, None)
    assert plans["evaluate_subnets"].what == "6,561 architectures on 2 super-networks"
    assert plans["verify_candidates"].what == "winners of 3 budgets and 60 more looked up in a table"
    assert plans["export"].what == "nothing: no winner is trained"
    assert plans["compare_with_truth"].what == "every score beside the true accuracies of nas_bench_macro"
