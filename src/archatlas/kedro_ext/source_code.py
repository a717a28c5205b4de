"""Which code a function reaches inside its package, and digests of it that comments and docstrings leave alone.

Of the function's own module only what the function needs counts: itself, the helpers and constants that it names, and
their imports; so nodes that share a file are told apart. Beyond that, modules count whole. A module is reached

- through an import, at its top or inside a function (but not one under ``TYPE_CHECKING``),
- through a string that names it (``"package.module"`` or ``"package.module:object"``), as registries load it,
- as a package above a reached module, whose ``__init__`` Python executes: its own code counts, not what it imports.

What a registry holds (``NAME = Registry("...", {"entry": "package.module:object"})``) is no code of its module: each
entry counts by itself, with all that it reaches. A run that knew nothing of an entry cannot have used it
(``unknown_to``).

A file that a module names by its path, seen from the module's folder, counts byte by byte (a template, a script to be
copied), and with it the other files of a sub-folder, which may include one another. Where a module knows its own place
(``__file__``), all files of its folder that are no code count. Where the name of a module is put together while the
program runs, all that it may be count: those below what the strings beside it begin with, else those of its own folder.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache, partial
from importlib import metadata, util
from pathlib import Path
from typing import Any

from archatlas.kedro_ext.load_time import LoadTime, imported_by_name, is_dynamic, looks_beside

process_started = time.time()
"""When this module was loaded, which is before a runner can load a node's."""

_FILE = re.compile(r"""["']([\w-]+(?:/[\w-]+)*(?:\.[\w-]+)+)["']""")


_Registries = dict[str, dict[str, list[str]]]
"""Of each registry the modules of each entry."""


@dataclass(frozen=True)
class Reach:
    """What is reached.

    Attributes:
        code: digests by module (``module:function`` in the function's own), file, or entry of a registry
            (``module:REGISTRY[entry]``).
        libraries: their versions.
        files: that were read for it.
    """

    code: dict[str, str]
    libraries: dict[str, str]
    files: frozenset[Path] = field(default=frozenset(), compare=False)

    def edited_since_start(self) -> Path | None:
        """A file that was edited after this process had started, so that the process may run an older state of it.

        By the time of its status too, which no editor and no copy can set back.
        """
        return next((file for file in sorted(self.files) if _changed(file) > process_started), None)


def _changed(file: Path) -> float:
    status = file.stat()
    return max(status.st_mtime, status.st_ctime)


def unknown_to(before: Mapping[str, str], code: Mapping[str, str]) -> set[str]:
    """Entries of registries among ``code`` of which ``before``, the code that an earlier run reached, knew nothing."""
    return {name for name in code if name.endswith("]") and name not in before}


class SourceCode:
    """The code of one package as it lies on disk now; made anew to see what has changed since.

    A top-level module that is no package is digested as a file, and what it imports is not followed.
    """

    def __init__(self, package: str) -> None:
        spec = util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ValueError(f"there is no package {package!r} whose code could be read")
        self._modules: dict[str, _Module] = {}
        self._imported: dict[str, tuple[set[str], set[str]]] = {}
        self._entries: dict[tuple[str, ...], tuple[str, _Registries, frozenset[Path]]] = {}
        self._package = package
        self._is_package = bool(spec.submodule_search_locations)

    def reached_by(self, function: Callable[..., Any]) -> Reach:
        """What the function reaches; with the whole of its module if it is not defined at the module's top level."""
        while isinstance(function, partial):
            function = function.func
        function = inspect.unwrap(function)
        home = self._module(function.__module__)
        name = function.__qualname__
        if name not in home.bindings or is_dynamic(home.statements):
            return self.reached_by_modules(home.name)
        part = home.needed_by(name)
        return self._reach({f"{home.name}:{name}": home.digest(part)}, home, part)

    def reached_by_modules(self, *names: str) -> Reach:
        """What these modules reach, themselves included."""
        return _joined([self._reach({name: self._module(name).whole}, self._module(name), None) for name in names])

    def _reach(self, code: dict[str, str], home: _Module, part: list[ast.stmt] | None) -> Reach:
        """The code, all that it imports, and the entries of the registries in either."""
        found, registries = self._without_entries(code, home, part)
        entries: dict[str, str] = {}
        files = set(found.files)
        while registries:
            registry, listed = registries.popitem()
            for entry, modules in listed.items():
                if (name := f"{registry}[{entry}]") not in entries:
                    entries[name], more, read = self._entry(tuple(modules))
                    files |= read
                    registries |= more
        return Reach({**found.code, **dict(sorted(entries.items()))}, found.libraries, frozenset(files))

    def _entry(self, modules: tuple[str, ...]) -> tuple[str, _Registries, frozenset[Path]]:
        """The digest of all that an entry's modules reach, the registries among that, and the files of both."""
        if modules not in self._entries:
            parts = [
                self._without_entries({name: self._module(name).whole}, self._module(name), None) for name in modules
            ]
            whole = _joined([found for found, _ in parts])
            digest = hashlib.sha256(
                repr((modules, sorted(whole.code.items()), sorted(whole.libraries.items()))).encode()
            )
            registries = {name: listed for _, more in parts for name, listed in more.items()}
            self._entries[modules] = digest.hexdigest(), registries, whole.files
        digest_, registries_, files = self._entries[modules]
        return digest_, dict(registries_), files

    def _without_entries(
        self, code: dict[str, str], home: _Module, part: list[ast.stmt] | None
    ) -> tuple[Reach, _Registries]:
        """The code and all that it imports, and the registries in either."""
        code = dict(code)
        files = {home.path} | self._attach(home, part, code)
        waiting, libraries = self._imports(home, part)
        registries = home.registries_of(self._package, part)
        seen: set[str] = set() if part else {home.name}
        packages = set(_packages_above(home.name))
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            module = self._module(name)
            code[name] = module.whole
            files |= {module.path} | self._attach(module, None, code)
            packages.update(_packages_above(name))
            registries |= module.registries_of(self._package, None)
            if name not in self._imported:
                self._imported[name] = self._imports(module, None)
            inside, outside = self._imported[name]
            waiting |= inside
            libraries |= outside
        for name in packages - seen:
            code[f"{name}.__init__"] = self._module(name).whole
        versions = {name: _version(name) for name in sorted(libraries)}
        return Reach(dict(sorted(code.items())), versions, frozenset(files)), registries

    def _imports(self, module: _Module, part: list[ast.stmt] | None) -> tuple[set[str], set[str]]:
        """Modules of the package, and libraries, that the statements (all of the module's for None) import or name."""
        if not self._is_package:
            return set(), set()
        found = self._graph.find_modules_directly_imported_by(module.name)
        if part is not None:
            lines = {line for statement in part for line in range(statement.lineno, (statement.end_lineno or 0) + 1)}
            found = {
                name
                for name in found
                if any(
                    detail["line_number"] in lines
                    for detail in self._graph.get_import_details(importer=module.name, imported=name)
                )
            }
        inside = {name for name in found if _is_in(name, self._package)}
        outside = found - inside - sys.stdlib_module_names
        by_name, libraries = self._imported_by_name(module, module.statements if part is None else part)
        return inside | by_name, outside | libraries

    def _imported_by_name(self, module: _Module, part: list[ast.stmt]) -> tuple[set[str], set[str]]:
        """Modules of the package, and libraries, that strings name; where one is put together, all that it may be."""
        named = module.named_modules(self._package, part)
        home = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
        called, composed = imported_by_name(part, home)
        inside = (named | called) & self._graph.modules
        if composed and not inside:
            beginnings = {name for name in named if name.endswith(".")} or {f"{home}."}
            inside = {name for name in self._graph.modules if name.startswith(tuple(beginnings))}
        libraries = {name.split(".")[0] for name in called if not _is_in(name, self._package)}
        return inside, {name for name in libraries - sys.stdlib_module_names if util.find_spec(name) is not None}

    def _attach(self, module: _Module, part: list[ast.stmt] | None, code: dict[str, str]) -> set[Path]:
        """Add the digests of the files that the statements name to ``code``; returns the files."""
        files = module.files if part is None else set(module.files_of(part))
        if module.looks_beside if part is None else looks_beside(part):
            files = files | module.files_beside()
        for file in files:
            name = f"{module.name.rpartition('.')[0]}/{file.relative_to(module.path.parent).as_posix()}"
            code[name] = hashlib.sha256(file.read_bytes()).hexdigest()
        return files

    def _module(self, name: str) -> _Module:
        if name not in self._modules:
            file = _source_file(name)
            status = file.stat()
            self._modules[name] = _read_module(name, file, (status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        return self._modules[name]

    @cached_property
    def _graph(self) -> Any:
        import grimp

        return grimp.build_graph(
            self._package, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
        )


@dataclass
class _Module:
    """A module's code without docstrings and without the entries of registries."""

    name: str
    path: Path

    @cached_property
    def statements(self) -> list[ast.stmt]:
        return self._parsed[0]

    @cached_property
    def _parsed(self) -> tuple[list[ast.stmt], dict[str, dict[str, list[str]]]]:
        """The statements, and the registries, whose entries are taken out of these."""
        statements = _without_strings_alone(ast.parse(self._text).body)
        return statements, dict(filter(None, map(_taken_out, statements)))

    def registries_of(self, package: str, part: list[ast.stmt] | None) -> _Registries:
        """The registries that the statements (None: all) assign, by ``module:NAME``, with their entries' modules."""
        bound = None if part is None else {name for statement in part for name in _bound_names(statement)}
        return {
            f"{self.name}:{name}": {
                entry: [text.split(":")[0] for text in texts if text.startswith(f"{package}.")]
                for entry, texts in entries.items()
            }
            for name, entries in self._parsed[1].items()
            if bound is None or name in bound
        }

    @cached_property
    def _text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def bindings(self) -> dict[str, list[ast.stmt]]:
        """The top-level statements that bind each name."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.statements:
            for name in _bound_names(statement):
                found.setdefault(name, []).append(statement)
        return found

    def needed_by(self, name: str) -> list[ast.stmt]:
        """The top-level statements that ``name`` needs: its own, those of the names in it, and those that act at load.

        What binds nothing at the top level (a call that registers something) acts when the module is loaded, and other
        statements may do so too (:class:`archatlas.kedro_ext.load_time.LoadTime`).
        """
        waiting = [name]
        needed: set[int] = set()
        seen: set[str] = set()

        def need(statement: ast.stmt) -> None:
            needed.add(id(statement))
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                waiting.extend(_used_names(statement))

        for statement in self._acting:
            need(statement)
        while waiting:
            while waiting:
                one = waiting.pop()
                if one not in seen:
                    seen.add(one)
                    for statement in self.bindings.get(one, ()):
                        need(statement)
            for statement in self._load_time.needed(seen):
                if id(statement) not in needed:
                    need(statement)
        return [statement for statement in self.statements if id(statement) in needed]

    @cached_property
    def _load_time(self) -> LoadTime:
        return LoadTime(self.statements, self.bindings, self.name.split(".")[0])

    @property
    def _acting(self) -> list[ast.stmt]:
        return [statement for statement in self.statements if not _bound_names(statement)]

    def digest(self, part: Iterable[ast.stmt]) -> str:
        """Of top-level statements; comments, layout and docstrings do not count.

        Imports do not count either: what they bring is digested where it is defined.
        """
        digest = hashlib.sha256()
        for statement in part:
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                digest.update(ast.dump(statement).encode())
        return digest.hexdigest()

    @cached_property
    def whole(self) -> str:
        """The digest of all statements."""
        return self.digest(self.statements)

    @cached_property
    def files(self) -> set[Path]:
        """Files that the module names."""
        return set(self.files_of(self.statements))

    @cached_property
    def looks_beside(self) -> bool:
        """Whether the module may look for files beside it."""
        return looks_beside(self.statements)

    def files_beside(self) -> set[Path]:
        """All files of the module's folder that are no code, as they lie there now."""
        return {one for one in self.path.parent.rglob("*") if one.is_file() and one.suffix not in (".py", ".pyc")}

    def named_modules(self, package: str, part: Iterable[ast.stmt] | None) -> set[str]:
        """What may be modules of the package, by the strings of the statements (None: of all)."""
        if f'"{package}.' not in self._text and f"'{package}." not in self._text:
            return set()
        strings = self.strings(self.statements if part is None else part)
        return {text.split(":")[0] for text in strings if text.startswith(f"{package}.")}

    @staticmethod
    def strings(part: Iterable[ast.stmt]) -> Iterator[str]:
        """All string constants of the statements."""
        for statement in part:
            for inner in ast.walk(statement):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield inner.value

    def files_of(self, part: list[ast.stmt]) -> Iterator[Path]:
        """Files that the statements name by their path from the module's folder; with a sub-folder's other files."""
        folder = self.path.parent
        candidates = {text for text in _FILE.findall(self._text) if (folder / text).is_file()}
        for text in self.strings(part) if candidates else ():
            file = folder / text
            if text in candidates and file != self.path:
                yield from [file] if file.parent == folder else (one for one in file.parent.iterdir() if one.is_file())


@lru_cache(maxsize=2048)
def _read_module(name: str, file: Path, stamp: tuple[int, ...]) -> _Module:
    """The module; parsed once as long as its file stands as ``stamp`` says."""
    return _Module(name, file)


def _joined(found: list[Reach]) -> Reach:
    code = {name: digest for reach in found for name, digest in reach.code.items()}
    libraries = {name: version for reach in found for name, version in reach.libraries.items()}
    return Reach(code, libraries, frozenset[Path]().union(*(reach.files for reach in found)))


def _taken_out(statement: ast.stmt) -> tuple[str, dict[str, list[str]]] | None:
    """The name and the entries of a registry that a statement assigns, which then assigns an empty one; else None."""
    value = getattr(statement, "value", None)
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(value, ast.Call):
        return None
    names = _bound_names(statement)
    if getattr(value.func, "id", "") != "Registry" or len(names) != 1:
        return None
    written = next((one for one in value.args if isinstance(one, ast.Dict)), None)
    try:
        entries = {} if written is None else ast.literal_eval(written)
    except ValueError:
        return None
    texts = {str(entry): [value] if isinstance(value, str) else list(value) for entry, value in entries.items()}
    if written is None or not all(isinstance(text, str) for values in texts.values() for text in values):
        return None
    written.keys, written.values = [], []
    return names.pop(), texts


def _without_strings_alone(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements without strings that stand alone, which document; what the statements hold is changed in place."""
    for statement in body:
        for field_name in ("body", "orelse", "finalbody"):
            if inner := getattr(statement, field_name, None):
                setattr(statement, field_name, _without_strings_alone(inner))
        for branch in [*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]:
            branch.body = _without_strings_alone(branch.body)
    return [one for one in body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]


def _source_file(module: str) -> Path:
    spec = util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"the code of {module} cannot be read")
    return Path(spec.origin)


def _bound_names(statement: ast.stmt) -> set[str]:
    """Names that a top-level statement binds, those inside of ``if``, ``try``, ``with`` and loops among them."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    inner = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
    return names.union(*(_bound_names(one) for one in inner)) if inner else names


def _used_names(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _packages_above(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@cache
def _version(library: str) -> str:
    """The version of the distribution that brings a top-level module; ``unknown`` if none was installed."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return metadata.version(name) if (name := _distributions().get(library)) else "unknown"


@cache
def _distributions() -> dict[str, str]:
    """Distributions by the top-level modules that they install (``metadata.packages_distributions`` takes longer)."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        listed = (distribution.read_text("top_level.txt") or "").split()
        installed = (distribution.read_text("RECORD") or "").splitlines() if not listed else ()
        for name in listed or {line.split("/", 1)[0] for line in installed if ".py," in line}:
            found.setdefault(name, distribution.metadata["Name"])
    return found
