"""A predictor that needs no search space: of each task the known networks, models of them, and what they are worth."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError, brief
from archatlas.graphs.computation_statistics import statistic_names
from archatlas.transfer.distance import DistanceScale
from archatlas.transfer.known import Features, Floats, KnownNetworks, recipe_columns
from archatlas.transfer.left_out import at_random, by_family, leave_out
from archatlas.transfer.models import FittedModels, fit
from archatlas.transfer.sources import ON_CIFAR, ON_IMAGENET, TIMM
from archatlas.transfer.trust import COLUMNS, Trust

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 2
"""Of the state."""
IMAGENET, CIFAR = "imagenet", "cifar"
TASKS = (IMAGENET, CIFAR)
SAID_BY: Mapping[str, tuple[str, ...]] = {IMAGENET: ("trees", "gp"), CIFAR: ("ridge", "trees")}
"""The models whose mean is what is predicted, by task (docs/transfer.md)."""
TRAINED_ON = {IMAGENET: ON_IMAGENET, CIFAR: ON_CIFAR}
"""The sources whose networks were trained on a task: whom trust goes by."""
_LARGE_SIDE = 96
"""Images of so many pixels a side and more are taken for a task like ImageNet's, where none is named."""

State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class TaskPredictor:
    """What is known of one task.

    Attributes:
        task: one of ``TASKS``.
        known: the networks that it was fitted to.
        models: fitted to them.
        trust: how left-out networks were predicted, by distance.
        speaking: the sources whose networks an accuracy is compared with.
    """

    task: str
    known: KnownNetworks
    models: FittedModels
    trust: Trust
    speaking: tuple[str, ...]

    def predict(self, features: Features) -> Floats:
        """Normal quantiles ``[n]`` among the networks of a source: the mean of the task's models."""
        return self.predict_with_spread(features)[0]

    def predict_with_spread(self, features: Features) -> tuple[Floats, Floats]:
        """The same, and how far the models are apart ``[n]``: the highest of them less the lowest."""
        said = np.asarray(self.models.predict(features), dtype=np.float64)
        return said.mean(axis=1), np.ptp(said, axis=1)

    @cached_property
    def _scale(self) -> DistanceScale:
        return DistanceScale.find(self.known.features)

    def nearest(self, features: Features, count: int) -> tuple[Floats, list[list[str]]]:
        """Distances ``[n, count]`` to the nearest known networks, and what these are: ``source name``."""
        known = self.known
        distances, rows = self._scale.nearest(features, known.features, count)
        return distances, [[f"{known.sources[one]} {known.names[one]}" for one in row] for row in rows]


@dataclass(frozen=True)
class TransferPredictor:
    """A predictor for each task; kept as one state of arrays."""

    tasks: Mapping[str, TaskPredictor]
    known: KnownNetworks

    def state(self) -> State:
        """Arrays by name: the known networks once, and of each task which it was fitted to, its models and trust."""
        known = self.known
        words = {"names": known.names, "sources": known.sources.tolist(), "families": known.families.tolist()}
        document = {"format": FORMAT, "features": statistic_names(), **words}
        kept: State = {
            "document": np.frombuffer(json.dumps(document).encode(), dtype=np.uint8).copy(),
            "features": _packed(known.features),
            "quantiles": known.quantiles.astype(np.float32),
        }
        for name, task in self.tasks.items():
            kept |= {f"{name}.{key}": value for key, value in task.models.state().items()}
            kept[f"{name}.trust"] = task.trust.bins
        return kept

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> TransferPredictor:
        """Inverse of ``state``.

        Raises:
            ArchatlasError: it is another format, or made with other features than this version computes.
        """
        try:
            document = json.loads(state["document"].tobytes().decode())
            if document["format"] != FORMAT or tuple(document["features"]) != statistic_names():
                raise ArchatlasError(
                    "the predictor was made with other features than this version of archatlas computes: make it anew "
                    "(`kedro run --env transfer_predictor`)"
                )
            quantiles = np.asarray(state["quantiles"], dtype=np.float64)
            known = KnownNetworks(
                tuple(document["names"]),
                np.array(document["sources"]),
                np.array(document["families"]),
                _unpacked(state["features"]),
                quantiles,
                quantiles[:, None],
            )
        except (KeyError, ValueError, TypeError, UnicodeDecodeError, lzma.LZMAError) as error:
            raise _no_predictor(error) from error
        return cls(_TasksOfState(known, state), known)

    @classmethod
    def from_file(cls, path: Path) -> TransferPredictor:
        """Read what the stage ``transfer_predictor`` has written.

        Raises:
            ArchatlasError: the file is missing, damaged, or made by another version.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        if not path.is_file():
            raise ArchatlasError(f"there is no file {str(path)!r}")
        try:
            state = load_file(path)
        except (SafetensorError, OSError) as error:
            raise ArchatlasError(f"{path} is damaged or no safetensors file: {brief(error)}") from error
        return cls.from_state(state)


class _TasksOfState(Mapping[str, TaskPredictor]):
    """Predictors by task, each fitted when it is first asked for: most ask for one."""

    def __init__(self, known: KnownNetworks, state: Mapping[str, NDArray[Any]]) -> None:
        self._known, self._state = known, state
        self._made: dict[str, TaskPredictor] = {}

    def __getitem__(self, name: str) -> TaskPredictor:
        if name not in self._made:
            if f"{name}.trust" not in self._state:
                raise KeyError(name)
            try:
                self._made[name] = self._of_state(name)
            except Exception as error:  # Whatever numbers or trees of a damaged part lead to.
                raise _no_predictor(error) from error
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in TASKS if f"{name}.trust" in self._state)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _of_state(self, name: str) -> TaskPredictor:
        part = self._known[rows_of(name, self._known)]
        models = fit(part, SAID_BY[name], {key.removeprefix(f"{name}."): value for key, value in self._state.items()})
        bins = np.asarray(self._state[f"{name}.trust"], dtype=np.float64).reshape(-1, len(COLUMNS))
        return TaskPredictor(name, part, models, Trust(bins), _speaking(name, part))


def _no_predictor(error: Exception) -> ArchatlasError:
    return ArchatlasError(f"the file holds no transferable predictor: {brief(error)}")


@cache
def shipped() -> TransferPredictor:
    """The predictor that comes with the package; its card lies beside it."""
    file = resources.files("archatlas.transfer").joinpath("shipped/transfer_predictor.safetensors")
    with resources.as_file(file) as path:
        return TransferPredictor.from_file(path)


def task_of_side(pixels: float) -> str:
    """The task that images of this height and width are most like."""
    return IMAGENET if pixels >= _LARGE_SIDE else CIFAR


def rows_of(task: str, known: KnownNetworks) -> NDArray[np.bool_]:
    """``[n]``: the networks that a task's models are fitted to: of ImageNet those of timm, of CIFAR-10 all there are.

    Other sources make predictions for real networks of ImageNet worse (docs/transfer.md).
    """
    of_timm: NDArray[np.bool_] = known.sources == TIMM
    return of_timm if task == IMAGENET else np.ones(len(known), dtype=np.bool_)


def _speaking(task: str, known: KnownNetworks) -> tuple[str, ...]:
    """The sources that were trained on the task, of those that are fitted to."""
    return tuple(name for name in dict.fromkeys(known.sources.tolist()) if name in TRAINED_ON[task])


def judged(task: str, known: KnownNetworks) -> pd.DataFrame:
    """Networks predicted without their family (``leave_out``), and of spaces that are fitted to, without themselves.

    Of ImageNet those that were trained on it, of CIFAR-10 those that were trained on anything else.
    """
    import pandas as pd

    learned, on_imagenet = rows_of(task, known), np.isin(known.sources, ON_IMAGENET)
    own = on_imagenet if task == IMAGENET else ~on_imagenet
    real = own & (known.sources == TIMM)
    splits = [split for asked in (real, own & ~real) if asked.any() for split in by_family(known, asked, learned)]
    rows = leave_out(known, splits, "family", SAID_BY[task])
    if task != IMAGENET:
        # A network of one's own may well be one of a known space: such networks are near, and ranked better.
        near = leave_out(known, at_random(own, learned), "networks", SAID_BY[task])
        rows = pd.concat([rows, near], ignore_index=True)
    # What is predicted is a place among the sources that speak; accuracies of others can be ranked alone.
    recipes = list(recipe_columns(known.recipes))
    rows.loc[~rows["source"].isin(_speaking(task, known[learned])), recipes] = np.nan
    return rows


def learn(known: KnownNetworks) -> tuple[TransferPredictor, pd.DataFrame]:
    """The predictor of all known networks, and what was predicted of each that was left out (column ``task`` first)."""
    import pandas as pd

    tasks, all_rows = {}, []
    for task in TASKS:
        part = known[rows_of(task, known)]
        if not _speaking(task, part):
            continue
        rows = judged(task, known)
        all_rows.append(rows.assign(task=task))
        # What was trained on something else shows what may happen, and is no ground for trust here.
        trust = Trust.find(rows.loc[rows["source"].isin(TRAINED_ON[task])])
        tasks[task] = TaskPredictor(task, part, fit(part, SAID_BY[task]), trust, _speaking(task, part))
    table = pd.concat(all_rows, ignore_index=True)
    table.insert(0, "task", table.pop("task"))
    return TransferPredictor(tasks, known), table


def _packed(features: Features) -> NDArray[np.uint8]:
    """Features as bytes, compressed: most are counts, and many the same."""
    return np.frombuffer(
        lzma.compress(np.ascontiguousarray(features, dtype="<f4").tobytes(), preset=9), dtype=np.uint8
    ).copy()


def _unpacked(packed: NDArray[Any]) -> Features:
    flat = np.frombuffer(lzma.decompress(packed.tobytes()), dtype="<f4").astype(np.float32)
    return flat.reshape(-1, len(statistic_names()))
