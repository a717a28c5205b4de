"""A small, deterministic stand-in for what a finished run leaves: real architectures, plausible scores."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parameters import ChainParameters
from archatlas.spaces.parameters import StageParameters
from archatlas.spaces.presets import make_space

# Its own stem, stages and choices, whatever the preset's are. 8 positions; 200,000 architectures, 141,120 networks.
SPACE = ChainParameters(
    stem_width=6,
    stages=(
        StageParameters(width=8, depth=3),
        StageParameters(width=12, depth=3, stride=2),
        StageParameters(width=16, depth=2, stride=2),
    ),
    choices=("k3e1", "k3e3", "k5e3", "k5e6", "skip"),
)
BUDGETS = {"small": 0.15, "medium": 0.35, "large": 0.7}


NOT_COMPARED: dict[str, Any] = {
    **{name: pd.DataFrame() for name in ("truth_by_network", "truth_correlations", "truth_picks")},
    "truth_summary": {},
}
"""What compare_with_truth leaves where no table of true accuracies is given."""


def stand_in_space() -> ChainSpace:
    return make_space(SPACE, (1, 8, 8), 10)


def _block(space: ChainSpace, position: int, choice: int) -> tuple[int, int]:
    """MACs and params of an MBConv by hand: expand 1x1, depthwise k x k, project 1x1, norms of 2 params a channel."""
    operation = space.operation(position, choice)
    if operation.is_skip:
        return 0, 0
    before, height, _ = space.block_input_shape(position)
    after, out, _ = space.block_input_shape(position + 1)
    hidden = before * operation.expansion
    weights = hidden * operation.kernel**2 + hidden * after
    macs = weights * out * out
    params = weights + 2 * hidden + 2 * after
    if operation.expansion > 1:
        macs += before * hidden * height * height
        params += before * hidden + 2 * hidden
    return macs, params


def cost_table(space: ChainSpace) -> pd.DataFrame:
    rows: list[tuple[str, int, int, str, int, int]] = [("stem", -1, 0, "stem", 6 * 9 * 64, 6 * 9 + 12)]
    for position, count in enumerate(space.num_choices):
        for choice in range(count):
            operation = str(space.operation(position, choice))
            rows += [("block", position, choice, operation, *_block(space, position, choice))]
    rows.append(("head", len(space.num_choices), 0, "head", 160, 170))
    return pd.DataFrame(rows, columns=["part", "position", "choice", "operation", "macs", "params"])


def _costs(space: ChainSpace, choices: np.ndarray, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    fixed = table[table["part"] != "block"][["macs", "params"]].sum().to_numpy()
    total = np.tile(fixed, (len(choices), 1)).astype(np.int64)
    for position in range(choices.shape[1]):
        costs = table[(table["part"] == "block") & (table["position"] == position)][["macs", "params"]].to_numpy()
        total += costs[choices[:, position]]
    return total[:, 0], total[:, 1]


def make_run_data(networks: int = 3000, *, audit_networks: int = 44, seed: int = 0) -> dict[str, Any]:
    """Every data set that the report reads, by its catalog name."""
    rng = np.random.default_rng(seed)
    space = stand_in_space()
    table = cost_table(space)
    choices = space.enumerate_networks(0, space.networks) if networks >= space.networks else space.sample(networks, rng)
    names = space.names(choices)
    macs, params = _costs(space, choices, table)
    gains = [rng.normal(0, 1, count) for count in space.num_choices]
    merit = sum(gains[position][choices[:, position]] for position in range(choices.shape[1]))
    merit = (merit - np.mean(merit)) / np.std(merit)
    capacity = (np.log(macs) - np.log(macs).mean()) / np.log(macs).std()
    truth = 0.915 + 0.028 * np.tanh(0.5 * merit + 0.7 * capacity) + rng.normal(0, 0.002, len(choices))
    predicted = 0.83 + 1.6 * (truth - 0.915) + rng.normal(0, 0.012, len(choices))
    latency = 0.08 + macs * 9e-7 + 0.012 * (choices < 4).sum(axis=1) + rng.normal(0, 0.002, len(choices))
    atlas = pd.DataFrame(
        {
            "network": names,
            "predicted_supernet_accuracy": predicted,
            "predicted_std": rng.uniform(0.004, 0.012, len(choices)),
            "macs": macs,
            "params": params,
            "predicted_latency_ms": latency,
        }
    )
    scored = atlas.rename(columns={"predicted_supernet_accuracy": "predicted_score"})
    data: dict[str, Any] = {"space_summary": _space_summary(space), "cost_table": table, "atlas": atlas}
    data |= _images(rng)
    data |= _latency(space, table, atlas, rng)
    data |= _search(scored, truth, rng)
    data |= _predictors(rng)
    data |= _audit(scored, truth, audit_networks, rng)
    data |= _answers()
    data |= {
        "supernet_curves": _curves(rng),
        "evaluations": pd.DataFrame(
            {
                "architecture": np.repeat(names[:600], 4),
                "network": np.repeat(names[:600], 4),
                "seed": np.tile([0, 0, 1, 1], 600),
                "half": np.tile(["a", "b", "a", "b"], 600),
                "accuracy": np.repeat(predicted[:600], 4),
            }
        ),
        "evaluation_speed": {"architectures": 1200, "seconds": 18.0, "architectures_per_second": 66.7},
        "atlas_speed": {
            "rows": len(atlas), "seconds": 5.1, "architectures_per_second": 27670.0, "peak_memory_mib": 611.0
        },
        **NOT_COMPARED,
        "signals": [],
        "manifest": _manifest(),
    }  # fmt: skip
    return data


def _space_summary(space: ChainSpace) -> dict[str, Any]:
    return {
        "name": space.name,
        "size": space.size,
        "networks": space.networks,
        "positions": len(space.num_choices),
        "num_choices": list(space.num_choices),
        "example": str(space.names(space.enumerate_networks(0, 1))[0]),
    }


def _images(rng: np.random.Generator) -> dict[str, Any]:
    splits = {"train": 1078, "validation": 360, "test": 359}
    classes = [str(digit) for digit in range(10)]
    rows = [
        (split, name, images // 10 + int(rng.integers(-3, 4))) for split, images in splits.items() for name in classes
    ]
    description = {
        "class_names": classes,
        "channels": 1,
        "image_size": 8,
        "mean": [0.305],
        "std": [0.376],
        "splits": splits,
        "source": "scikit-learn digits",
    }
    counts = pd.DataFrame(rows, columns=["split", "class_name", "images"])
    return {"image_description": description, "class_counts": counts}


def _answers() -> dict[str, Any]:
    """Predictions of 359 test images: every tenth is taken for the next class, and an 8 always for a 3."""
    position = np.arange(359)
    label = position % 10
    predicted = np.where(position % 100 < 10, (label + 1) % 10, label)
    predicted[label == 8] = 3
    wrong = predicted != label
    probability = np.where(wrong, 0.5 + position / 1000, 0.97)
    of_label = np.where(wrong, 1 - probability, probability)
    table = pd.DataFrame(
        {
            "position": position,
            "label": label,
            "predicted": predicted,
            "probability": probability,
            "probability_of_label": of_label,
            "log_loss": -np.log(of_label),
        }
    )
    files = pd.DataFrame(
        {
            "split": "test",
            "position": position,
            "file": [f"digits/{digit}/{index}.png" for index, digit in enumerate(label)],
            "class_name": label.astype(str),
            "note": "",
        }
    )
    # As images of the worst mistakes: each is of one grey, which says the how manieth it is.
    greys = np.repeat(np.arange(12, dtype=np.uint8), 64).reshape(12, 1, 8, 8)
    return {
        "split_files": files,
        "test_predictions": pd.concat([table.assign(budget=budget) for budget in BUDGETS], ignore_index=True),
        "test_mistakes": dict.fromkeys(BUDGETS, greys),
    }


def _latency(space: ChainSpace, table: pd.DataFrame, atlas: pd.DataFrame, rng: np.random.Generator) -> dict[str, Any]:
    parts = table.assign(
        device="this machine", batch_size=1, threads=1, source="measured", latency_ms=0.01 + table["macs"] * 9e-7
    )
    checked = atlas.sample(16, random_state=3)
    measured = checked["predicted_latency_ms"].to_numpy() * rng.normal(1.02, 0.04, len(checked))
    check = pd.DataFrame(
        {
            "architecture": checked["network"].to_numpy(),
            "predicted_latency_ms": checked["predicted_latency_ms"].to_numpy(),
            "measured_latency_ms": measured,
            "measured_latency_lower_quartile_ms": measured * 0.98,
            "measured_latency_upper_quartile_ms": measured * 1.03,
        }
    )
    return {"latency_table": parts, "latency_check": check}


def _search(scored: pd.DataFrame, truth: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    low, high = float(scored["macs"].min()), float(scored["macs"].max())
    columns = ["budget", "cost", "bound", "asked", "limit", "least", "most", "feasible"]
    feasibility, candidates, verified, trainings, winners = [], [], [], [], []
    for budget, part in BUDGETS.items():
        limit = low + part * (high - low)
        feasibility.append((budget, "macs", "max", f"{100 * part:.0f}%", limit, low, high, True))
        best = scored[scored["macs"] <= limit].nlargest(8, "predicted_score").reset_index(drop=True)
        for index, row in best.iterrows():
            accuracy = float(truth[scored.index[scored["network"] == row["network"]][0]]) + 0.02
            record = {"budget": budget, "rank": int(index) + 1, **row.to_dict()}
            candidates.append(record)
            latency = float(row["predicted_latency_ms"]) * 1.03
            verified.append(
                {
                    **{key: value for key, value in record.items() if key != "predicted_std"},
                    "supernet_accuracy": float(row["predicted_score"]) + float(rng.normal(0, 0.004)),
                    "validation_accuracy_mean": accuracy,
                    "validation_accuracy_std": 0.003,
                    "latency_ms": latency,
                    "latency_lower_quartile_ms": latency * 0.98,
                    "latency_upper_quartile_ms": latency * 1.04,
                    "meets_budget": True,
                    "verdict": "",
                }
            )
        frame = [row for row in verified if row["budget"] == budget]
        first = max(frame, key=lambda row: row["validation_accuracy_mean"])
        for row in frame:
            row["verdict"] = "winner" if row is first else "behind the winner on validation"
        runs = {
            "candidate": first["validation_accuracy_mean"] - 0.004 + rng.normal(0, 0.003, 3),
            "random": first["validation_accuracy_mean"] - 0.09 + rng.normal(0, 0.007, 5),
            "mobilenet": first["validation_accuracy_mean"] - 0.08 + rng.normal(0, 0.004, 3),
        }
        for role, accuracies in runs.items():
            trainings += [
                {
                    "role": role,
                    "budget": budget,
                    "network": _compared(first["network"], role, index),
                    "seed": 0 if role == "random" else index,
                    "validation_accuracy": accuracy + 0.004,
                    "test_accuracy": accuracy,
                    "macs": first["macs"],
                    "params": first["params"],
                }
                for index, accuracy in enumerate(accuracies.tolist())
            ]
        winners.append(
            {
                "budget": budget,
                "status": "found",
                "architecture": first["network"],
                "predicted": first["predicted_score"],
                "supernet_accuracy": first["supernet_accuracy"],
                "validation_accuracy_mean": first["validation_accuracy_mean"],
                "test_accuracy_mean": float(runs["candidate"].mean()),
                "test_accuracy_std": float(runs["candidate"].std(ddof=1)),
                "random_accuracy_mean": float(runs["random"].mean()),
                "random_accuracy_std": float(runs["random"].std(ddof=1)),
                "random_count": 5,
                "seeds": [0, 1, 2],
                "training_noise": {"std": 0.003, "degrees": 4, "of": "trainings"},
                "mobilenet_architecture": "mobilenet_x1.00",
                "mobilenet_accuracy_mean": float(runs["mobilenet"].mean()),
                "macs": int(first["macs"]),
                "params": int(first["params"]),
                "latency_ms": first["latency_ms"],
                "latency_upper_quartile_ms": first["latency_upper_quartile_ms"],
                "nearest_misses": [],
                "reason": "",
                "per_class_accuracy": {str(digit): 0.99 - 0.012 * digit + 0.004 * len(winners) for digit in range(10)},
            }
        )
    fronts = []
    for cost, column in (("macs", "macs"), ("params", "params"), ("latency_ms", "predicted_latency_ms")):
        ordered = scored.sort_values([column, "predicted_score"], ascending=[True, False])
        front = ordered[ordered["predicted_score"] > ordered["predicted_score"].cummax().shift(fill_value=-1)]
        fronts.append(front.assign(cost=cost).drop(columns="predicted_std"))
    exported = {
        budget: {
            "status": "exported",
            "files": [f"{budget}/network.{kind}" for kind in ("safetensors", "json", "onnx")],
            **({"int8": EIGHT_BITS} if budget == "small" else {}),
            "max_abs_difference_supernet": 3.1e-6,
            "max_abs_difference_onnx": 2e-6,
        }
        for budget in BUDGETS
    }
    return {
        "feasibility": pd.DataFrame(feasibility, columns=columns),
        "candidates": pd.DataFrame(candidates),
        "verified_candidates": pd.DataFrame(verified),
        "trainings": pd.DataFrame(trainings),
        "winners": winners,
        "pareto_front": pd.concat(fronts, ignore_index=True),
        "export_summary": {"budgets": exported, "max_abs_difference": 3.1e-6},
    }


EIGHT_BITS = {
    "file": "small/network_int8.onnx",
    "bytes": 21_000, "bytes_float": 61_000, "calibration_images": 256, "compared_images": 256,
    "max_logit_difference": 0.81, "mean_logit_difference": 0.0731, "agreement": 0.992,
    "latency_on": "a processor, onnxruntime",
    "latency_ms": {
        "float": {"median_ms": 0.042, "lower_quartile_ms": 0.041, "upper_quartile_ms": 0.044},
        "int8": {"median_ms": 0.021, "lower_quartile_ms": 0.02, "upper_quartile_ms": 0.022},
    },
}  # fmt: skip


def _compared(winner: str, role: str, index: int) -> str:
    """A name for each random network, one for all trainings of the MobileNet, and the winner's own."""
    return {"candidate": winner, "random": f"random {index}"}.get(role, "mobilenet_x1.00")


def _predictors(rng: np.random.Generator) -> dict[str, Any]:
    middle = {"gcn": 0.67, "ridge": 0.64, "gp": 0.63, "lightgbm": 0.6, "macs": 0.41, "params": 0.38}
    rows = [
        {
            "predictor": name,
            "protocol": protocol,
            "fold": fold,
            "fit_seed": fit,
            "score_seed": 1 - fit if protocol == "cross_seed" else fit,
            "kendall_tau": tau + (0.08 if protocol == "same_seed" else 0) + float(rng.normal(0, 0.012)),
            "spearman": tau + 0.17,
            "kendall_tau_top_half": tau - 0.2,
            "rmse": 0.03 - 0.02 * tau,
        }
        for protocol in ("cross_seed", "same_seed")
        for name, tau in middle.items()
        for fold in range(5)
        for fit in (0, 1)
    ]
    trials = pd.DataFrame(
        {
            "trial": range(24),
            "state": "COMPLETE",
            "value": 0.66 - 0.12 * rng.random(24) ** 2,
            "family": rng.choice(["gcn", "ridge", "lightgbm"], 24, p=[0.6, 0.2, 0.2]),
            "settings": json.dumps({"width": 96}),
        }
    )
    summary = {
        "family": "gcn",
        "settings": {"width": 96},
        "inner_kendall_tau": float(trials["value"].max()),
        "outer_kendall_tau": 0.655,
        "outer_baselines": {"ridge": 0.638, "lightgbm": 0.601, "macs": 0.41, "params": 0.382},
        "trials": 24,
    }
    tuned = {"family": "gcn", "settings": {"width": 96}, "seed": 0, "target": "accuracy"}
    return {
        "predictor_scores": pd.DataFrame(rows),
        "tuning_trials": trials,
        "tuning_summary": summary,
        "calibrated_predictor": tuned,
        "calibration_summary": {},
    }


def _audit(scored: pd.DataFrame, truth: np.ndarray, count: int, rng: np.random.Generator) -> dict[str, Any]:
    rows = rng.choice(len(scored), count, replace=False)
    audit = pd.DataFrame(
        {
            "network": scored["network"].to_numpy()[rows],
            "supernet_score": scored["predicted_score"].to_numpy()[rows] + rng.normal(0, 0.012, count),
            "predicted_score": scored["predicted_score"].to_numpy()[rows],
            "macs": scored["macs"].to_numpy()[rows],
            "params": scored["params"].to_numpy()[rows],
            "truth": truth[rows],
            "truth_seed_0": truth[rows] + 0.003,
            "truth_seed_1": truth[rows] - 0.003,
            "validation_accuracy_mean": truth[rows],
        }
    )
    if not count:
        return {"audit": audit, "audit_summary": {"count": 0}}
    summary = {
        "count": count,
        "tau_supernet": 0.51,
        "tau_supernet_ci": [0.36, 0.63],
        "tau_predictor": 0.6,
        "tau_predictor_ci": [0.47, 0.7],
        "tau_difference": 0.09,
        "tau_difference_ci": [0.01, 0.17],
        "tau_params": 0.38,
        "tau_params_ci": [0.2, 0.53],
        "tau_macs": 0.42,
        "tau_macs_ci": [0.25, 0.57],
        "tau_ceiling": 0.74,
        "tau_ceiling_ci": [0.6, 0.83],
        "epochs": 4,
        "tau_half_time": 0.66,
        "tau_half_time_ci": [0.52, 0.77],
        "spread_p10": float(np.percentile(truth[rows], 10)),
        "spread_p90": float(np.percentile(truth[rows], 90)),
    }
    return {"audit": audit, "audit_summary": summary}


def _curves(rng: np.random.Generator) -> pd.DataFrame:
    epochs = np.arange(1, 31)
    parts = [
        pd.DataFrame(
            {
                "seed": seed,
                "epoch": epochs,
                "loss": 0.55 + 1.8 * np.exp(-epochs / 7) + rng.normal(0, 0.01, 30),
                "accuracy": 0.95 - 0.8 * np.exp(-epochs / 6) + rng.normal(0, 0.004, 30),
                "learning_rate": 0.1,
            }
        )
        for seed in (0, 1)
    ]
    return pd.concat(parts, ignore_index=True)


SESSION, EARLIER = "2026-01-03T08.00.00.000Z", "2026-01-02T03.00.00.000Z"
NODES: dict[str, tuple[str, float, list[str], dict[str, int]]] = {
    "prepare_images": ("prepare_images", 1.2, [], {"train_images": 69_000, "image_description": 412}),
    "measure_costs": ("measure_costs", 9.8, ["image_description"], {"cost_table": 9_000}),
    "train_supernets": ("train_supernet", 80.0, ["train_images"], {"supernets": 5_400_000}),
    "collect_curves": ("train_supernet", 3.0, ["supernets"], {"supernet_curves": 12_300}),
    "draw_sample": ("sample_architectures", 0.1, [], {"sample": 21_000}),
    "evaluate_subnets": ("evaluate_subnets", 19.5, ["supernets", "sample"], {"evaluations": 130_000}),
    "fit_predictor": ("fit_predictor", 31.0, ["evaluations"], {"fitted_predictor": 900}),
    "tune_predictor": ("tune_predictor", 47.0, ["evaluations"], {"tuned_predictor": 1_100}),
    "calibrate_predictor": ("calibrate_predictor", 0.1, ["tuned_predictor"], {"calibrated_predictor": 1_100}),
    "map_space": ("map_space", 5.9, ["calibrated_predictor"], {"atlas": 3_300_000}),
    "search_atlas": ("search", 0.4, ["atlas", "cost_table"], {"candidates": 7_000, "pareto_front": 6_000}),
    "verify_candidates": ("verify_candidates", 92.0, ["candidates"], {"winners": 4_000, "trainings": 9_900}),
    "export_networks": ("export", 4.2, ["winners"], {"networks": 210_000}),
}
"""Stage, seconds, inputs, and outputs with their sizes in bytes; the first eleven were made in an earlier session."""


def _manifest() -> dict[str, Any]:
    nodes: dict[str, Any] = {}
    sessions: dict[str, str] = {}
    for index, (node, (stage, seconds, inputs, outputs)) in enumerate(NODES.items()):
        session = EARLIER if index < 11 else SESSION
        sessions |= dict.fromkeys(outputs, session)
        nodes[node] = {
            "function": f"archatlas.pipelines.{stage}.nodes.{node}",
            "executed": session == SESSION,
            "reasons": ["parameter search.top_k: 3 -> 5" if session == SESSION else f"nothing changed since {EARLIER}"],
            "started": f"{session[:10]}T03:{index:02d}:00.000+00:00",
            "seconds": seconds,
            "peak_memory_mib": 420.0 + 40 * index,
            "fingerprint": f"{index:x}" * 64,
            "session": session,
            "inputs": {name: sessions[name] for name in inputs},
            "outputs": {
                name: {"path": f"data/{name}/{session}/{name}", "version": session, "size": size, "sha256": "ab" * 32}
                for name, size in outputs.items()
            },
        }
    return {
        "experiment": "digits",
        "session": SESSION,
        "started": "2026-01-03T08:00:00.123+00:00",
        "ended": None,
        "status": "running",
        "error": None,
        "path": f"data/08_reporting/digits/manifest.json/{SESSION}/manifest.json",
        "command": "kedro run",
        "pipelines": ["__default__"],
        "runner": "IncrementalRunner",
        "git": {"commit": "1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d", "dirty": True, "branch": "main"},
        "parameters": {"seed": 0},
        "seeds": {"seed": 0},
        "libraries": {"archatlas": "0.2.0", "kedro": "1.7.0", "torch": "2.9.1"},
        "python": "3.11.4",
        "hardware": {
            "host": "workshop", "system": "Linux x86_64", "cpu": "A Processor", "cores": 2, "memory_mib": 16_000,
            "gpus": [],
        },
        "nodes": nodes,
    }  # fmt: skip


def make_run(data: dict[str, Any], **changes: Any) -> Any:
    """A Run of ``data`` with defaults for what is not a data set."""
    from archatlas.reporting.parameters import ReportParameters
    from archatlas.reporting.run import Run

    kept = {name: value for name, value in {**data, **changes}.items() if name != "report"}
    parameters = {"experiment": "digits", "seed": 0, "search": {"budgets": {"small": {"max_macs": "15%"}}}}
    return Run(
        parameters=parameters,
        experiment="digits",
        seed=0,
        space=stand_in_space(),
        report=changes.get("report", ReportParameters()),
        **kept,
    )


@pytest.fixture(scope="session")
def space() -> ChainSpace:
    return stand_in_space()


@pytest.fixture(scope="session")
def run_data() -> dict[str, Any]:
    return make_run_data()


@pytest.fixture(scope="session")
def run(run_data: dict[str, Any]) -> Any:
    return make_run(run_data)


@pytest.fixture(scope="session", name="make_run")
def make_run_fixture() -> Any:
    return make_run


@pytest.fixture
def drawn_by_chromium(tmp_path: Path) -> Callable[[str], tuple[int, list[str]]]:
    """Opens a page; how many figures are drawn (all that it has), and what the console said."""
    browsers = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    chromium = next((found for found in browsers if found), None)
    if chromium is None:
        pytest.skip("no chromium or google-chrome on PATH")

    def draw(page: str) -> tuple[int, list[str]]:
        path = tmp_path / "page.html"
        path.write_text(page, encoding="utf-8")
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--v=0",
            "--virtual-time-budget=10000", "--dump-dom", path.as_uri(),
        ]  # fmt: skip
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        drawn = re.findall(r'<div class="plot js-plotly-plot" id="plot-([\w-]+)"', shown.stdout)
        body = shown.stdout[shown.stdout.index("<body") :]
        assert len(drawn) == len(re.findall(r'class="plot"', page)) <= len(re.findall(r'<svg class="main-svg"', body))
        return len(drawn), [line for line in shown.stderr.splitlines() if "CONSOLE" in line]

    return draw
