from __future__ import annotations

from pathlib import Path

import pytest

from archatlas.errors import ArchatlasError
from archatlas.pipelines.start_from import files_of_start, start_of_supernets


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the super-networks of an experiment behind a link, as a run leaves them."""
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "data/06_models/digits/supernets/2026/supernets"
    made.mkdir(parents=True)
    for number in (0, 2, 10):
        (made / f"seed_{number}.safetensors").touch()
    (tmp_path / "data/current/digits").mkdir(parents=True)
    (tmp_path / "data/current/digits/supernets").symlink_to("../../06_models/digits/supernets/2026/supernets")
    return tmp_path


@pytest.mark.parametrize("named", ["digits", "data/current/digits/supernets"])
def test_an_experiment_and_a_folder_give_their_files_by_number(here: Path, named: str) -> None:
    made = here / "data/06_models/digits/supernets/2026/supernets"
    assert files_of_start(named) == [made / f"seed_{number}.safetensors" for number in (0, 2, 10)]


def test_a_file_is_one(here: Path) -> None:
    (here / "own.safetensors").touch()
    assert files_of_start("own.safetensors") == [here / "own.safetensors"]
    assert start_of_supernets({"supernet": {"start_from": "own.safetensors"}}) == [Path("own.safetensors")]
    assert files_of_start(None) == start_of_supernets({"supernet": {"start_from": None}}) == []


def test_links_count_by_their_own_names(here: Path) -> None:
    for folder, content in (("a", "first"), ("b", "second")):
        (here / folder).mkdir()
        (here / folder / "weights.safetensors").write_text(content)
    (here / "chosen").mkdir()
    for number, folder in ((0, "b"), (1, "a")):
        (here / "chosen" / f"seed_{number}.safetensors").symlink_to(here / folder / "weights.safetensors")
    assert files_of_start("chosen") == [here / folder / "weights.safetensors" for folder in "ba"]
    found = start_of_supernets({"supernet": {"start_from": "chosen"}})
    assert [(file.name, file.read_text()) for file in found] == [
        ("seed_0.safetensors", "second"),
        ("seed_1.safetensors", "first"),
    ]


def test_what_is_not_there_is_refused_with_the_nearest_experiment(here: Path) -> None:
    with pytest.raises(ArchatlasError, match=r"`supernet.start_from` is 'digit', .* did you mean `digits`\?"):
        files_of_start("digit")
    assert start_of_supernets({"supernet": {"start_from": "digit"}}) == []
