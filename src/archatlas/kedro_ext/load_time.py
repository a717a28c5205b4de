"""What the top-level statements of a module do when it is loaded, besides binding names."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping

Bindings = Mapping[str, list[ast.stmt]]
"""The top-level statements that bind each name."""

MARKS = frozenset({"depends_on", "tried_ahead"})
"""Decorators that change nothing but the function that they are given."""
_DYNAMIC = frozenset({"globals", "locals", "vars", "exec", "eval"})
"""Who uses these may read and write any name."""
_NAMESPACES = frozenset({"__globals__", "f_globals"})
"""Attributes that hold all names of a module."""


def is_dynamic(statements: Iterable[ast.stmt]) -> bool:
    """Whether names are read or written by way of ``globals()``, ``exec`` and the like: anything may need anything."""
    return any(_is_dynamic(node) for statement in statements for node in ast.walk(statement))


def _is_dynamic(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        in_sys = isinstance(node.value, ast.Name) and node.value.id == "sys"
        return node.attr in _NAMESPACES or (node.attr == "modules" and in_sys)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _DYNAMIC


def looks_beside(statements: Iterable[ast.stmt]) -> bool:
    """Whether a place is made of the module's own (``Path(__file__).parent``), at which any file may be looked for.

    By which names, and by whom, cannot be told: they may be listed, be put together, or be asked for elsewhere.
    """
    nodes = [node for statement in statements for node in ast.walk(statement)]
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return "__file__" in names or ("resources" in names and "files" in attributes)


def imported_by_name(statements: Iterable[ast.stmt], package: str) -> tuple[set[str], bool]:
    """Modules that calls of ``import_module`` and ``__import__`` name; and whether one puts its name together.

    ``package`` is what relative names are relative to.
    """
    found: set[str] = set()
    composed = False
    for call in (node for statement in statements for node in ast.walk(statement) if isinstance(node, ast.Call)):
        called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if called not in ("import_module", "__import__"):
            continue
        name = call.args[0] if call.args else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            found.add(_absolute(name.value, package))
        else:
            composed = True
    return found, composed


def _absolute(name: str, package: str) -> str:
    dots = len(name) - len(name.lstrip("."))
    if not dots:
        return name
    above = package.split(".")[: len(package.split(".")) - (dots - 1)]
    return ".".join([*above, name.lstrip(".")])


class LoadTime:
    """Which statements act on what others need while the module is loaded.

    A registry is filled by decorators, by loops, by assignments that call something, by ``__init_subclass__``, by the
    body of a class; and who reads it names none of these. A statement that may have done so is needed by all that need
    what it may have changed: names of the module that it uses, itself or through what it calls, those of classes and
    functions too, which can hold a registry as an attribute or as what Python keeps of them (sub-classes,
    ``singledispatch``). Where it acts through another module of the package, nobody can tell here what it changes, and
    all need it.

    Args:
        statements: of the module.
        bindings: who binds which name.
        package: whose modules are followed.
    """

    def __init__(self, statements: list[ast.stmt], bindings: Bindings, package: str) -> None:
        self._bindings = bindings
        self._foreign = _imported_from(statements, package)
        self._libraries = _imported_from_libraries(statements, package)
        self._used = {
            node.id
            for statement in statements
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        acts = [(statement, self._touched(statement)) for statement in statements]
        self._acting = [(statement, touched) for statement, touched in acts if touched is not None]

    def needed(self, names: Collection[str]) -> Iterator[ast.stmt]:
        """The statements that act on some of the names, or on nobody knows what."""
        for statement, touched in self._acting:
            if not touched or touched & set(names):
                yield statement

    def _touched(self, statement: ast.stmt) -> set[str] | None:
        """Names that a statement may change, none if nobody can tell which; None if it acts on nothing."""
        used = set(_at_load(statement))
        if isinstance(statement, ast.Import | ast.ImportFrom):
            # An import whose name nobody uses is there for what it does.
            names = {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
            of_future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
            return None if of_future or names & self._used else set()
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if self._reached(_given_to(statement)) & self._libraries:
                return set()  # The library may keep it, and hand it to whoever asks by another name.
            if not used:
                return None
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            if not any(isinstance(node, ast.Call) for node in ast.walk(statement)):
                return None
            if not _bound(statement) & self._used:  # So it is for what the call does.
                return set()
        reached = self._reached(used)
        if reached & self._foreign and not isinstance(statement, ast.If):
            return set()
        made_here = {name for name in reached if any(not _imports(one) for one in self._bindings.get(name, ()))}
        return made_here - _bound(statement) or None

    def _reached(self, names: Iterable[str]) -> set[str]:
        """The names, and all that what they are bound to uses in turn."""
        waiting, seen = list(names), set[str]()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += [used for one in self._bindings.get(name, ()) for used in _names_in(one)]
        return seen


def _at_load(statement: ast.stmt) -> Iterator[str]:
    """Names that are used while the statement is executed: of a function its decorators and defaults, not its body.

    Of the body of a class only what may act counts: what assigns plain values names what it reads for nobody.
    """
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        decorators = [one for one in statement.decorator_list if _root(one) not in MARKS]
        for node in [*decorators, *statement.args.defaults, *filter(None, statement.args.kw_defaults)]:
            yield from _names_in(node)
    elif isinstance(statement, ast.ClassDef):
        for node in [*statement.decorator_list, *statement.bases, *(keyword.value for keyword in statement.keywords)]:
            yield from _names_in(node)
        for inner in statement.body:
            plainly = isinstance(inner, ast.Assign | ast.AnnAssign | ast.Pass)
            if not plainly or any(isinstance(node, ast.Call | ast.Subscript) for node in _values_in(inner)):
                yield from _at_load(inner)
    else:
        yield from _names_in(statement)


def _given_to(statement: ast.stmt) -> Iterator[str]:
    """Names that are handed a function or a class as it is made: its decorators, bases and metaclass, and those inside.

    Of a function's body nothing is made yet.
    """
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for decorator in statement.decorator_list:
            if _root(decorator) not in MARKS:
                yield from _names_in(decorator)
    if isinstance(statement, ast.ClassDef):
        for node in [*statement.bases, *(keyword.value for keyword in statement.keywords)]:
            yield from _names_in(node)
        for inner in statement.body:
            yield from _given_to(inner)


def _values_in(statement: ast.stmt) -> Iterator[ast.AST]:
    """All that an assignment evaluates, its annotation aside."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for tree in [*targets, *filter(None, [statement.value])]:
            yield from ast.walk(tree)


def _root(decorator: ast.expr) -> str:
    while isinstance(decorator, ast.Call | ast.Attribute):
        decorator = decorator.func if isinstance(decorator, ast.Call) else decorator.value
    return decorator.id if isinstance(decorator, ast.Name) else ""


def _names_in(tree: ast.AST) -> Iterator[str]:
    return (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _bound(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _imports(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _imported_from(statements: Iterable[ast.stmt], package: str) -> set[str]:
    """Names that top-level statements import from modules of the package, those that are marks aside."""
    return {name for name, top in _imported(statements, package) if top == package} - MARKS


def _imported_from_libraries(statements: Iterable[ast.stmt], package: str) -> set[str]:
    """The same of those from elsewhere, Python's own modules aside, which keep nothing that decorates."""
    return {name for name, top in _imported(statements, package) if top not in {package, *sys.stdlib_module_names}}


def _imported(statements: Iterable[ast.stmt], package: str) -> Iterator[tuple[str, str]]:
    """Names that top-level statements import, each with the package that it comes from."""
    for statement in statements:
        if isinstance(statement, ast.ImportFrom):
            top = package if statement.level > 0 else (statement.module or "").split(".")[0]
            yield from (((alias.asname or alias.name), top) for alias in statement.names)
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                top = alias.name.split(".")[0]
                yield alias.asname or top, top
