"""The stages search and verify_candidates, node by node, on few digits and a small space."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from archatlas.costs.counting import count_parts
from archatlas.costs.latency_columns import no_latency
from archatlas.costs.parameters import CostsParameters
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.engines.engine import Shares, using
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.datasets import TableFileDataset
from archatlas.kedro_ext.optional_inputs import reduced
from archatlas.pipeline_registry import register_pipelines
from archatlas.pipelines.export.pipeline import create_pipeline as create_export
from archatlas.pipelines.finish_winners.nodes import plan_finishing
from archatlas.pipelines.finish_winners.pipeline import create_pipeline as create_finish
from archatlas.pipelines.search import nodes as search_nodes
from archatlas.pipelines.search.pipeline import create_pipeline as create_search
from archatlas.pipelines.spent import PLANNED_BY
from archatlas.pipelines.test_winners.pipeline import create_pipeline as create_test
from archatlas.pipelines.verify_candidates import nodes
from archatlas.pipelines.verify_candidates.pipeline import create_pipeline
from archatlas.predictors.make import describe_predictor, make_predictor, state_tensors
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Evaluations
from archatlas.schedule.allocation import allocate
from archatlas.schedule.facts import Facts
from archatlas.schedule.overlay import scheduled
from archatlas.schedule.pace import Pace, Reference
from archatlas.scores.parameters import ScoreParameters
from archatlas.scores.score import score_networks
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.search_space import SearchSpaceDocument
from archatlas.supernet.make import make_supernet
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.calibration import no_networks
from archatlas.verification.export_parameters import ExportParameters
from archatlas.verification.members import member_of
from archatlas.verification.parameters import FinishingParameters, VerificationParameters

SPACE = SpaceParameters.model_validate(
    {"stem_width": 4, "stages": [{"width": 6, "depth": 2, "stride": 2}, {"width": 8, "depth": 2, "stride": 2}]}
)
SEARCH_SPACE = SearchSpaceDocument(space=SPACE, input_shape=(1, 8, 8), num_classes=10).document()
SCHEDULE = {"epochs": 2, "batch_size": 32}
VERIFICATION = VerificationParameters.model_validate(
    {
        "top_k": 2,
        "seeds": 2,
        "training": SCHEDULE,
        "random_networks": 2,
        "audit": {"networks": 4, "seeds": 2, "training": {"epochs": 1, "batch_size": 32}, "bootstrap_samples": 20},
    }
)
FINISHING = FinishingParameters.model_validate({"seeds": 2, "training": {"epochs": 3, "batch_size": 32}})
SEARCH = SearchParameters.model_validate(
    {
        "budgets": {"small": {"max_macs": "40%"}, "any": {}},
        "top_k": 4,
        "evolution": {"evaluations": 120, "population": 20},
    }
)
DEVICE = DeviceParameters(accelerator="cpu", workers=1)


def digits() -> dict[str, dict[str, torch.Tensor]]:
    data = load_digits()
    images = torch.from_numpy((data.images * 255 / 16).astype(np.uint8))[:, None]
    labels = torch.from_numpy(data.target.astype(np.int64))
    ends = {"train": (0, 200), "validation": (200, 300), "test": (300, 400)}
    return {name: {"images": images[a:b], "labels": labels[a:b]} for name, (a, b) in ends.items()}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Data sets up to the atlas; the super-networks are untrained and the predictor is a ridge."""
    space = make_space(SPACE, (1, 8, 8), 10)
    parts = count_parts(space)
    choices = space.enumerate_networks(0, space.networks)
    sampled = ArchitectureBatch(space, choices[::7], cost_table=parts)
    score = np.log(sampled.costs["macs"].to_numpy(dtype=np.float64))
    predictor = make_predictor("ridge", None, 0)
    predictor.fit(sampled, Evaluations(score, np.full(len(score), 0.1), np.full(len(score), "supernet")))
    whole = ArchitectureBatch(space, choices, cost_table=parts)
    prediction = predictor.predict(whole)
    atlas = whole.costs.assign(
        network=space.names(choices), predicted_supernet_accuracy=prediction.mean, predicted_std=prediction.std
    )
    rows = {"network": space.names(sampled.choices), "half": "a", "accuracy": 0.3 + 0.1 * (score - score.min())}
    evaluations = pd.concat([pd.DataFrame({**rows, "seed": seed}) for seed in range(2)], ignore_index=True)
    supernets = {
        f"seed_{seed}": partial(dict, make_supernet(space, torch.Generator().manual_seed(seed)).state_dict())
        for seed in range(2)
    }
    description = {
        "class_names": [str(digit) for digit in range(10)], "channels": 1, "image_size": 8,
        "mean": [0.3], "std": [0.38], "splits": {"train": 200, "validation": 100, "test": 100}, "source": "digits",
    }  # fmt: skip
    return {
        **{f"{name}_images": tensors for name, tensors in digits().items()},
        "image_description": description,
        "atlas": atlas,
        "evaluations": evaluations,
        "class_counts": pd.DataFrame({"split": "validation", "class_name": list("0123456789"), "images": 10}),
        "cost_table": parts,
        "latency_table": no_latency(),
        "supernets": supernets,
        "sampled_architectures": pd.DataFrame({"network": space.names(sampled.choices)}),
        "calibration_networks": no_networks(),
        "calibrated_predictor": describe_predictor("ridge", {}, 0, "accuracy", space),
        "calibrated_predictor_state": state_tensors(predictor.state()),
        "search_space": SEARCH_SPACE,
        "params:search": SEARCH,
        "params:costs": CostsParameters.model_validate({"latency": {"source": "none"}}),
        "params:evaluation": EvaluationParameters(calibration_images=32, calibration_batch=32),
        "params:verification": VERIFICATION,
        "params:device": DEVICE,
        "params:seed": 0,
        "params:table": None,
        "params:truth": None,
        "params:methods.names": None,
        "params:finishing": FINISHING,
        "params:export": ExportParameters(check_images=4),
        "schedule": {},
        "supernet_schedule": {},
        "verification_schedule": {},
        "finishing_schedule": {},
        "run_records": tmp_path_factory.mktemp("records"),
        "work_folder": tmp_path_factory.mktemp("work"),
    }


def test_the_node_that_begins_the_time_of_a_budget_is_one() -> None:
    assert PLANNED_BY in {node.name for node in register_pipelines()["plan_schedule"].nodes}


def run(pipeline: Any, data: dict[str, Any]) -> dict[str, Any]:
    """What the pipeline's nodes give, in order; weights are loaded as a catalog does."""
    made = dict(data)
    for node in reduced(pipeline, made.__contains__).nodes:
        outputs = node.run({name: made[name] for name in node.inputs})
        if node.name == "train_winners":
            outputs["winner_weights"] = {name: partial(dict, one) for name, one in outputs["winner_weights"].items()}
        made |= outputs
    return made


def verified() -> Any:
    """From candidates to tested winners."""
    return create_pipeline() + create_finish() + create_export() + create_test()


@pytest.fixture(scope="module")
def finished(project: dict[str, Any]) -> dict[str, Any]:
    return run(verified(), run(create_search(), project))


def test_only_the_last_node_reads_the_test_images() -> None:
    pipeline = verified()
    readers = [node.name for node in pipeline.nodes if "test_images" in node.inputs]
    assert readers == ["test_winners"]
    assert pipeline.nodes[-1].name == "test_winners"


def test_candidates_keep_their_budget_and_the_best_are_first(finished: dict[str, Any]) -> None:
    candidates, limits = finished["candidates"], finished["constraints"]
    assert limits[["budget", "cost", "bound", "asked"]].values.tolist() == [["small", "macs", "max", "40%"]]
    small = candidates[candidates["budget"] == "small"]
    assert small["macs"].max() <= limits["limit"][0]
    assert small["predicted_score"].is_monotonic_decreasing
    atlas = finished["atlas"]
    kept = atlas[atlas["macs"] <= limits["limit"][0]]
    assert small["predicted_score"].iloc[0] == kept["predicted_supernet_accuracy"].max()
    assert set(finished["pareto_front"]["cost"]) == {"macs", "params"}


def trainings_of(finished: dict[str, Any], network: str) -> pd.DataFrame:
    trainings = finished["trainings"]
    return trainings[(trainings["network"] == network) & (trainings["role"] != "audit")]


def test_without_a_signal_the_largest_are_trained(
    project: dict[str, Any], finished: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert set(finished["candidates"]["ranked_by"]) == {"predicted_score"}
    flat = project["atlas"].assign(predicted_supernet_accuracy=0.1, predicted_std=0.01)
    for method in ("enumerate", "evolve"):
        # The evolution starts from a part of the space that lacks the largest networks of both budgets.
        sample = flat if method == "enumerate" else flat.sort_values("macs", ignore_index=True).iloc[:400:5]
        search = SEARCH.model_copy(update={"method": method})
        caplog.clear()
        found = run(create_search(), {**project, "atlas": sample, "params:search": search})["candidates_of_atlas"]
        assert set(found["ranked_by"]) == {"macs"}
        limits = {"small": finished["constraints"]["limit"][0], "any": np.inf}
        for budget, limit in limits.items():
            part = found[found["budget"] == budget]
            assert part["macs"].is_monotonic_decreasing
            kept = flat.loc[flat["macs"] <= limit, "macs"]
            assert part["macs"].iloc[0] >= (kept.max() if method == "enumerate" else 0.9 * kept.max())
        assert any("candidates are ranked by MACs" in line for line in caplog.messages)


def test_winners_that_are_not_better_are_told_of(
    finished: dict[str, Any], project: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    (test,) = create_test().nodes
    test.run({name: finished[name] for name in test.inputs})
    said = [line for line in caplog.messages if line.startswith("verify_candidates")]
    # Two epochs on 200 digits, judged by 100: nothing is told apart by that.
    assert any("winner_not_better" in line for line in said)
    assert any("small_test_split" in line and "has 100 images" in line for line in said)


def test_every_budget_has_a_tested_winner_with_its_weights(finished: dict[str, Any]) -> None:
    assert [winner["budget"] for winner in finished["winners"]] == ["small", "any"]
    for winner in finished["winners"]:
        assert winner["status"] == "found"
        assert 0 <= winner["test_accuracy_mean"] <= 1
        trained = finished["trainings"].query(f"budget == '{winner['budget']}'").groupby("role")["network"]
        others = {role: set(names) - {winner["architecture"]} for role, names in trained}
        assert winner["random_count"] == len(others["random"]) >= 1
        assert winner["mobilenet_architecture"] == next(iter(others["mobilenet"]), None)
        assert list(winner["per_class_accuracy"]) == [str(digit) for digit in range(10)]
        member = member_of(make_space(SPACE, (1, 8, 8), 10), winner["architecture"])
        built = member.space.build(member.space.parse([member.network])[0])
        built.load_state_dict(finished["winner_weights"][winner["budget"]]())
        right = finished["test_predictions"].query(f"budget == '{winner['budget']}' and label == predicted")
        assert winner["exported_accuracy"] == len(right) / 100
        low, high = winner["exported_accuracy_ci"]
        assert low < winner["exported_accuracy"] < high
        assert winner["finished"]["epochs"] == 3
        assert winner["finished"]["validation_accuracy"] >= max(
            trainings_of(finished, winner["architecture"])["validation_accuracy"]
        )
    limit = finished["constraints"]["limit"][0]
    trainings = finished["trainings"]
    assert trainings[trainings["budget"] == "small"]["macs"].max() <= limit
    verified = finished["verified_candidates"]
    own = verified[verified["role"] == "candidate"]
    assert own.groupby("budget")["validation_accuracy_mean"].count().min() >= 2
    assert own["supernet_accuracy"].notna().all()
    for winner in finished["winners"]:
        allowed = verified[verified["budget"] == winner["budget"]]
        assert winner["validation_accuracy_mean"] == allowed["validation_accuracy_mean"].max()


class Elsewhere:
    """An engine with machines of its own."""

    accelerator: Any = "cpu"

    def shares(self, jobs: int, *, threads: int | None) -> Shares:
        return Shares(2, 1)

    def side_by_side(self, *_: Any) -> Any:
        raise AssertionError("nothing is to be done there")


def test_a_plan_of_cores_that_share_a_training_is_for_where_they_can(
    finished: dict[str, Any], project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("entrants", "pace"):
        monkeypatch.setattr(
            f"archatlas.schedule.{module}.training_seconds", lambda networks, *_: [1e-4] * len(networks)
        )
    pace = Pace(8, 1e-4, 1e-10, 5e-5, 5e-11, processes=8)
    facts = Facts(20_000, 1_000, 256, 1e5, 1e5, 4e5, 1_000, largest_first=False, limits={"any": 4e5})
    winners, records = finished["chosen_winners"][:1], project["run_records"]
    planned = allocate(3600, pace, facts)
    assert planned.finishing["processes"] == 8
    schedule = {
        "time_budget_s": 3600, "seconds": dict(planned.seconds), "pace": asdict(pace), "facts": asdict(facts),
        "reference": asdict(Reference(winners[0]["architecture"], 64, 1e-4)),
    }  # fmt: skip
    given = schedule, planned.finishing, winners, SEARCH_SPACE, DEVICE, records
    here = plan_finishing(*given)
    assert here["processes"] == planned.finishing["processes"]
    assert here["training"]["batch_size"] == planned.finishing["training"]["batch_size"]
    with using(Elsewhere()):
        there = plan_finishing(*given)
    assert there["processes"] == 1
    assert "batch_size" not in there["training"]
    assert scheduled(FINISHING, there).training.batch_size == FINISHING.training.batch_size


def test_the_test_split_judges_winners_and_what_stands_beside_them_alone(finished: dict[str, Any]) -> None:
    trainings = finished["trainings"]
    won = {winner["architecture"] for winner in finished["winners"]}
    for row in trainings.to_dict("records"):
        beside = row["role"] in ("random", "mobilenet")
        judged = beside or (row["role"] == "candidate" and row["network"] in won)
        assert (not np.isnan(row["test_accuracy"])) == judged
    assert trainings["role"].value_counts().to_dict() == {"candidate": 8, "random": 8, "audit": 8, "mobilenet": 4}


def test_audited_networks_are_not_those_of_the_fit(finished: dict[str, Any]) -> None:
    audit = finished["audit"]
    assert len(audit) == 4
    assert not set(audit["network"]) & set(finished["sampled_architectures"]["network"])
    assert audit.columns.tolist() == [
        "network", "supernet_score", "predicted_score", "macs", "params", "untrained_score", "truth", "truth_seed_0",
        "truth_seed_1", "validation_accuracy_mean", "truth_at_half",
    ]  # fmt: skip
    assert finished["audit_summary"]["epochs"] == 1
    assert audit["truth_at_half"].isna().all()  # of a single epoch
    assert finished["audit_summary"]["count"] == 4
    assert audit["truth"].tolist() == pytest.approx(audit[["truth_seed_0", "truth_seed_1"]].mean(axis=1).tolist())


def test_the_audit_s_networks_are_scored_without_training_as_the_sample_was(
    finished: dict[str, Any], project: dict[str, Any]
) -> None:
    space = make_space(SPACE, (1, 8, 8), 10)
    names = project["sampled_architectures"]["network"].head(3).tolist()
    given = {
        "train": ImageSplit.from_tensors(project["train_images"]),
        "description": ImageDescription.model_validate(project["image_description"]),
        "device": DEVICE,
    }
    asked = ScoreParameters(names=("nwot", "log_ntk_trace"), batch=8)
    untrained = score_networks(space, space.parse(names), parameters=asked, seed=5, **given)
    data = {**finished, **project, "untrained_scores": untrained}
    (node,) = (node for node in reduced(create_pipeline(), data.__contains__).nodes if node.name == "audit")
    made = node.run({name: data[name] for name in node.inputs})
    audit = made["audit"]
    pd.testing.assert_frame_equal(audit.drop(columns="untrained_nwot"), finished["audit"])
    alike = score_networks(space, space.parse(audit["network"].tolist()), parameters=asked, seed=5, **given)
    assert audit["untrained_nwot"].tolist() == alike["nwot"].tolist()
    assert made["audit_summary"]["tau_nwot"] == kendall_tau(audit["truth"].to_numpy(), alike["nwot"].to_numpy())
    assert len(made["audit_summary"]["tau_nwot_ci"]) == 2
    assert finished["audit_summary"].get("tau_nwot") is None


def test_calibrated_networks_are_not_audited_and_raw_scores_are_of_the_kind_that_was_learned(
    finished: dict[str, Any], project: dict[str, Any]
) -> None:
    whole = reduced(create_pipeline(), {**finished, **project}.__contains__)
    (audit,) = (node for node in whole.nodes if node.name == "audit")
    assert (finished["audit"]["supernet_score"] > 0).all()
    drawn = finished["audit"][["network"]]
    document = {**project["calibrated_predictor"], "target": "accuracy", "scores": "log_loss"}
    given = {"calibration_networks": drawn, "calibrated_predictor": document}
    made = audit.run({name: {**finished, **given}[name] for name in audit.inputs})["audit"]
    assert len(made) == 4
    assert not set(made["network"]) & set(drawn["network"])
    # Minus the log loss, although the calibrated predictor speaks of accuracies.
    assert (made["supernet_score"] < 0).all()


def test_evolution_finds_what_enumeration_finds(finished: dict[str, Any], project: dict[str, Any]) -> None:
    evolving = SEARCH.model_copy(update={"method": "evolve"})
    sample = project["atlas"].iloc[::20].reset_index(drop=True)
    evolved = run(create_search(), {**project, "atlas": sample, "params:search": evolving})
    first = evolved["candidates_of_atlas"].query("rank == 1").reset_index(drop=True)
    enumerated = finished["candidates_of_atlas"].query("rank == 1").reset_index(drop=True)
    pd.testing.assert_frame_equal(first, enumerated)


@pytest.mark.parametrize("method", ["enumerate", "evolve"])
def test_an_atlas_in_a_file_has_the_answer_of_the_table(
    project: dict[str, Any], method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archatlas.storage.table_file._PART", 100)
    atlas = project["atlas"]
    dataset = TableFileDataset(filepath=str(tmp_path / "atlas.parquet"))
    dataset.save(atlas[start : start + 50] for start in range(0, len(atlas), 50))
    search = SEARCH.model_copy(update={"method": method})
    in_memory, in_file = (
        run(create_search(), {**project, "atlas": one, "params:search": search}) for one in (atlas, dataset.load())
    )
    for name in ("candidates_of_atlas", "front_of_atlas", "constraints_of_atlas"):
        pd.testing.assert_frame_equal(in_file[name], in_memory[name])


def test_an_impossible_budget_stops_the_search(project: dict[str, Any]) -> None:
    impossible = SearchParameters.model_validate({"budgets": {"tiny": {"max_params": 1}}})
    with pytest.raises(ArchatlasError, match=r"search\.budgets\.tiny\.max_params"):
        search_nodes.search(
            **{name: project[name] for name in ("atlas", "cost_table", "latency_table", "calibrated_predictor")},
            evaluations=project["evaluations"],
            class_counts=project["class_counts"],
            calibrated_predictor_state={},
            search=impossible,
            search_space=SEARCH_SPACE,
            seed=0,
        )


def test_latency_of_finalists_is_measured_where_it_can_be(finished: dict[str, Any], project: dict[str, Any]) -> None:
    arguments = {
        "candidates": finished["candidates"],
        "constraints": finished["constraints"],
        "search_space": SEARCH_SPACE,
        "search": SEARCH,
        "verification": VERIFICATION,
    }
    measured = nodes.measure_latency(**arguments, costs=CostsParameters())
    assert measured["finalist"].all()
    assert (measured["latency_lower_quartile_ms"] <= measured["latency_ms"]).all()
    assert (measured["latency_ms"] > 0).all()
    assert finished["candidate_latency"]["latency_ms"].isna().all()


def test_the_registry_of_the_stages_loads_nothing_heavy() -> None:
    code = (
        "import sys; from archatlas.pipelines.search.pipeline import create_pipeline as a; a();"
        "from archatlas.pipelines.verify_candidates.pipeline import create_pipeline as b; b();"
        "print(sorted({'torch', 'pymoo', 'sklearn', 'lightgbm', 'joblib'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
