"""The four stages from the sample to the atlas, run by Kedro on a small space."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from archatlas.costs.counting import count_parts
from archatlas.costs.table import costs_of
from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.datasets import ParquetDataset
from archatlas.kedro_ext.optional_inputs import reduced
from archatlas.pipelines.calibrate_predictor import pipeline as calibrate_predictor
from archatlas.pipelines.encode_graphs import nodes as encode_nodes
from archatlas.pipelines.encode_graphs import pipeline as encode_graphs
from archatlas.pipelines.fit_predictor import nodes as fit_nodes
from archatlas.pipelines.fit_predictor import pipeline as fit_predictor
from archatlas.pipelines.map_space import nodes as map_nodes
from archatlas.pipelines.map_space import pipeline as map_space
from archatlas.pipelines.score_untrained import pipeline as score_untrained
from archatlas.pipelines.tune_predictor import nodes as tune_nodes
from archatlas.pipelines.tune_predictor import pipeline as tune_predictor
from archatlas.predictors.make import load_predictor
from archatlas.predictors.parameters import AtlasParameters, PredictorParameters, TuningParameters
from archatlas.scores.parameters import ScoreParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.search_space import SearchSpaceDocument
from archatlas.training.parameters import DeviceParameters, TrainingParameters
from archatlas.verification.parameters import CalibrationParameters, VerificationParameters

SPACE = SpaceParameters.model_validate(
    {
        "stem_width": 6,
        "stages": [{"width": 6, "depth": 2}, {"width": 8, "depth": 2, "stride": 2}],
        "choices": ["k3e1", "k5e3", "skip"],
    }
)


def evaluations_of(names: list[str], costs: pd.DataFrame) -> pd.DataFrame:
    """Accuracies that grow with the logarithm of the MACs, with noise."""
    generator = np.random.default_rng(0)
    macs = np.log(costs["macs"].to_numpy(float))
    score = 0.6 + 0.1 * (macs - macs.mean()) / macs.std()
    parts = []
    for seed in (0, 1):
        for half in ("a", "b"):
            accuracy = np.clip(score + generator.normal(scale=0.02, size=len(names)), 0, 1)
            columns = {"architecture": names, "network": names, "seed": seed, "half": half, "accuracy": accuracy}
            parts.append(pd.DataFrame(columns).assign(log_loss=1 - accuracy, images=100, source="supernet", noise=0.04))
    return pd.concat(parts, ignore_index=True)


STAGES = (encode_graphs, fit_predictor, tune_predictor, calibrate_predictor, map_space)


def from_sample_to_atlas(
    target: str, folder: Path, stages: tuple[Any, ...] = STAGES, **changes: Any
) -> tuple[DataCatalog, SearchSpace]:
    """What the stages give, and the space of 40 of whose networks there are scores."""
    description = ImageDescription(
        class_names=("a", "b"),
        channels=1,
        image_size=8,
        mean=(0.5,),
        std=(0.2,),
        splits={"train": 10, "validation": 10, "test": 10},
        source="synthetic",
    )
    space = make_space(SPACE, description.input_shape, description.num_classes)
    cost_table = count_parts(space)
    sample = space.sample(40, np.random.default_rng(0))
    names = [str(name) for name in space.names(sample)]

    costs = costs_of(space, sample, cost_table)
    sampled = pd.DataFrame({"network": names, "architecture": names, **costs[["macs", "params"]]})
    predictor = {"target": target, "folds": 2, "gcn": {"epochs": 10}, "lightgbm": {"trees": 10, "min_leaf": 2}}
    inputs = {
        "sampled_architectures": sampled,
        "evaluations": evaluations_of(names, costs),
        "image_description": description.model_dump(mode="json"),
        "cost_table": cost_table,
        "latency_table": pd.DataFrame(columns=["part", "position", "choice", "latency_ms"]),
        "search_space": SearchSpaceDocument(space=SPACE, input_shape=description.input_shape, num_classes=2).document(),
        "params:predictor": PredictorParameters.model_validate(predictor),
        "params:tuning": TuningParameters(trials=4, inner_folds=2, families=("ridge", "gcn")),
        "params:atlas": AtlasParameters(chunk=16),
        "params:seed": 0,
        **{f"params:{name}": None for name in ("table", "truth", "calibration")},
        **{f"{section}_schedule": {} for section in ("supernet", "tuning", "verification")},
        "params:device": DeviceParameters(accelerator="cpu", workers=1),
        "params:verification": VerificationParameters(training=TrainingParameters(epochs=1, batch_size=16)),
        "train_images": noise(48),
        "validation_images": noise(24),
        "work_folder": folder / "work",
        **changes,
    }
    catalog = DataCatalog({name: MemoryDataset(data, copy_mode="assign") for name, data in inputs.items()})
    # What a later node of the same stage reads is not kept in memory.
    files = ("atlas", "calibration_networks", "calibration_trainings")
    for name in files:
        catalog[name] = ParquetDataset(filepath=str(folder / f"{name}.parquet"))
    for stage in stages:
        made: Pipeline = reduced(stage.create_pipeline(), catalog.__contains__)
        for name in made.outputs() - set(files):
            catalog[name] = MemoryDataset(copy_mode="assign")
        SequentialRunner().run(made, catalog)
    return catalog, space


def noise(count: int) -> dict[str, torch.Tensor]:
    """Images of two classes that nothing tells apart."""
    images = torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))
    return {"images": images, "labels": torch.arange(count) % 2}


@pytest.mark.parametrize("target", ["accuracy", "log_loss"])
def test_from_sample_to_atlas(target: str, tmp_path: Path) -> None:
    catalog, space = from_sample_to_atlas(target, tmp_path)
    graphs = catalog.load("architecture_graphs")
    assert tuple(graphs["choices"].shape) == (40, len(space.num_choices))
    assert catalog.load("node_features")["names"] == list(space.graph_features)
    scores = catalog.load("predictor_scores")
    assert {"gcn", "ridge", "ridge_kinds", "lightgbm", "gp", "macs", "params", "constant"} == set(scores["predictor"])
    assert scores.groupby(["predictor", "protocol"])["kendall_tau"].mean()["macs", "cross_seed"] > 0.5
    for name in ("fitted_predictor", "tuned_predictor"):
        document = json.loads(json.dumps(catalog.load(name)))
        assert document["target"] == target
        load_predictor(document, catalog.load(f"{name}_state"), space)
    assert catalog.load("calibrated_predictor") == catalog.load("tuned_predictor")
    assert json.loads(json.dumps(catalog.load("tuning_summary")))["trials"] == 4
    assert len(catalog.load("tuning_trials")) == 4
    atlas = catalog.load("atlas")
    assert len(atlas) == space.networks == catalog.load("atlas_speed")["rows"]
    best = atlas[f"predicted_supernet_{target}"].to_numpy()
    sign = 1 if target == "accuracy" else -1
    costs = costs_of(space, space.parse(atlas["network"].to_numpy()), catalog.load("cost_table"))
    assert atlas["macs"].tolist() == costs["macs"].tolist()
    assert np.corrcoef(np.log(atlas["macs"]), sign * best)[0, 1] > 0.5


def test_a_few_networks_are_trained_alone_and_the_atlas_speaks_of_such_accuracies(tmp_path: Path) -> None:
    calibration = CalibrationParameters(networks=10, seeds=2)
    catalog, space = from_sample_to_atlas("log_loss", tmp_path, **{"params:calibration": calibration})
    chosen, trainings = catalog.load("calibration_networks"), catalog.load("calibration_trainings")
    assert chosen["network"].nunique() == len(chosen) == 10
    assert trainings.groupby("network")["seed"].nunique().tolist() == [2] * 10
    assert set(trainings["network"]) == set(chosen["network"])
    assert trainings["validation_accuracy"].between(0, 1).all()
    document = catalog.load("calibrated_predictor")
    assert [document[name] for name in ("family", "target", "scores")] == ["multi_fidelity", "accuracy", "log_loss"]
    assert catalog.load("tuned_predictor")["target"] == "log_loss"
    assert catalog.load("calibration_summary")["networks"] == 10
    atlas = catalog.load("atlas")
    assert len(atlas) == space.networks
    assert "predicted_accuracy" in atlas
    assert not any("supernet" in name for name in atlas.columns)


def test_scores_without_training_of_the_sample_are_heard_of_every_network(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """But for jacov, which is noise on images that are noise."""
    evidence = {"gp": {"ensemble": 2, "steps": 5}, "cheap": "ridge"}
    asked = {
        "params:predictor": PredictorParameters.model_validate({"name": "evidence", "evidence": evidence, "folds": 2}),
        "params:tuning": TuningParameters(trials=1, inner_folds=2, families=("evidence",)),
        "params:calibration": CalibrationParameters(networks=10, seeds=1),
        "params:scores": ScoreParameters(names=("nwot", "jacov", "synflow"), batch=8),
    }
    with caplog.at_level(logging.INFO):
        catalog, space = from_sample_to_atlas("accuracy", tmp_path, (score_untrained, *STAGES), **asked)
    assert caplog.text.count("evidence hears estimates of nwot, synflow, and of no other score without training") == 2
    scores = catalog.load("predictor_scores").groupby(["predictor", "protocol"])["kendall_tau"].mean()
    assert {"nwot, untrained", "jacov, untrained", "synflow, untrained"} <= set(scores.index.get_level_values(0))
    # Scores grow with the MACs, and so do log flows of weights that are drawn alike.
    assert scores["synflow, untrained", "cross_seed"] > 0.2
    for name in ("fitted_predictor", "tuned_predictor"):
        document = json.loads(json.dumps(catalog.load(name)))
        assert (document["family"], document["settings"]["family"]) == ("estimated_proxies", "evidence")
        state = catalog.load(f"{name}_state")
        assert bytes(state["proxies"]).decode().split("\n") == ["nwot", "synflow"]
        assert b"synflow" in bytes(state["predictor/opinions.names"])
        load_predictor(document, state, space)
    assert catalog.load("tuning_summary")["family"] == "evidence"
    assert catalog.load("calibrated_predictor")["settings"]["cheap"] == "estimated_proxies"
    atlas = catalog.load("atlas")
    assert len(atlas) == space.networks > 40
    assert np.isfinite(atlas["predicted_accuracy"]).all()
    assert (atlas["predicted_std"] > 0).all()


def test_annotations_resolve() -> None:
    for function in (encode_nodes.encode, fit_nodes.fit, tune_nodes.tune, map_nodes.map_networks):
        assert get_type_hints(function)["search_space"] == dict[str, Any]
