from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archatlas.kedro_ext.dependencies import dependencies_of, depends_on, files_read, states_of


def found(parameters: Mapping[str, Any]) -> list[Path]:
    return [Path(folder) / "weights.bin" for folder in parameters["folders"]]


@depends_on(files=("images.path", found, "images.none"))
def read(images: Any, folders: Any) -> None: ...


def test_files_of_one_name_are_told_apart() -> None:
    given = {"params:images": {"path": "pictures", "none": None}, "params:folders": ["a", "b", "c"]}
    assert list(files_read(dependencies_of(read), given)) == [
        ("files under the parameter images.path", Path("pictures")),
        ("weights.bin", Path("a/weights.bin")),
        ("weights.bin (2)", Path("b/weights.bin")),
        ("weights.bin (3)", Path("c/weights.bin")),
    ]


def test_a_state_may_follow_from_the_parameters() -> None:
    @depends_on(states=(lambda given: given["folders"][0], lambda _: 7))
    def measure() -> None: ...

    assert states_of(dependencies_of(measure), {"params:folders": ["a"], "params:seed": 1}) == ["a", 7]
