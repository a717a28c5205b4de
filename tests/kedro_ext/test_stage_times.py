import time

import numpy as np
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner

from archatlas.kedro_ext.stage_times import StageTimesHook


class Slow(MemoryDataset):
    """Saving takes time, as it does where a stream is computed while it is saved."""

    def save(self, data):
        time.sleep(0.3)
        super().save(data)


def allocate(_):
    block = np.ones(40 * 2**20 // 8)
    time.sleep(0.5)
    return float(block[0])


@pytest.fixture
def run():
    catalog = DataCatalog({"x": MemoryDataset(1), "y": Slow(), "z": MemoryDataset(), "times": MemoryDataset()})

    def run_nodes(*nodes):
        hooks = _create_hook_manager()
        hooks.register(StageTimesHook("times"))
        stages = pipeline(list(nodes))
        hooks.hook.before_pipeline_run(run_params={}, pipeline=stages, catalog=catalog)
        SequentialRunner().run(stages, catalog, hooks)
        hooks.hook.after_pipeline_run(run_params={}, run_result={}, pipeline=stages, catalog=catalog)
        return catalog.load("times")

    return run_nodes


def test_times_count_saving_and_memory_is_the_peak_of_the_node(run):
    times = run(node(allocate, "x", "y", name="first"), node(lambda y: y, "y", "z", name="second"))
    assert 0.8 <= times["first"]["seconds"] < 3
    assert times["second"]["seconds"] < 0.3
    assert times["first"]["peak_memory_mib"] >= times["second"]["peak_memory_mib"] + 30


def test_a_second_run_keeps_what_is_known_of_other_nodes(run):
    run(node(lambda x: x, "x", "z", name="first"))
    assert set(run(node(lambda x: x, "x", "z", name="other"))) == {"first", "other"}
