"""The default run's audit over several seeds: is the fitted predictor truer than the scores that it was fitted to?

``python -m benchmarks.audits`` runs the stages up to the audit for each seed (four minutes each on two cores) and
prints a table; what has been run already, by the same code, is read. ``--slow-learners 40`` also trains the ten worst
networks of the first seed's audit for 40 epochs: are they broken, or slow?
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
from safetensors.torch import load_file

PROJECT = Path(__file__).parent.parent
CURRENT = PROJECT / "data" / "current"
TAUS = [
    *("tau_supernet", "tau_predictor", "tau_difference", "tau_params", "tau_macs", "tau_untrained", "tau_ceiling"),
]


def audit_of(seed: int) -> dict[str, float]:
    """The audit's summary and the tuned family for one seed; stages that ran as they are now are not run again."""
    folder = CURRENT / f"seed{seed}"
    kedro = Path(sys.executable).with_name("kedro")
    parameters = f"experiment=seed{seed},seed={seed}"
    command = [kedro, "run", "--params", parameters, "--to-nodes", "verify_candidates.audit"]
    subprocess.run(command, cwd=PROJECT, check=True)
    summary = json.loads((folder / "audit_summary.json").read_text())
    family = json.loads((folder / "tuning_summary.json").read_text())["family"]
    low, high = summary["tau_difference_ci"]
    figures = {name.removeprefix("tau_"): summary[name] for name in TAUS}
    spread = summary["spread_p90"] - summary["spread_p10"]
    return {"seed": seed, "predictor is a": family, **figures, "low": low, "high": high, "p90 - p10": spread}


def slow_learners(seed: int, epochs: int, count: int = 10) -> pd.DataFrame:
    """The networks with the lowest truth in a seed's audit, and their accuracy after a longer schedule."""
    from archatlas.images.dataset import ImageSplit
    from archatlas.images.description import ImageDescription
    from archatlas.images.parameters import AugmentationParameters
    from archatlas.spaces.presets import preset
    from archatlas.storage.work_store import WorkStore
    from archatlas.training.parameters import DeviceParameters, TrainingParameters
    from archatlas.verification.trainings import TrainingJob, Trainings

    experiment = f"seed{seed}"
    folder = CURRENT / experiment
    description = ImageDescription.model_validate_json((folder / "image_description.json").read_text())
    splits = [
        ImageSplit.from_tensors(load_file(folder / f"{name}_images.safetensors")) for name in ("train", "validation")
    ]
    worst = pd.read_parquet(folder / "audit.parquet").nsmallest(count, "truth")
    space = preset("digits", description.input_shape, description.num_classes)
    trainings = Trainings(
        *splits,
        description,
        TrainingParameters(epochs=epochs, batch_size=64, learning_rate=0.1),
        AugmentationParameters(shift=0),
        DeviceParameters(),
        WorkStore(PROJECT / "data" / "work" / experiment),
        keep_weights=False,
    )
    trained = trainings.run([TrainingJob(space, network, 0) for network in worst["network"]])
    figures = {"network": worst["network"].to_numpy(), "audit": worst["truth"].to_numpy()}
    return pd.DataFrame({**figures, f"{epochs} epochs": trained["validation_accuracy"].to_numpy()})


def main() -> None:
    """Print a row per seed and the mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--slow-learners", type=int, default=0, metavar="EPOCHS", help="0: do not train them")
    options = parser.parse_args()
    table = pd.DataFrame([audit_of(seed) for seed in options.seeds]).set_index("seed")
    table.loc["mean"] = table.select_dtypes("number").mean()
    print(table.round(3).fillna("").to_string())
    difference = table["difference"].iloc[:-1]
    print(f"\npredictor less super-network: {difference.mean():+.3f} +- {difference.sem():.3f} (standard error)")
    if options.slow_learners:
        print(slow_learners(options.seeds[0], options.slow_learners).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
