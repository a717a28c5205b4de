"""A configuration with mistakes, read as Kedro reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archatlas.kedro_ext.configuration import CheckedConfigLoader, ConfigurationError


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for file, text in {
        "base/parameters.yml": "seed: 1\nsearch: {top_k: 3, method: a}\n",
        "base/parameters_more.yml": "more: {a: 1}\n",
        "base/catalog.yml": "table: {type: pandas.CSVDataset, filepath: x.csv}\n",
        "local/parameters.yml": "seed: 2\n",
        "mine/globals.yml": "name: x\n",
        "mine/nested/parameters_mine.yml": "search:\n  top_k: 4\n",
    }.items():
        (tmp_path / "conf" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / file).write_text(text)
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\n")
    return tmp_path / "conf"


def loader(conf: Path, env: str | None = None, **given: Any) -> CheckedConfigLoader:
    return CheckedConfigLoader(
        str(conf),
        env,
        base_env="base",
        default_run_env="local",
        merge_strategy={"parameters": "soft"},
        runtime_params=given,
    )


def test_what_is_right_is_read_as_kedro_does(conf: Path) -> None:
    assert loader(conf)["parameters"] == {"seed": 2, "search": {"top_k": 3, "method": "a"}, "more": {"a": 1}}
    assert loader(conf, "mine", seed=5)["parameters"] == {
        "seed": 5,
        "search": {"top_k": 4, "method": "a"},
        "more": {"a": 1},
    }
    assert list(loader(conf)["catalog"]) == ["table"]


@pytest.mark.parametrize(
    ("file", "content", "key", "told"),
    [
        ("base/parameters.yml", b"a: 1\na: 2\n", "parameters", "conf/base/parameters.yml, line 2: `a` stands in line"),
        ("base/catalog.yml", b"a:\n\tb: 1\n", "catalog", "conf/base/catalog.yml, line 2: a tab stands"),
        ("base/catalog.yml", b"a: 1\n", "catalog", "conf/base/catalog.yml, line 1: the data set `a` must be a section"),
        ("mine/parameters_x.yml", b"- a\n", "parameters", "conf/mine/parameters_x.yml, line 1: the file holds a list"),
        ("mine/nested/catalog.yml", b"\xff", "catalog", "conf/mine/nested/catalog.yml, line 1: byte 0xff is not UTF-8"),
        ("mine/credentials.json", b'{"a": "b}', "credentials", "conf/mine/credentials.json, line 1: the quotation"),
        (
            "mine/parameters copy.yml",
            b"seed: 3\nsearch:\n  top_k: 4\n",
            "parameters",
            "`search.top_k` is set twice in one environment: in conf/mine/nested/parameters_mine.yml, line 2, and in "
            "conf/mine/parameters copy.yml, line 3. Delete one of the two",
        ),
        (
            "base/catalog_copy.yml",
            b"table: {type: text.TextDataset, filepath: y}\n",
            "catalog",
            "`table` is set twice in one environment: in conf/base/catalog.yml, line 1, and in "
            "conf/base/catalog_copy.yml, line 1.",
        ),
        ("mine/parameters.yml", b"seed: ${globals:x}\n", "parameters", "conf/mine/parameters.yml, line 1: `seed` in"),
    ],
)
def test_a_mistake_is_told_by_file_line_and_cure(conf: Path, file: str, content: bytes, key: str, told: str) -> None:
    (conf / file).write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        loader(conf, "mine")[key]
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_globals_are_checked_as_well(conf: Path) -> None:
    (conf / "mine/globals.yml").write_text("name: 'x\n")
    with pytest.raises(ConfigurationError, match=r"^conf/mine/globals.yml, line 1: the quotation mark"):
        loader(conf, "mine")


def test_files_that_are_not_read_may_hold_anything(conf: Path) -> None:
    (conf / "other").mkdir()
    for file in ("other/parameters.yml", "mine/notes.yml", "mine/.parameters.yml", "mine/parameters.txt"):
        (conf / file).write_text("a: 'b")
    assert loader(conf, "mine")["parameters"]["seed"] == 1


def test_ones_own_folder_may_be_missing_and_others_are_named(conf: Path) -> None:
    (conf / "local/parameters.yml").unlink()
    (conf / "local").rmdir()
    assert loader(conf)["parameters"]["seed"] == 1
    assert "table" in loader(conf)["catalog"]
    with pytest.raises(ConfigurationError, match=r"there is no environment `mined` in conf; did you mean `mine`\?"):
        loader(conf, "mined")


def test_where_a_value_is_set_is_known(conf: Path) -> None:
    made = loader(conf, "mine", search={"method": "b"}, more=None)
    assert made.place("parameters", ("search", "method")) == "--params"
    assert made.place("parameters", ("search", "top_k")) == "conf/mine/nested/parameters_mine.yml, line 2"
    assert made.place("parameters", ("seed",)) == "conf/base/parameters.yml, line 1"
    assert made.place("parameters", ("nowhere",)) is None
