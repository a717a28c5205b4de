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
        ({"search": {}}, "`seed` is missing: every parameter has its place in conf/base"),
        ({"seed": 1, "search": {"top_k": 0}}, "`search.top_k`: input should be greater than or equal to 1, but got 0"),
    ],
)
def test_message_names_key_value_and_rule(parameters, expected):
    assert expected in message_for(parameters)


def test_every_problem_is_listed():
    assert message_for({"seed": "x", "search": {"top_k": 0}}).count("\n") == 2
