from __future__ import annotations

import os
import textwrap
import time
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archatlas.kedro_ext.source_code import SourceCode, unknown_to

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


    def farther():
        return far.VALUE
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


REGISTRIES = {
    "a decorator": """
        REGISTRY = {{}}
        def register(f):
            REGISTRY[f.__name__] = f
            return f
        @register
        def one():
            return {value}
        def run():
            return REGISTRY['one']()
    """,
    "a loop": """
        REGISTRY = {{}}
        def one():
            return {value}
        for entry in (one,):
            REGISTRY['one'] = entry
        def run():
            return REGISTRY['one']()
    """,
    "a block with": """
        from contextlib import nullcontext
        REGISTRY = {{}}
        with nullcontext() as nothing:
            REGISTRY['one'] = lambda: {value}
        def run():
            return REGISTRY['one']()
    """,
    "a block try": """
        REGISTRY = {{}}
        try:
            entry = {value}
            REGISTRY['one'] = lambda: entry
        except ImportError:
            entry = None
        def run():
            return REGISTRY['one']()
    """,
    "an assignment to nobody": """
        REGISTRY = {{}}
        def setup():
            REGISTRY['one'] = lambda: {value}
        _ = setup()
        def run():
            return REGISTRY['one']()
    """,
    "a call whose result is used": """
        REGISTRY = {{}}
        def setup():
            REGISTRY['one'] = lambda: {value}
            return 1
        COUNT = setup()
        def count():
            return COUNT
        def run():
            return REGISTRY['one']()
    """,
    "init_subclass": """
        REGISTRY = {{}}
        class Base:
            def __init_subclass__(cls):
                REGISTRY['one'] = cls
        class One(Base):
            value = {value}
        def run():
            return REGISTRY['one'].value
    """,
    "the body of a class": """
        REGISTRY = {{}}
        class One:
            REGISTRY['one'] = lambda: {value}
        def run():
            return REGISTRY['one']()
    """,
    "a decorator in the body of a class": """
        REGISTRY = {{}}
        def register(f):
            REGISTRY['one'] = f
            return f
        class One:
            @register
            def one(self):
                return {value}
        def run():
            return REGISTRY['one'](None)
    """,
    "set_name": """
        REGISTRY = []
        class Field:
            def __set_name__(self, owner, name):
                REGISTRY.append(owner)
        class One:
            field = Field()
            value = {value}
        def run():
            return REGISTRY[0].value
    """,
    "a class that holds the registry": """
        class Registry:
            known = {{}}
            @classmethod
            def register(cls, f):
                cls.known['one'] = f
                return f
        @Registry.register
        def one():
            return {value}
        def run():
            return Registry.known['one']()
    """,
    "a base that knows its sub-classes": """
        class Base:
            pass
        class One(Base):
            value = {value}
        def run():
            return Base.__subclasses__()[0].value
    """,
    "a function of single dispatch": """
        from functools import singledispatch
        @singledispatch
        def kind(x):
            return 0
        @kind.register
        def _(x: int):
            return {value}
        def run():
            return kind(1)
    """,
    "a function that holds the registry": """
        def register(f):
            register.known.append(f)
            return f
        register.known = []
        @register
        def one():
            return {value}
        def run():
            return register.known[0]()
    """,
    "another name of the registry": """
        REGISTRY = {{}}
        OTHER = REGISTRY
        def register(f):
            OTHER['one'] = f
            return f
        @register
        def one():
            return {value}
        def run():
            return REGISTRY['one']()
    """,
    "the module by its name": """
        import sys
        def one():
            return {value}
        def run():
            return getattr(sys.modules[__name__], 'o' + 'ne')()
    """,
    "the names that a function sees": """
        def one():
            return {value}
        def run():
            return run.__globals__['o' + 'ne']()
    """,
    "globals": """
        def one():
            return {value}
        def run():
            return globals()['o' + 'ne']()
    """,
    "global in a function": """
        CURRENT = None
        def setup():
            global CURRENT
            CURRENT = {value}
            return 1
        READY = setup()
        def ready():
            return READY
        def run():
            return CURRENT
    """,
}


@pytest.mark.parametrize("how", REGISTRIES)
def test_what_fills_a_registry_at_load_counts_for_who_reads_it(package: Package, how: str) -> None:
    digests = []
    for value in (1, 2):
        package.write("nodes", REGISTRIES[how].format(value=value))
        digests.append(reached(package, "run"))
    assert digests[0] != digests[1]


def test_a_decorator_of_another_module_of_the_package_counts_for_all(package: Package) -> None:
    package.write("registry", "KNOWN = {}\n\ndef register(f):\n    KNOWN[f.__name__] = f\n    return f\n")
    code = "from {package}.registry import KNOWN, register\n@register\ndef one():\n    return 1\n"
    code += "\ndef run():\n    return KNOWN\n"
    package.write("nodes", code)
    before = reached(package, "run")
    package.write("nodes", code.replace("return 1", "return 2"))
    assert reached(package, "run") != before


LIBRARY_REGISTRIES = {
    "a decorator": """
        from functools import partial
        import yaml
        @partial(yaml.add_constructor, "!one")
        def one(*_):
            return {value}
    """,
    "a decorator by way of one": """
        from yaml import add_constructor as add
        def register(f):
            return add("!one", f)
        @register
        def one(*_):
            return {value}
    """,
    "a base": """
        import yaml
        class One(yaml.YAMLObject):
            value = {value}
    """,
    "a metaclass": """
        from yaml import YAMLObjectMetaclass
        class One(metaclass=YAMLObjectMetaclass):
            value = {value}
    """,
    "a decorator in the body of a class": """
        from functools import partial
        import yaml
        class One:
            @partial(yaml.add_constructor, "!one")
            def one(self, *_):
                return {value}
    """,
    "a call": """
        import yaml
        yaml.add_constructor("!one", lambda *_: {value})
    """,
}
"""Ways to give a library something that it hands out by another name: nothing in the module says who asks for it."""


@pytest.mark.parametrize("how", LIBRARY_REGISTRIES)
def test_what_a_library_may_keep_counts_for_all_of_the_module(package: Package, how: str) -> None:
    digests = []
    for value in (1, 2):
        package.write("nodes", textwrap.dedent(LIBRARY_REGISTRIES[how].format(value=value)) + PLAIN_NODE)
        digests.append(reached(package, "run"))
    assert digests[0] != digests[1]


PLAIN_NODE = "\ndef run():\n    return 1\n"


@pytest.mark.parametrize(
    "other",
    [
        "import functools\n@functools.cache\ndef one():\n    return {value}\n",
        "from dataclasses import dataclass\n@dataclass\nclass One:\n    value: int = {value}\n",
        "from enum import Enum\nclass One(Enum):\n    VALUE = {value}\n",
        "import yaml\ndef one(loader=yaml.SafeLoader):\n    return {value}\n",
    ],
)
def test_what_python_itself_decorates_counts_for_its_own(package: Package, other: str) -> None:
    digests = []
    for value in (1, 2):
        package.write("nodes", other.format(value=value) + PLAIN_NODE)
        digests.append(reached(package, "run"))
    assert digests[0] == digests[1]


def test_a_decorator_that_only_marks_counts_for_its_function_alone(package: Package) -> None:
    package.write("marks", "def depends_on(**kw):\n    return lambda f: f\n")
    code = "from {package}.marks import depends_on\n@depends_on(files=())\ndef one():\n    return 1\n"
    code += "\ndef run():\n    return 1\n"
    package.write("nodes", code)
    before = reached(package, "run"), reached(package, "one")
    package.write("nodes", code.replace("():\n    return 1\n\ndef run", "():\n    return 2\n\ndef run"))
    after = reached(package, "run"), reached(package, "one")
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


def test_a_module_imported_for_what_it_does_counts(package: Package) -> None:
    package.write("plugins", "print('registered')\n")
    package.write("nodes", "import {package}.plugins as _plugins\n\ndef run():\n    return 1\n")
    assert ".plugins" in reached(package, "run")


@pytest.mark.parametrize(
    "call",
    [
        "import_module('.one', __package__)",
        "import_module(f'.{{name}}', __package__)",
        "import_module('{package}.' + name)",
        "__import__(name)",
    ],
)
def test_modules_by_relative_and_by_composed_names_count(package: Package, call: str) -> None:
    package.write("one", "VALUE = 1\n")
    code = f"from importlib import import_module\n\ndef run(name):\n    return {call}\n".replace("{{", "{").replace(
        "}}", "}"
    )
    package.write("nodes", code)
    assert ".one" in reached(package, "run")


PLAIN = "class Registry:\n    def __init__(self, *_):\n        pass\n"
REGISTRY = """
    from {package}.plain import Registry

    KINDS = Registry("kind", {{
        "one": "{package}.one:One",{line}
    }})

    def make(name):
        return KINDS.load(name)
"""


def test_each_entry_of_a_registry_counts_by_itself_with_what_it_reaches(package: Package) -> None:
    package.write("plain", PLAIN)
    package.write("below", "VALUE = 1\n")
    package.write("one", "from {package}.below import VALUE\n\nclass One:\n    value = VALUE\n")
    package.write("two", "class Two:\n    pass\n")
    package.write("registry", REGISTRY.format(package=package.name, line=""))
    package.write("nodes", "from {package}.registry import make\n\ndef run():\n    return make('one')\n")
    before = reached(package, "run")
    assert {name for name in before if name.endswith("]")} == {".registry:KINDS[one]"}
    assert not {".one", ".below"} & set(before)
    package.write("registry", REGISTRY.format(package=package.name, line=f'\n        "two": "{package.name}.two:Two",'))
    after = reached(package, "run")
    assert unknown_to(before, after) == {".registry:KINDS[two]"}
    assert {name: after[name] for name in before} == before
    package.write("below", "VALUE = 2\n")
    changed = reached(package, "run")
    assert {name for name in after if after[name] != changed[name]} == {".registry:KINDS[one]"}
    package.write("plain", PLAIN + "    changed = True\n")
    assert reached(package, "run")[".plain"] != before[".plain"]


def test_registries_behind_an_entry_are_read_too_even_where_they_name_each_other(package: Package) -> None:
    package.write("plain", PLAIN)
    package.write("first", "from {package}.plain import Registry\nA = Registry('a', {'x': '{package}.stack:Stack'})\n")
    package.write(
        "stack", "from {package}.first import A\nfrom {package}.second import B\n\nclass Stack:\n    of = A, B\n"
    )
    package.write("second", "from {package}.plain import Registry\nB = Registry('b', {'y': '{package}.leaf:Leaf'})\n")
    package.write("leaf", "class Leaf:\n    pass\n")
    package.write("nodes", "from {package}.first import A\n\ndef run():\n    return A\n")
    assert {name for name in reached(package, "run") if name.endswith("]")} == {".first:A[x]", ".second:B[y]"}


def test_a_library_by_a_constant_name_counts(package: Package) -> None:
    package.write("nodes", "import importlib\n\ndef run():\n    return importlib.import_module('numpy')\n")
    found = SourceCode(package.name).reached_by(package.function("nodes", "run"))
    assert found.libraries == {"numpy": metadata.version("numpy")}


BESIDE = {
    "listed": "def run():\n    return list(Path(__file__).parent.glob('*.sql'))\n",
    "by a name that is put together": "def run(kind):\n    return (Path(__file__).parent / f'{kind}.sql').open()\n",
    "at a place that another module has": (
        "from {package}.places import HERE\n\ndef run():\n    return list(HERE.iterdir())\n"
    ),
}


@pytest.mark.parametrize("how", BESIDE)
def test_files_that_are_looked_for_beside_a_module_count(package: Package, how: str) -> None:
    package.write("places", "from pathlib import Path\n\nHERE = Path(__file__).parent\n")
    package.write("nodes", "from pathlib import Path\n\n" + BESIDE[how])
    before = reached(package, "run")
    (package.folder / "new.sql").write_text("select 1")
    assert reached(package, "run") != before
