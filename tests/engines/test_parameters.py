from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from archatlas.engines.make import working_on
from archatlas.engines.parameters import EngineParameters, host_and_port
from archatlas.errors import ArchatlasError
from archatlas.pipelines.parameters import _misfit_of_engine
from archatlas.training.parameters import DeviceParameters


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "dask"}, "Input should be 'local' or 'ray'"),
        ({"name": "ray", "workers": 0}, "greater than or equal to 1"),
        ({"name": "ray", "cpus_per_task": 0}, "greater than or equal to 1"),
        ({"name": "ray", "gpus_per_task": 1.5}, "take 1 or 2"),
        ({"name": "ray", "max_retries": -1}, "greater than or equal to 0"),
        ({"name": "ray", "address": "http://head:8265"}, "should be null .*, auto .* or ray://host:port"),
        ({"name": "ray", "address": "head:6379"}, "should be null"),
        ({"name": "ray", "address": "ray://"}, "should be null"),
        ({"name": "ray", "address": "ray://head:70000"}, "should be null"),
        ({"workers": 4}, "`workers` is 4, but `name` is local"),
        ({"address": "auto"}, "`address` is auto, but `name` is local"),
    ],
)
def test_what_no_engine_can_be_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        EngineParameters(**given)


def test_an_address_names_host_and_port() -> None:
    assert host_and_port("ray://head") == ("head", 10_001)
    assert host_and_port("ray://10.0.0.1:9/") == ("10.0.0.1", 9)
    assert host_and_port("ray://[::1]:9") == ("::1", 9)


@pytest.mark.parametrize(
    ("engine", "device", "told"),
    [
        ({}, {"devices": 2}, "set `device.devices` to 1, not 2"),
        ({"gpus_per_task": 1}, {"accelerator": "cpu"}, "would lie idle"),
        ({}, {"accelerator": "cuda"}, "no task would see a GPU"),
        ({}, {"accelerator": "mps"}, "set it to auto or cpu"),
    ],
)
def test_devices_that_tasks_cannot_have_are_refused(engine: dict[str, Any], device: dict[str, Any], told: str) -> None:
    problem = _misfit_of_engine(EngineParameters(name="ray", **engine), DeviceParameters(**device))
    assert problem is not None
    assert told in problem
    assert _misfit_of_engine(EngineParameters(), DeviceParameters(**device)) is None


def test_an_address_where_nobody_answers_is_told_at_once() -> None:
    unused = "ray://127.0.0.1:9"
    told = f"`engine.address` is {unused}, but nothing answers there"
    with pytest.raises(ArchatlasError, match=told), working_on(EngineParameters(name="ray", address=unused)):
        pass


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("archatlas.engines.ray.cluster.find_spec", lambda name: None if name == "ray" else find(name))
    told = r"Ray is not installed: pip install 'archatlas\[ray\]'"
    with pytest.raises(ArchatlasError, match=told), working_on(EngineParameters(name="ray")):
        pass


def test_the_local_engine_never_imports_ray() -> None:
    code = """
import sys
sys.modules["ray"] = None
from archatlas.engines.engine import Shares, side_by_side
from archatlas.engines.make import working_on
from archatlas.engines.parameters import EngineParameters
import archatlas.supernet.train, archatlas.supernet.evaluate_all, archatlas.scores.parts, archatlas.systems.searches
with working_on(EngineParameters()), side_by_side(abs, [-1], shares=Shares(1, 1, here=True)) as results:
    assert list(results) == [1]
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert ran.returncode == 0, ran.stderr
