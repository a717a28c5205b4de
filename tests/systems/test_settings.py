"""Settings of search methods: what is wrong with them is told before they search."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from archatlas.errors import ArchatlasError
from archatlas.systems.gram.method import Gram
from archatlas.systems.make import make_method
from archatlas.systems.regularised_evolution import RegularisedEvolution
from archatlas.systems.settings import require_settings


def test_settings_of_a_method_are_its_fields() -> None:
    assert make_method("regularised_evolution", {"population": 8}) == RegularisedEvolution(population=8)
    assert make_method("gram", {"alpha": 1, "patience": None}) == Gram(alpha=1.0)
    with pytest.raises(ArchatlasError) as refused:
        make_method("regularised_evolution", {"populaton": 8})
    assert str(refused.value) == (
        "`methods.settings.regularised_evolution`: there is no setting 'populaton'; did you mean `population`? (given: "
        "{'populaton': 8})"
    )
    with pytest.raises(ArchatlasError, match="no search method 'evolution'"):
        make_method("evolution", {})


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        require_settings({"gram": {"baseline": "Mean", "at_once": 0}, "nasi": {"steps": True}})
    assert [".".join(map(str, fault["loc"])) for fault in refused.value.errors()] == [
        "settings.gram.baseline", "settings.gram.at_once", "settings.nasi.steps",
    ]  # fmt: skip
    require_settings({"gram": {"edge_scale": 2, "frozen": True}, "nasi": {}, "nasgem": {"settings": {"graphs": 100}}})
