"""Partial work is kept by the code that makes it: a module that is edited begins another store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from archatlas.kedro_ext.module_code import ModuleCode
from archatlas.kedro_ext.source_code import SourceCode
from archatlas.pipelines import work
from archatlas.pipelines.map_space.nodes import spans_in
from archatlas.pipelines.methods.search import draws_in
from archatlas.pipelines.score_untrained.nodes import scores_in
from archatlas.pipelines.verify_candidates import nodes as verify_candidates
from archatlas.storage.work_store import WorkStore

DRAWS, SCORES, TRAININGS, SPANS = (
    partial(store, Path("work")) for store in (draws_in, scores_in, work.trainings_in, spans_in)
)
JUDGEMENTS = partial(work.work_store, Path("work"), *verify_candidates._JUDGED_BY)
MAKERS = [
    (DRAWS, "supernet.chain supernet.cells supernet.make supernet.registry scores.initialisation scores.batch"),
    (DRAWS, "systems.nasi.draws systems.nasi.steepness systems.nasi.start systems.nasi.macs networks.cells"),
    (SCORES, "scores.nwot scores.batch spaces.chain spaces.nas_bench_201 networks.cells networks.wired"),
    (SCORES, "spaces.tables.transnas_bench_101_micro"),
    (TRAININGS, "training.loop networks.blocks networks.cells spaces.chain spaces.scaled_chains spaces.wired_cells"),
    (JUDGEMENTS, "spaces.chain supernet.make supernet.chain supernet.scaled supernet.cells supernet.wired"),
    (JUDGEMENTS, "supernet.judges"),
    (SPANS, "spaces.chain spaces.wired_cells spaces.tables.transnas_bench_101_micro"),
]
CASES = [(store, module) for store, modules in MAKERS for module in modules.split()]


@pytest.fixture
def edited(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a module of archatlas read as one whose code is another."""

    def edit(name: str) -> None:
        class Edited(SourceCode):
            def _module(self, module: str) -> ModuleCode:
                found = super()._module(module)
                if module != f"archatlas.{name}":
                    return found
                other = replace(found)
                other.__dict__["whole"] = "edited"
                return other

        monkeypatch.setattr(work, "SourceCode", Edited)

    return edit


@pytest.mark.parametrize(("store", "module"), CASES, ids=[module for _, module in CASES])
def test_an_edit_of_what_makes_the_work_begins_another_store(
    store: Callable[[], WorkStore], module: str, edited: Callable[[str], None]
) -> None:
    before = store()
    assert store() == before
    edited(module)
    assert store() != before


@pytest.mark.parametrize("module", ["systems.nasi.reward", "systems.nasi.selection", "reporting.run"])
def test_another_reward_finds_the_draws_that_were_made(module: str, edited: Callable[[str], None]) -> None:
    before = DRAWS()
    edited(module)
    assert DRAWS() == before
