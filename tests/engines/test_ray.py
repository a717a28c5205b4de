"""Tasks on a real cluster of two machines on loopback, which the tests of this file share."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.clusters import add_node, loopback, wait_for_rest, wait_for_worker

from archatlas.costs.counting import count_parts
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.engines.engine import LocalEngine, Shares, current_engine, side_by_side, using
from archatlas.engines.make import working_on
from archatlas.engines.parameters import EngineParameters
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.predictors.fitting import compared, cross_seed_scores
from archatlas.predictors.parameters import PredictorParameters, TuningParameters
from archatlas.predictors.scores import NetworkScores
from archatlas.predictors.tuning.study import tune
from archatlas.spaces.chain import ChainSpace
from archatlas.storage.keeper import kept_by
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.evaluate_all import evaluate_on_all
from archatlas.supernet.make import make_supernet
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.parameters import DeviceParameters, TrainingParameters
from archatlas.verification.trainings import TrainingJob, Trainings

ONE_THREAD = Shares(2, 1)


def on_cluster(**changed: Any) -> AbstractContextManager[None]:
    return working_on(EngineParameters(name="ray", address="auto", **changed))


@pytest.fixture(scope="module")
def cluster(repository: Path) -> Iterator[Any]:
    path = os.pathsep.join([str(repository / "src"), str(repository)])
    with loopback(nodes=2, PYTHONPATH=path, OMP_NUM_THREADS="1") as made:
        yield made


@pytest.fixture(scope="module")
def engine(cluster: Any) -> Iterator[None]:
    with on_cluster(max_retries=1):
        yield


class Memory:
    """Files of a work store that lie on no disk."""

    def __init__(self) -> None:
        self.files: dict[Path, bytes] = {}

    def read(self, path: Path) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def write(self, path: Path, content: bytes) -> None:
        self.files[path] = content

    def discard(self, folder: Path) -> None:
        self.files = {path: content for path, content in self.files.items() if folder not in path.parents}

    def names(self, folder: Path) -> list[str]:
        return [path.name for path in self.files if path.parent == folder]


def test_results_come_as_they_end_and_both_machines_work(engine: None, tmp_path: Path) -> None:
    def where(job: int, array: np.ndarray[Any, Any], ended: Path) -> tuple[int, float, bool, str]:
        import ray

        while job == 0 and not ended.exists():
            time.sleep(0.01)
        return job, float(array.sum()), array.flags.owndata, ray.get_runtime_context().get_node_id()

    ended = tmp_path / "ended"
    with side_by_side(where, range(4), np.ones(500_000), ended, shares=ONE_THREAD) as results:
        found = [next(results) for _ in range(3)]
        ended.touch()
        found += results
    assert [job for job, *_ in found][-1] == 0
    assert {total for _, total, *_ in found} == {500_000.0}
    assert not any(owned for _, _, owned, _ in found)  # It lies in the machine's object store, once.
    assert len({node for *_, node in found}) == 2


@pytest.mark.chains
def test_tables_are_equal_byte_for_byte_to_those_of_one_process(
    engine: None, space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    device = DeviceParameters(accelerator="cpu", workers=1, threads=1)

    def trained(work: WorkStore) -> tuple[Any, ...]:
        kept = Trainings(
            images, images, description, TrainingParameters(epochs=2, batch_size=16), AugmentationParameters(),
            device, work, checkpoint_seconds=0,
        )  # fmt: skip
        names = space.names(space.sample(3, np.random.default_rng(0))).tolist()
        jobs = [TrainingJob(space, name, seed=number) for number, name in enumerate(names)]
        table = kept.run(jobs)
        weights = [{name: tensor.numpy().tobytes() for name, tensor in kept.weights(job).items()} for job in jobs]
        supernets = {number: make_supernet(space, torch.Generator().manual_seed(number)) for number in (1, 4)}
        runs = evaluate_on_all(
            {number: one.state_dict() for number, one in supernets.items()},
            space,
            space.sample(9, np.random.default_rng(1)),
            train=images,
            validation=images,
            description=description,
            parameters=EvaluationParameters(calibration_images=20, calibration_batch=10, part_size=4),
            device=device,
            images_seed=5,
            work=work,
            progress=False,
        )
        return table.to_csv(), weights, [run.table.to_csv() for run in runs]

    files, here = Memory(), Memory()
    with kept_by(files):
        there = trained(WorkStore(Path("/nowhere")))
    with working_on(EngineParameters()), kept_by(here):
        assert trained(WorkStore(Path("/nowhere"))) == there
    # All that is kept came back to this process, under the same names, and no checkpoint is left.
    assert {path for path in files.files if "part_" not in path.name} == {
        path for path in here.files if "part_" not in path.name
    }
    assert len([path for path in files.files if "part_" in path.name]) == 6
    assert not any(path.parent.name.endswith(".checkpoints") for path in files.files)


@pytest.mark.chains
def test_predictors_that_are_fitted_there_are_those_fitted_here(
    engine: None, space: ChainSpace, tmp_path: Path
) -> None:
    choices = space.enumerate_networks(0, space.networks)
    batch = ArchitectureBatch(space, choices, cost_table=count_parts(space))
    truth = np.log(batch.costs["macs"].to_numpy(np.float64))[:, None, None]
    noisy = 0.5 + 0.01 * (truth + np.random.default_rng(0).normal(size=(len(batch), 2, 2)))
    scores = NetworkScores((0, 1), ("a", "b"), noisy, np.full((len(batch), 2), 0.01), np.full(len(batch), "supernet"))
    quick = PredictorParameters.model_validate({"gcn": {"epochs": 3}, "lightgbm": {"trees": 10}})
    tuning = TuningParameters(trials=4, families=("ridge", "gcn"), inner_folds=2)

    def made(place: str) -> tuple[Any, ...]:
        table = cross_seed_scores(batch, scores, compared(quick), folds=2, seed=0)
        tuned = tune(batch, scores, quick, tuning, seed=0, work=WorkStore(tmp_path / place))
        kept = {file.name: file.read_bytes() for file in (tmp_path / place).glob("*/*.json")}
        return table.to_csv(), tuned.trials.to_csv(), tuned.summary, kept

    there = made("there")
    with using(LocalEngine()):
        assert there == made("here")
    assert len(there[-1]) == 4


def test_a_task_sees_the_work_store_of_its_sender(engine: None, caplog: pytest.LogCaptureFixture) -> None:
    def work(number: int, store: WorkStore) -> tuple[Any, Any, list[str]]:
        before = store.load_json("before"), store.load_json("missing")
        store.save_json(f"made_{number}", number)
        store.task("other", 1).save_json("a", 1)
        store.task("other", 1).discard()
        logging.getLogger("archatlas.here").warning("task %d has %s", number, before)
        return *before, store.keys(".json")

    files = Memory()
    with kept_by(files):
        store = WorkStore(Path("/nowhere"))
        store.save_json("before", [1])
        with side_by_side(work, [7], store, shares=ONE_THREAD) as results:
            assert list(results) == [([1], None, ["before", "made_7"])]
        assert store.load_json("made_7") == 7
    assert set(files.files) == {Path("/nowhere/before.json"), Path("/nowhere/made_7.json")}
    assert "task 7 has ([1], None)" in caplog.text


def test_no_more_run_at_a_time_than_there_is_room_for(engine: None) -> None:
    def work(number: int, store: WorkStore) -> tuple[float, float]:
        begun = time.monotonic()
        for _ in range(5):  # A task that waits for its sender might make room for another one.
            store.load_json("missing")
            time.sleep(0.02)
        return begun, time.monotonic()

    with kept_by(Memory()), side_by_side(work, range(8), WorkStore(Path("/x")), shares=ONE_THREAD) as results:
        spans = list(results)
    assert max(sum(begun <= other[0] < ended for other in spans) for begun, ended in spans) <= 2


def test_a_dead_workers_task_is_sent_again_and_no_other(
    engine: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def work(number: int, folder: Path) -> int:
        with (folder / str(number)).open("a") as file:
            file.write("x")
        if number == 1 and (folder / "1").stat().st_size == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with side_by_side(work, range(4), tmp_path, shares=ONE_THREAD) as results:
        assert sorted(results) == [0, 1, 2, 3]
    assert {file.name: file.stat().st_size for file in tmp_path.iterdir()} == {"0": 1, "1": 2, "2": 1, "3": 1}
    assert "a worker of the cluster was killed: its task is sent again (1 of 1)" in caplog.text


def test_a_task_whose_worker_always_dies_is_given_up_in_one_message(engine: None) -> None:
    def work(number: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with (
        pytest.raises(
            ArchatlasError, match=r"a worker .* was killed, the second time for the same task \(`engine.max_retr"
        ),
        side_by_side(work, [0], shares=ONE_THREAD) as results,
    ):
        list(results)


def test_an_exception_is_the_tasks_own(engine: None) -> None:
    class OwnError(Exception):
        pass

    def work(number: int) -> None:
        raise (OwnError("of mine") if number else ArchatlasError("`images.path`: there is nothing"))

    with (
        pytest.raises(ArchatlasError, match=r"^`images.path`: there is nothing$") as told,
        side_by_side(work, [0], shares=ONE_THREAD) as results,
    ):
        list(results)
    assert "in work" in str(told.value.__cause__)
    with pytest.raises(Exception, match="of mine"), side_by_side(work, [1], shares=ONE_THREAD) as results:
        list(results)


def test_nothing_runs_on_once_the_block_is_left(engine: None, cluster: Any) -> None:
    def work(number: int) -> int:
        time.sleep(120 * number)
        return number

    with side_by_side(work, range(40), shares=ONE_THREAD) as results:
        assert next(results) == 0
        wait_for_worker(cluster)
    assert wait_for_rest(cluster) < 10


def test_what_a_slow_worker_has_is_sent_to_an_idle_one_too(
    engine: None, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archatlas.engines.ray.engine._SLOW_SECONDS", 0.3)
    caplog.set_level(logging.INFO, "archatlas")

    def work(number: int, folder: Path, store: WorkStore) -> int:
        first = not (folder / str(number)).exists()
        (folder / str(number)).touch()
        if number == 1 and first:
            time.sleep(120)
            store.save_json("late", 1)
        return number

    files = Memory()
    with kept_by(files), side_by_side(work, range(3), tmp_path, WorkStore(Path("/x")), shares=ONE_THREAD) as results:
        assert sorted(results) == [0, 1, 2]  # Each once.
    assert files.files == {}
    assert caplog.text.count("it is sent to another worker too") == 1


@pytest.mark.chains
def test_tasks_have_the_threads_that_they_are_to_have(engine: None) -> None:
    def work(number: int) -> tuple[int, str | None]:
        import torch

        return torch.get_num_threads(), os.environ.get("CUDA_VISIBLE_DEVICES")

    with side_by_side(work, [0], shares=ONE_THREAD) as results:
        assert list(results) == [(1, "")]
    assert current_engine().shares(9, threads=1) == Shares(2, 1)
    assert current_engine().accelerator == "cpu"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            {"cpus_per_task": 3},
            "`engine.cpus_per_task` is 3, but no machine of the cluster has more than 1 CPUs, and a task",
        ),
        (
            {"gpus_per_task": 2},
            "`engine.gpus_per_task` is 2, but no machine of the cluster has more than 0 GPUs, and a task",
        ),
    ],
)
def test_what_no_machine_has_is_refused_before_any_task(
    cluster: Any, engine: None, asked: dict[str, Any], told: str
) -> None:
    with pytest.raises(ArchatlasError) as refused, on_cluster(**asked):
        pass
    assert str(refused.value).startswith(told)


@pytest.mark.chains
@pytest.mark.parametrize(
    ("lacks", "told"),
    [
        ("import sys; sys.modules['archatlas'] = None", "has no archatlas"),
        ("import archatlas._version as v; v.__version__ = '9.9'", "has archatlas 9.9, not 0.1.0"),
    ],
)
def test_a_machine_that_is_not_alike_is_named(
    cluster: Any, engine: None, tmp_path: Path, repository: Path, lacks: str, told: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(lacks)
    node = add_node(cluster, PYTHONPATH=os.pathsep.join([str(tmp_path), str(repository / "src"), str(repository)]))
    try:
        counted = r"1 of 3 machines of the cluster cannot do this work: "
        with pytest.raises(ArchatlasError, match=counted) as refused, on_cluster():
            pass
        assert told in str(refused.value)
    finally:
        cluster.remove_node(node)


@pytest.mark.chains
def test_tasks_that_ask_for_a_gpu_go_where_one_is(cluster: Any, engine: None, repository: Path) -> None:
    def work(number: int) -> tuple[str, str, int]:
        import ray

        return ray.get_runtime_context().get_node_id(), os.environ["CUDA_VISIBLE_DEVICES"], os.getpid()

    path = os.pathsep.join([str(repository / "src"), str(repository)])
    node = add_node(cluster, gpus=1, PYTHONPATH=path)  # It only tells of having one.
    try:
        with on_cluster(gpus_per_task=0.5):
            assert current_engine().accelerator == "cuda"
            shares = current_engine().shares(9, threads=1)
            assert shares == Shares(1, 1)  # Its one CPU is the bound.
            with side_by_side(work, range(3), shares=shares) as results:
                found = list(results)
            assert {(place, seen) for place, seen, _ in found} == {(node.node_id, "0")}
            assert len({process for *_, process in found}) == 3  # One that goes on would keep its first GPU.
    finally:
        cluster.remove_node(node)
