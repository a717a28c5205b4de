"""The code of one module, read and not run: its statements, what they need of one another, and its registries."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from archatlas.kedro_ext.load_time import LoadTime, imported_by_name, looks_beside

_FILE = re.compile(r"""["']([\w-]+(?:/[\w-]+)*(?:\.[\w-]+)+)["']""")

Registries = dict[str, dict[str, list[str]]]
"""Of each registry the modules of each entry."""


@dataclass
class ModuleCode:
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

    def registries_of(self, package: str, part: list[ast.stmt] | None) -> Registries:
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

    def imported_by_name(self, part: list[ast.stmt]) -> tuple[set[str], bool]:
        """Modules that calls in the statements import by name; and whether one puts its name together."""
        if "import_module" not in self._text and "__import__" not in self._text:
            return set(), False
        return imported_by_name(part, self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0])

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
def read_module(name: str, file: Path, stamp: tuple[int, ...]) -> ModuleCode:
    """The module; parsed once as long as its file stands as ``stamp`` says."""
    return ModuleCode(name, file)


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
