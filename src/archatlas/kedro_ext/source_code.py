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
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from importlib import metadata, util
from pathlib import Path
from typing import Any

from archatlas.kedro_ext.load_time import is_dynamic, looks_beside
from archatlas.kedro_ext.module_code import ModuleCode, Registries, read_module

process_started = time.time()
"""When this module was loaded, which is before a runner can load a node's."""


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
        self._modules: dict[str, ModuleCode] = {}
        self._imported: dict[str, tuple[set[str], set[str]]] = {}
        self._entries: dict[tuple[str, ...], tuple[str, Registries, frozenset[Path]]] = {}
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

    def _reach(self, code: dict[str, str], home: ModuleCode, part: list[ast.stmt] | None) -> Reach:
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

    def _entry(self, modules: tuple[str, ...]) -> tuple[str, Registries, frozenset[Path]]:
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
        self, code: dict[str, str], home: ModuleCode, part: list[ast.stmt] | None
    ) -> tuple[Reach, Registries]:
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

    def _imports(self, module: ModuleCode, part: list[ast.stmt] | None) -> tuple[set[str], set[str]]:
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

    def _imported_by_name(self, module: ModuleCode, part: list[ast.stmt]) -> tuple[set[str], set[str]]:
        """Modules of the package, and libraries, that strings name; where one is put together, all that it may be."""
        named = module.named_modules(self._package, part)
        home = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
        called, composed = module.imported_by_name(part)
        inside = (named | called) & self._graph.modules
        if composed and not inside:
            beginnings = {name for name in named if name.endswith(".")} or {f"{home}."}
            inside = {name for name in self._graph.modules if name.startswith(tuple(beginnings))}
        libraries = {name.split(".")[0] for name in called if not _is_in(name, self._package)}
        return inside, {name for name in libraries - sys.stdlib_module_names if util.find_spec(name) is not None}

    def _attach(self, module: ModuleCode, part: list[ast.stmt] | None, code: dict[str, str]) -> set[Path]:
        """Add the digests of the files that the statements name to ``code``; returns the files."""
        files = module.files if part is None else set(module.files_of(part))
        if module.looks_beside if part is None else looks_beside(part):
            files = files | module.files_beside()
        for file in files:
            name = f"{module.name.rpartition('.')[0]}/{file.relative_to(module.path.parent).as_posix()}"
            code[name] = hashlib.sha256(file.read_bytes()).hexdigest()
        return files

    def _module(self, name: str) -> ModuleCode:
        if name not in self._modules:
            file = _source_file(name)
            status = file.stat()
            self._modules[name] = read_module(name, file, (status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        return self._modules[name]

    @cached_property
    def _graph(self) -> Any:
        import grimp

        return grimp.build_graph(
            self._package, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
        )


def _joined(found: list[Reach]) -> Reach:
    code = {name: digest for reach in found for name, digest in reach.code.items()}
    libraries = {name: version for reach in found for name, version in reach.libraries.items()}
    return Reach(code, libraries, frozenset[Path]().union(*(reach.files for reach in found)))


def _source_file(module: str) -> Path:
    spec = util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"the code of {module} cannot be read")
    return Path(spec.origin)


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
