from __future__ import annotations

import os
import time
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archatlas.kedro_ext.source_code import SourceCode

if TYPE_CHECKING:
    from tests.kedro_ext.conftest import Package

NODES = '''
    """Nodes."""
    import numpy as np
    from {package} import far
    from {package}.helper import help_out

    SCALE = 2


    def double(x):
        """Twice x."""
        return _scaled(help_out(x))


    def _scaled(x):
        return SCALE * x


    def lonely(x):
        from {package} import late
        return late.VALUE + np.float64(x)
'''


@pytest.fixture
def written(package: Package) -> Package:
    package.write("helper", "from {package}.deep.base import ONE\n\ndef help_out(x):\n    return x + ONE\n")
    package.write("deep.__init__", "")
    package.write("deep.base", "ONE = 1\n")
    package.write("late", "VALUE = 1\n")
    package.write("far", "VALUE = 1\n")
    package.write("nodes", NODES)
    return package


def reached(package: Package, name: str) -> dict[str, str]:
    found = SourceCode(package.name).reached_by(package.function("nodes", name)).code
    return {module.removeprefix(f"{package.name}"): digest for module, digest in found.items()}


def test_a_function_reaches_what_it_needs_of_its_module_and_what_that_imports(written: Package) -> None:
    assert set(reached(written, "double")) == {
        ".nodes:double",
        ".helper",
        ".deep.base",
        ".deep.__init__",
        ".__init__",
    }


def test_imports_inside_a_function_and_libraries_count_for_it_alone(written: Package) -> None:
    source = SourceCode(written.name)
    lonely = source.reached_by(written.function("nodes", "lonely"))
    assert f"{written.name}.late" in lonely.code
    assert lonely.libraries == {"numpy": metadata.version("numpy")}
    assert source.reached_by(written.function("nodes", "double")).libraries == {}


@pytest.mark.parametrize(
    ("module", "code", "changed"),
    [
        ("nodes", NODES.replace("SCALE * x", "x * SCALE"), {"double"}),
        ("nodes", NODES.replace("SCALE = 2", "SCALE = 3"), {"double"}),
        ("nodes", NODES.replace("late.VALUE +", "late.VALUE -"), {"lonely"}),
        ("nodes", NODES + "\n    print('side effect')\n", {"double", "lonely"}),
        ("nodes", NODES + "\n    def another():\n        return 1\n", set()),
        ("nodes", NODES.replace("Twice x.", "x, twice.") + "\n    # A comment.\n", set()),
        ("deep.base", "ONE = 2\n", {"double"}),
        ("deep.base", '"""A docstring."""\n\n# and a comment\nONE = 1\n', set()),
        ("late", "VALUE = 2\n", {"lonely"}),
        ("far", "VALUE = 2\n", set()),
        ("__init__", "ANYTHING = 1\n", {"double", "lonely"}),
    ],
)
def test_digests_change_with_what_is_reached_and_with_nothing_else(
    written: Package, module: str, code: str, changed: set[str]
) -> None:
    before = {name: reached(written, name) for name in ("double", "lonely")}
    written.write(module, code)
    assert {name for name in before if reached(written, name) != before[name]} == changed


def test_a_string_that_names_a_module_reaches_it(package: Package) -> None:
    package.write("plugin", "def make():\n    return 1\n")
    package.write("nodes", "from importlib import import_module\n\nREGISTRY = {'a': '{package}.plugin:make'}\n\n"
                  "def load():\n    return import_module(REGISTRY['a'].split(':')[0])\n")  # fmt: skip
    assert ".plugin" in reached(package, "load")


def test_imports_for_the_type_checker_alone_do_not_count(package: Package) -> None:
    package.write("types", "class Thing: ...\n")
    package.write(
        "nodes",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {package}.types import Thing\n"
        "def f(x: 'Thing'):\n    return x\n",
    )
    assert ".types" not in reached(package, "f")


def test_a_file_named_by_a_module_counts_with_its_folder(package: Package) -> None:
    (package.folder / "templates").mkdir()
    (package.folder / "templates" / "page.txt").write_text("a")
    (package.folder / "templates" / "part.txt").write_text("b")
    package.write("nodes", "NAME = 'templates/page.txt'\n\ndef f():\n    return NAME\n")
    before = reached(package, "f")
    assert {"/templates/page.txt", "/templates/part.txt"} <= set(before)
    (package.folder / "templates" / "part.txt").write_text("c")
    assert {name for name, digest in reached(package, "f").items() if before[name] != digest} == {"/templates/part.txt"}


def test_partials_and_functions_inside_functions_are_followed(package: Package) -> None:
    package.write(
        "nodes", "def outer():\n    def inner(x):\n        return x\n    return inner\n\ndef g(x, y):\n    return x\n"
    )
    source = SourceCode(package.name)
    assert f"{package.name}.nodes" in source.reached_by(package.function("nodes", "outer")()).code
    assert f"{package.name}.nodes:g" in source.reached_by(partial(package.function("nodes", "g"), y=1)).code


def test_an_edit_after_the_start_of_the_process_is_noticed(written: Package) -> None:
    reach = SourceCode(written.name).reached_by(written.function("nodes", "double"))
    assert reach.edited_since_start() is None
    helper = written.folder / "helper.py"
    time.sleep(0.02)  # Files have the time of the kernel's last tick.
    helper.touch()
    assert reach.edited_since_start() == helper


def test_a_file_put_in_its_place_with_an_old_time_is_noticed_too(written: Package, tmp_path: Path) -> None:
    helper, other = written.folder / "helper.py", tmp_path / "other.py"
    other.write_text(helper.read_text() + "# other\n")
    os.utime(other, (1, 1))
    time.sleep(0.02)
    os.replace(other, helper)
    reach = SourceCode(written.name).reached_by(written.function("nodes", "double"))
    assert helper.stat().st_mtime == 1
    assert reach.edited_since_start() == helper
