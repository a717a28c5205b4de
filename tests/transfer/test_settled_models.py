"""Models in NumPy say what scikit-learn's and LightGBM's say of the same settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from archatlas.transfer.settled_models import Process, Ridge, Trees

FEATURES, TARGETS = (
    np.random.default_rng(0).normal(size=(60, 7)) * np.arange(7),
    np.random.default_rng(1).normal(size=60),
)
"""The first feature is 0 everywhere."""
ASKED = np.random.default_rng(2).normal(size=(9, 7)) * np.arange(7)


def test_a_ridge_is_that_of_scikit_learn() -> None:
    theirs = make_pipeline(StandardScaler(), SklearnRidge(30.0)).fit(FEATURES, TARGETS)
    assert Ridge.fit(FEATURES, TARGETS, 30.0).predict(ASKED) == pytest.approx(theirs.predict(ASKED), abs=1e-12)


def test_a_process_is_that_of_scikit_learn() -> None:
    kernel = ConstantKernel(2.0) * RBF(3.0) + WhiteKernel(0.2)
    process = GaussianProcessRegressor(kernel, normalize_y=True, optimizer=None)
    theirs = make_pipeline(StandardScaler(), process).fit(FEATURES, TARGETS)
    found = Process.fit(FEATURES, TARGETS, np.log([2.0, 3.0, 0.2]))
    assert found.predict(ASKED) == pytest.approx(theirs.predict(ASKED), abs=1e-10)


def booster(leaves: int) -> lightgbm.Booster:
    settings = {"num_leaves": leaves, "min_data_in_leaf": 2, "verbosity": -1, "num_threads": 1}
    return lightgbm.train(settings, lightgbm.Dataset(FEATURES, TARGETS, params={"verbosity": -1}), 20)


@pytest.mark.parametrize("leaves", [2, 9])
def test_trees_are_those_of_lightgbm(leaves: int) -> None:
    theirs = booster(leaves)
    # Also on the thresholds themselves: what was learned from lies beside them, what is asked may lie on them.
    asked = np.concatenate([FEATURES, ASKED])
    assert Trees.read(theirs.model_to_string(), 7).predict(asked) == pytest.approx(theirs.predict(asked), abs=1e-12)


def test_trees_of_one_leaf_say_the_same_of_all() -> None:
    text = "tree\n\nTree=0\nnum_leaves=1\nnum_cat=0\nleaf_value=0.25\n\nend of trees\n"
    assert Trees.read(text, 7).predict(ASKED).tolist() == [0.25] * 9


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("left_child", "0", "must lead on"),
        ("right_child", "1", "must lead on"),
        ("right_child", "-3", "must lead to leaves"),
        ("split_feature", "7", "ask one of 7 features"),
        ("num_cat", "1", "split by thresholds"),
    ],
)
def test_trees_that_lead_nowhere_are_refused(field: str, value: str, said: str) -> None:
    fields = {"num_leaves": "2", "num_cat": "0", "split_feature": "3", "threshold": "0.5", "left_child": "-1"}
    fields |= {"right_child": "-2", "leaf_value": "1 2", field: value}
    text = "\n".join(["tree", "", "Tree=0", *(f"{name}={one}" for name, one in fields.items()), "end of trees"])
    with pytest.raises(ValueError, match=said):
        Trees.read(text, 7)


def test_ranking_modules_loads_no_library_of_models_or_tables(tmp_path: Path) -> None:
    """Each takes as long to load as many networks to be recorded."""
    (tmp_path / "mine.py").write_text("import torch\n\ndef net():\n    return torch.nn.Conv2d(3, 4, 3)\n")
    heavy = ["pandas", "sklearn", "lightgbm", "onnx", "onnxruntime", "scipy.stats", "kedro"]
    code = (
        "import sys, archatlas\n"
        "for task in ('cifar', 'imagenet'): archatlas.rank('mine.py:net', (3, 32, 32), task=task)\n"
        f"print([name for name in {heavy} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
