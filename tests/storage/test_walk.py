from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archatlas.storage.walk import walk


def test_a_folder_that_cannot_be_listed_is_an_error_or_what_the_caller_makes_of_it(
    open_folder: Path, unprivileged: Any
) -> None:
    (open_folder / "a").mkdir()
    (open_folder / "b").mkdir()
    (open_folder / "b").chmod(0o311)
    (open_folder / "a" / "x.png").touch()
    met: list[str] = []
    with unprivileged():
        with pytest.raises(PermissionError):
            list(walk(open_folder))
        found = list(walk(open_folder, unlisted=lambda error: met.append(error.filename)))
        assert len(list(walk(open_folder, enters=lambda name: name != "b"))) == 2
    assert found == [(open_folder, ["a", "b"], []), (open_folder / "a", [], ["x.png"])]
    assert met == [str(open_folder / "b")]
