from __future__ import annotations

import pytest

from archatlas.reporting.places import command_without_places, value_without_places, without_places


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/someone/my cats", ".../my cats"),
        ("/home/someone/cats/", ".../cats"),
        ("~/cats", ".../cats"),
        ("~someone", "..."),
        ("/", "..."),
        (r"C:\Users\Some One\cats", ".../cats"),
        (r"\\server\share\cats", ".../cats"),
        ("data/cats", "data/cats"),
        ("30%", "30%"),
        ("", ""),
    ],
)
def test_of_an_absolute_path_the_last_part_is_shown(text: str, shown: str) -> None:
    assert without_places(text) == shown


def test_a_command_keeps_its_words() -> None:
    command = "kedro run --env mine --params 'images.path=/home/some one/cats,seed=3' --conf-source=/tmp/conf"
    assert command_without_places(command) == (
        "kedro run --env mine --params images.path=.../cats,seed=3 --conf-source=.../conf"
    )


def test_values_at_any_depth() -> None:
    given = {"a": [{"path": "/home/x/y"}, 1, None], "b": "z"}
    assert value_without_places(given) == {"a": [{"path": ".../y"}, 1, None], "b": "z"}
