from typing import Literal

import pytest
from kedro.validation.exceptions import ParameterValidationError
from pydantic import BaseModel, ConfigDict, Field

from archatlas.kedro_ext.parameter_check import check_parameters


class Limits(BaseModel):
    model_config = ConfigDict(extra="forbid")
    max_macs: float | None = Field(None, gt=0)


class Search(BaseModel):
    model_config = ConfigDict(extra="forbid")
    budgets: dict[str, Limits] = {}
    top_k: int = Field(3, ge=1)


class Project(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = "x"
    bits: Literal["16", "32"] = "32"
    seed: int
    search: Search


def message_for(parameters):
    with pytest.raises(ParameterValidationError) as caught:
        check_parameters(Project, parameters)
    return str(caught.value)


def test_good_parameters_become_the_model():
    assert check_parameters(Project, {"seed": 1, "search": {"top_k": 2}}) == Project(seed=1, search=Search(top_k=2))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"seed": 1, "serch": {}, "search": {}}, "`serch` is not a parameter; did you mean `search`?"),
        ({"seed": 1, "search": {"topk": 1}}, "`search.topk` is not a parameter; did you mean `top_k`?"),
        (
            {"seed": 1, "search": {"budgets": {"phone": {"max_mac": 1}}}},
            "`search.budgets.phone.max_mac` is not a parameter; did you mean `max_macs`?",
        ),
        ({"seed": 1, "search": {"zzz": 1}}, "`search.zzz` is not a parameter; known here: budgets, top_k"),
        ({"seed": True, "search": {}}, "`seed`: should be a number, but got True"),
        (
            {"seed": 1, "search": {"budgets": {"phone": {"max_macs": True}}}},
            "`search.budgets.phone.max_macs`: should be a number, but got True",
        ),
        (
            {"seed": 1, "search": {}, "name": 2024},
            '`name`: input should be a valid string, but got 2024. In quotes it is text: name: "2024"',
        ),
        ({"seed": 1, "search": {}, "name": None}, 'but got None. In quotes it is text: name: "..."'),
        ({"seed": 1, "search": {}, "bits": 32}, 'but got 32. In quotes it is text: bits: "32"'),
        ({"seed": 1, "search": {}, "bits": 33}, "but got 33"),
        ({"search": {}}, "`seed` is missing: every parameter has its place in conf/base"),
        ({"seed": 1, "search": {"top_k": 0}}, "`search.top_k`: input should be greater than or equal to 1, but got 0"),
    ],
)
def test_message_names_key_value_and_rule(parameters, expected):
    assert expected in message_for(parameters)


def test_every_problem_is_listed():
    assert message_for({"seed": "x", "search": {"top_k": 0}}).count("\n") == 2


def test_where_a_value_is_set_is_told():
    places = {("name",): "--params", ("search", "budgets"): "a.yml, line 3", ("search", "top_k"): "b.yml, line 1"}
    wrong = {"seed": 1, "name": 5, "search": {"top_k": 0, "budgets": {"x": {"max_macs": -1}}}}
    with pytest.raises(ParameterValidationError) as caught:
        check_parameters(Project, wrong, places.get)
    told = str(caught.value)
    assert "but got 5 (--params). In quotes it is text: --params 'name=\"5\"'\n" in told
    assert "`search.budgets.x.max_macs`: input should be greater than 0, but got -1 (a.yml, line 3)" in told
    assert "`search.top_k`: input should be greater than or equal to 1, but got 0 (b.yml, line 1)" in told


def test_a_message_stays_short():
    many = message_for({"seed": 1, "search": {f"x{number}": 1 for number in range(50)}})
    assert many.count("\n") == 21
    assert many.endswith("and 30 more")
    assert len(message_for({"seed": "x" * 100_000, "search": {"y" * 100_000: 1}})) < 1500
