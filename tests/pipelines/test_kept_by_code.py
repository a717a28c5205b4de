"""What nodes keep of unfinished work is of the code that made it, the space's and the super-network's among it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from archatlas.kedro_ext.module_code import ModuleCode
from archatlas.pipelines.map_space.nodes import spans_in
from archatlas.pipelines.verify_candidates import nodes as verify_candidates
from archatlas.pipelines.work import trainings_in, work_store
from archatlas.storage.work_store import WorkStore


def judgements_in(folder: Path) -> WorkStore:
    return work_store(folder, *verify_candidates._JUDGED_BY)


STORES = {"trainings": trainings_in, "judgements": judgements_in, "spans": spans_in}
EDITS = [
    *((name, f"spaces.{module}") for name in STORES for module in ("chain", "scaled_chains", "wired_cells")),
    ("trainings", "networks.cells"),
    *(("judgements", f"supernet.{module}") for module in ("make", "chain", "scaled", "cells", "wired", "judges")),
    ("spans", "spaces.tables.transnas_bench_101_micro"),
]


@pytest.mark.parametrize(("name", "module"), EDITS, ids="-".join)
def test_an_edit_of_what_makes_it_begins_another_store(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = partial(STORES[name], Path("work"))
    before, whole = store(), ModuleCode.whole.func  # type: ignore[attr-defined]
    assert store() == before
    other = property(lambda code: "edited" if code.name == f"archatlas.{module}" else whole(code))
    monkeypatch.setattr(ModuleCode, "whole", other)
    assert store() != before
