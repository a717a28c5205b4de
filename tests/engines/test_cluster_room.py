"""What has room on a cluster, and that its machines are alike: told by descriptions of machines, without any."""

from __future__ import annotations

import platform
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.pipeline import node, pipeline

from archatlas.engines.engine import Shares, current_engine, using
from archatlas.engines.parameters import EngineParameters
from archatlas.engines.ray import cluster
from archatlas.engines.ray.engine import RayEngine
from archatlas.engines.ray.identity import digest_of_code
from archatlas.engines.ray.task import _why
from archatlas.errors import ArchatlasError
from archatlas.pipelines.engine import EngineHook
from archatlas.training.fabric import single_shares
from archatlas.training.parameters import DeviceParameters


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Descriptions of machines, to be filled; of a cluster that every engine is connected to."""
    described: list[dict[str, Any]] = []
    monkeypatch.setattr(cluster, "machines", lambda: described)
    monkeypatch.setattr(RayEngine, "connect", lambda engine: None)
    return described


@pytest.mark.parametrize(
    ("cpus", "gpus", "room"),
    [(1, 0, 8), (2, 0, 4), (9, 0, 0), (1, 2, 1), (1, 3, 0), (1, 0.5, 4), (1, 0.2, 8), (2, 0.3, 4), (1, 0.6, 2)],
)
def test_room_is_counted_as_ray_counts_it(cpus: float, gpus: float, room: int, machines: list[dict[str, Any]]) -> None:
    machines.append({"Resources": {"CPU": 8.0, "GPU": 2.0}})
    assert cluster.room(cpus, gpus) == room
    machines[0]["Resources"] = {"CPU": 64.0, "GPU": 1.0}
    if gpus == 0.2:
        assert cluster.room(1, gpus) == 5  # 1 // 0.2 is 4.


def test_processes_that_share_a_training_have_to_fit_on_one_machine(machines: list[dict[str, Any]]) -> None:
    machines += [{"Resources": {"CPU": 4.0}}, {"Resources": {"CPU": 6.0}}]
    device = DeviceParameters(accelerator="cpu")
    with using(RayEngine(EngineParameters(name="ray"))):
        assert single_shares(device, 9, processes=3) == Shares(3, 3)
        assert single_shares(device, 1, processes=6) == Shares(1, 6)
        with pytest.raises(ArchatlasError, match=r"8 processes .*no machine .* more than 6 CPUs.*ask for at most 6"):
            single_shares(device, 1, processes=8)
        machines.clear()  # All were lost: it waits until one joins, and says so.
        assert single_shares(device, 5) == Shares(1, 1)


@pytest.mark.parametrize(
    ("changed", "outputs", "is_refused"),
    [({}, "finishing_trainings", True), ({}, "front", False), ({"time_budget": "1h"}, "finishing_trainings", False)],
)
def test_a_run_that_would_wait_for_room_is_refused_before_its_first_node(
    changed: dict[str, Any],
    outputs: str,
    is_refused: bool,
    machines: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machines.append({"Resources": {"CPU": 2.0}})
    nothing = dict.fromkeys(("time_budget", "table", "truth"))
    parameters = {"engine": {"name": "ray"}, "finishing": {"processes": 4}, **nothing, **changed}
    hook, made = EngineHook(), pipeline([node(list, inputs=None, outputs=outputs)])
    hook.after_context_created(SimpleNamespace(config_loader={"parameters": parameters}))  # type: ignore[arg-type]
    hook.before_pipeline_run(made)
    with ExitStack() as run:
        monkeypatch.setattr("archatlas.pipelines.engine.at_end_of_run", run.callback)
        if is_refused:
            with pytest.raises(ArchatlasError, match=r"4 processes share .* more than 2 CPUs"):
                hook.before_node_run()
        else:
            hook.before_node_run()
            assert isinstance(current_engine(), RayEngine)


def test_machines_differ_by_what_their_code_does(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "pipelines").mkdir(parents=True)
    code, stage = package / "code.py", package / "pipelines" / "stage.py"
    text = 'KNOWN = {"a", "b", "c"}\n\n\ndef double(number):\n    return number * 2 if number in KNOWN else number\n'
    code.write_text(text)
    before = digest_of_code(package)
    commented = text.replace("    return", '    """Twice as much."""\n    # Not thrice.\n    return')
    code.write_text(f'"""Numbers."""\n\n{commented}')
    stage.write_text("STAGE = 1\n")
    assert digest_of_code(package) == before
    edits = [text.replace("2", "3"), text.replace('"c"', '"d"'), text.replace("double", "twice"), f"{text}def"]
    digests = set()
    for edit in edits:
        code.write_text(edit)
        digests.add(digest_of_code(package))
    assert len(digests - {before}) == len(edits)


def test_code_that_was_edited_here_is_no_machine_that_joined() -> None:
    here, there = (_why("has archatlas 1.0 with other code", host) for host in (platform.node(), "another"))
    assert here.startswith("archatlas was changed on this machine while the run went on: a worker that has started")
    assert there.startswith("a machine that joined the cluster, or was changed since, cannot do this work: it has")
