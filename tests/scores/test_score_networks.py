"""Tables of untrained scores: what they depend on, what is kept, what is told."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pandas.testing import assert_frame_equal
from pydantic import ValidationError

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.predictors.make import make_predictor
from archatlas.predictors.protocol import Evaluations
from archatlas.scores.parameters import ALL, ScoreParameters
from archatlas.scores.score import score_networks, scored_alike
from archatlas.scores.table import DEFINITION, names_of, not_finite, proxies_of
from archatlas.spaces.chain import ChainSpace
from archatlas.storage.work_store import WorkStore
from archatlas.training.parameters import DeviceParameters

ALONE = DeviceParameters(accelerator="cpu", workers=1)


@pytest.fixture
def given(images: ImageSplit, description: ImageDescription) -> dict[str, Any]:
    parameters = ScoreParameters(batch=8, part_size=3)
    return {"train": images, "description": description, "parameters": parameters, "device": ALONE, "seed": 0}


def test_a_row_per_network_with_its_costs_and_what_defines_the_scores(space: ChainSpace, given: dict[str, Any]) -> None:
    rows = space.enumerate_networks(0, 5)
    table = score_networks(space, np.concatenate([rows, rows[:2]]), **given)
    assert table.columns.tolist() == ["network", *ALL, "macs", "params", *DEFINITION]
    assert table["network"].tolist() == space.names(rows).tolist()
    assert table.loc[0, list(DEFINITION)].tolist() == ["pytorch", 8, 8, "training", "given", 0]
    assert np.isfinite(table[list(ALL)].to_numpy()).all()
    built = space.build(rows[4])
    assert table.loc[4, "params"] == sum(one.numel() for one in built.parameters())
    assert table.loc[4, "gradient_tensors"] == len(list(built.parameters()))


def test_a_score_depends_on_neither_company_nor_workers_and_twins_have_one(
    space: ChainSpace, given: dict[str, Any]
) -> None:
    rows = space.enumerate_networks(0, 7)
    table = score_networks(space, rows, **given)
    backwards = score_networks(space, rows[::-1], **given | {"parameters": ScoreParameters(batch=8, part_size=4)})
    assert_frame_equal(backwards.iloc[::-1].reset_index(drop=True), table)
    side_by_side = score_networks(space, rows, **given | {"device": DeviceParameters(accelerator="cpu", workers=2)})
    assert_frame_equal(side_by_side, table)
    spelled = next(twins for row in space.enumerate_networks(0, space.networks) if len(twins := space.twins(row)) > 1)
    assert len(score_networks(space, spelled, **given)) == 1


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"initialisation": "kaiming"}, ["gradient_tensors", "rectifiers"]),
        ({"labels": "random"}, ["gradient_tensors", "jacov", "nwot", "rectifiers", "synflow"]),
        ({"images": "gaussian"}, ["gradient_tensors", "rectifiers", "synflow"]),
        ({"image_size": 6}, ["gradient_tensors", "rectifiers"]),
        ({"batch": 9}, ["gradient_tensors", "rectifiers", "synflow"]),
    ],
    ids=lambda changed: str(changed),
)
def test_what_defines_a_score_changes_it(
    space: ChainSpace, given: dict[str, Any], changed: dict[str, Any], same: list[str]
) -> None:
    row = space.enumerate_networks(4, 5)
    before = score_networks(space, row, **given).loc[0]
    parameters = ScoreParameters(**{"batch": 8, **changed})
    after = score_networks(space, row, **given | {"parameters": parameters}).loc[0]
    assert [name for name in ALL if before[name] == after[name]] == same


def test_finished_parts_are_not_computed_again(
    space: ChainSpace, given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, rows = WorkStore(tmp_path), space.enumerate_networks(0, 6)
    whole = score_networks(space, rows, **given, work=work)
    parts = sorted(tmp_path.glob("*/*.parquet"))
    assert len(parts) == 2
    parts[0].unlink()
    scored: list[int] = []
    build = ChainSpace.build
    monkeypatch.setattr(ChainSpace, "build", lambda self, row: scored.append(1) or build(self, row))
    assert_frame_equal(score_networks(space, rows, **given, work=work), whole)
    assert len(scored) == 3
    other = {"parameters": ScoreParameters(batch=9, part_size=3)}
    score_networks(space, rows, **given | other, work=work)
    assert len(scored) == 9


def test_what_is_not_finite_is_named_counted_and_has_no_rank(
    space: ChainSpace, given: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    # Images that are all one have one code: no network tells any two of them apart.
    grey = ImageSplit(torch.full((8, 1, 8, 8), 9, dtype=torch.uint8), torch.arange(8) % 3)
    rows = space.enumerate_networks(0, 4)
    with caplog.at_level(logging.WARNING):
        table = score_networks(space, rows, **given | {"train": grey})
    names = space.names(rows).tolist()
    assert not_finite(table, ["nwot", "synflow"]) == {"nwot": names}
    assert f"nwot is not finite for 4 of 4 networks ({', '.join(names[:3])}, ...): they have no rank" in caplog.text
    proxies = proxies_of(table)
    assert proxies.index.tolist() == names
    assert proxies[["nwot", "synflow"]].isna().to_numpy().tolist() == [[True, False]] * 4


@pytest.mark.parametrize("changed", [{}, {"images": "gaussian", "image_size": 6}, {"initialisation": "kaiming"}])
def test_others_are_scored_as_those_of_a_table_were(
    space: ChainSpace, given: dict[str, Any], changed: dict[str, Any]
) -> None:
    parameters = ScoreParameters(**{"batch": 8, "names": ("nwot", "grad_norm"), **changed})
    rows = space.enumerate_networks(0, 5)
    whole = score_networks(space, rows, **given | {"parameters": parameters, "seed": 3})
    assert names_of(whole) == ["nwot", "grad_norm"]
    beside = {name: given[name] for name in ("train", "description", "device")}
    rest = scored_alike(whole[:3], space, rows[3:], **beside)
    assert_frame_equal(rest, whole[3:].reset_index(drop=True))


def test_bad_requests_name_the_rule(space: ChainSpace, given: dict[str, Any]) -> None:
    row = space.enumerate_networks(0, 1)
    with pytest.raises(ArchatlasError, match=r"`scores.batch` asks for 64 training images, but there are 48: lower it"):
        score_networks(space, row, **given | {"parameters": ScoreParameters()})
    with pytest.raises(ArchatlasError, match=r"there are 0: lower it, or set `scores.images` to gaussian"):
        score_networks(space, row, **given | {"train": None})
    with pytest.raises(ValidationError, match="did you mean `nwot`"):
        ScoreParameters(names=("nvot",))
    with pytest.raises(ValidationError, match="each score stands in `names` once"):
        ScoreParameters(names=("nwot", "nwot"))


def test_predictors_take_the_scores_as_proxies(space: ChainSpace, given: dict[str, Any]) -> None:
    rows = space.enumerate_networks(0, 30)
    table = score_networks(space, rows, **given)
    batch = ArchitectureBatch(space, rows, proxies=proxies_of(table))
    predictor = make_predictor("gp", {"proxies": True}, 0)
    truth = table["synflow"].to_numpy()
    predictor.fit(batch[:20], Evaluations(truth[:20], np.zeros(20), np.full(20, "proxy")))
    predicted = predictor.predict(batch[20:]).mean
    assert np.corrcoef(predicted, truth[20:])[0, 1] > 0.9
