"""Whether a node has to run again, and why.

A node runs again if and only if something that it depends on changed (its code and the code that this reaches, the
parameters that it reads, the content of its inputs, the versions of the libraries that the code imports, what it
declares with :func:`archatlas.kedro_ext.dependencies.depends_on`), or an output is missing or damaged.
"""

from __future__ import annotations

import copy
import logging
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from kedro.io import DatasetError
from kedro.io.core import VersionNotFoundError, is_parameter
from kedro.validation.parameter_validator import ParameterValidator

from archatlas.kedro_ext import versions
from archatlas.kedro_ext.dependencies import dependencies_of, files_read, is_tried_ahead, states_of
from archatlas.kedro_ext.digests import FileDigests
from archatlas.kedro_ext.internals import written_inputs
from archatlas.kedro_ext.records import Artifact, CurrentResults, NodeRecord, RecordStore, fingerprint
from archatlas.kedro_ext.source_code import Reach, SourceCode, unknown_to

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

NEVER_RAN = "it never ran here"
"""The reason of a node of which there is no record."""

_PARAMETER = "params:"
_SHOWN = 3


@dataclass(frozen=True)
class Decision:
    """``run``, ``reuse`` (what ``record`` names), or ``wait``: known once nodes before it have run."""

    node: Node
    action: Literal["run", "reuse", "wait"]
    reasons: tuple[str, ...]
    key: str = ""
    parts: Mapping[str, Any] | None = None
    record: NodeRecord | None = None


class Decider:
    """Decides for the nodes of one pipeline, in their order; it is told what each node left."""

    def __init__(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any], folder: Path) -> None:
        self.records = RecordStore(folder)
        self.digests = FileDigests(folder / "digests.json")
        self.current = CurrentResults(folder).load()
        self._catalog = catalog
        self._makers = {name: node for node in pipeline.nodes for name in node.outputs}
        self._chosen = versions.named_by_user(catalog)
        self._settled: dict[str, Artifact] = {}
        self._typed: dict[str, Any] = {}
        self._source: dict[str, SourceCode] = {}
        self._reaches: dict[Any, Reach] = {}

    def beside(self, pipeline: Pipeline) -> Decider:
        """A decider for the nodes of another pipeline, which shares what this one knows of code and files."""
        other = copy.copy(self)
        other._typed = self._typed_parameters(pipeline)
        other._makers = {name: node for node in pipeline.nodes for name in node.outputs}
        other._settled = {}
        return other

    def forecast(self, pipeline: Pipeline, *, trying: bool = False) -> list[Decision]:
        """What will run, before anything does. What a running node leaves is not known, so nodes after it wait.

        With ``trying``, what functions give that were declared for it (``tried_ahead``) is found out by calling them.
        """
        decisions: list[Decision] = []
        settled = dict(self._settled)
        tried: dict[str, Any] = {}
        for node in pipeline.nodes:
            decision = self.decide(node)
            decisions.append(decision)
            if decision.action == "reuse" and decision.record is not None:
                self._settled.update(decision.record.outputs)
            elif trying and decision.parts is not None and is_tried_ahead(node.func):
                try:
                    self._settled.update(self._tried(node, tried))
                except Exception as error:  # The run is to stop at it, not what is said before.
                    told = str(error).partition("\n")[0]
                    decisions[-1] = replace(decision, reasons=(*decision.reasons, f"it stops the run: {told}"))
        self._settled = settled
        return decisions

    def _tried(self, node: Node, tried: dict[str, Any]) -> dict[str, Artifact]:
        """What the node would leave; ``tried`` holds what nodes before would, and gets what this one would."""
        given = {name: tried[name] if name in tried else self._loaded(name) for name in node.inputs}
        with _no_log():
            outputs = node.run(given)
        found = {name: versions.content_of(self._dataset(name), value) for name, value in outputs.items()}
        tried |= outputs
        return {name: Artifact("", None, one.size, one.sha256) for name, one in found.items() if one is not None}

    def _loaded(self, name: str) -> Any:
        dataset = self._dataset(name)
        if not is_parameter(name) and (artifact := self._settled.get(name) or self.current.get(name)) is not None:
            versions.pin(dataset, artifact.version)
        return dataset.load()

    def _dataset(self, name: str) -> Any:
        return versions.dataset(self._catalog, name)

    def decide(self, node: Node) -> Decision:
        """Run or reuse; wait if an input is made by a node that is not settled."""
        parts = self._parts(node)
        pending = [name for name in self._inputs(node) if self._is_pending(name)]
        newest = self.records.newest(node.name)
        if pending:
            known = tuple(differences(newest.parts, parts, ignore=pending)) if newest else (NEVER_RAN,)
            makers = ", ".join(dict.fromkeys(self._makers[name].name for name in pending))
            return Decision(node, "run", known) if known else Decision(node, "wait", (f"it depends on {makers}",))
        key = fingerprint(parts)
        record = self.records.find(node.name, key) or self._with_fewer_entries(node.name, parts)
        if record is not None and record.key != key:
            key, parts = record.key, record.parts
        if record is None:
            reasons = tuple(differences(newest.parts, parts)) if newest else (NEVER_RAN,)
            return Decision(node, "run", reasons or ("it has no record of this state",), key, parts)
        elsewhere = (name for name in node.outputs if versions.lies_elsewhere(self._dataset(name)))
        broken = (*(f"its output {name} is not on this machine" for name in elsewhere), *self._broken(record))
        if not node.outputs:
            broken = ("it has no outputs",)
        if broken:
            return Decision(node, "run", broken, key, parts)
        return Decision(node, "reuse", (f"nothing changed since {record.session}",), key, parts, record)

    def _with_fewer_entries(self, node: str, parts: Mapping[str, Any]) -> NodeRecord | None:
        """A record of this state but for entries of registries, which are new since then: the node cannot use them."""
        for record in self.records.of(node):
            new = unknown_to(record.parts.get("code", {}), parts["code"])
            code = {name: digest for name, digest in parts["code"].items() if name not in new}
            if new and fingerprint({**parts, "code": code}) == record.key:
                return record
        return None

    def states(self, node: Node) -> tuple[dict[str, Any] | None, dict[str, Any], list[str]]:
        """What the node depended on when it last ran (None: never), on what now, and which inputs are not known yet."""
        newest = self.records.newest(node.name)
        pending = [name for name in self._inputs(node) if self._is_pending(name)]
        return newest.parts if newest else None, self._parts(node), pending

    def settle(self, outputs: Mapping[str, Artifact]) -> None:
        """These outputs stand from now on."""
        self._settled.update(outputs)

    def artifact(self, name: str, *, afresh: bool = False) -> Artifact | None:
        """An input as it lies there now (None: it has no files); raises DatasetError if it is missing or damaged."""
        dataset = versions.dataset(self._catalog, name)
        expected = None if name in self._chosen else self._settled.get(name) or self.current.get(name)
        try:
            version = expected.version if expected else versions.load_version(dataset)
            found = versions.artifact_of(dataset, version, self.digests, afresh=afresh)
        except (FileNotFoundError, VersionNotFoundError):
            place = expected.path if expected else versions.path_of(dataset, None)
            raise DatasetError(
                f"`{name}` is missing ({place}), and no node of this run makes it. Run the pipeline that does, or "
                "`kedro run` for everything."
            ) from None
        if found and expected and found.sha256 != expected.sha256:
            raise DatasetError(
                f"`{name}` is damaged: {found.path} is not what was saved there (it was cut short, changed or edited). "
                "Run the pipeline that makes it, or `kedro run` for everything: what is damaged is made again."
            )
        return found

    def reach(self, node: Node) -> Reach:
        """The code that the node's function reaches, as it was when first asked for."""
        function = node.func
        if function not in self._reaches:
            package = getattr(function, "func", function).__module__.split(".")[0]
            source = self._source.setdefault(package, SourceCode(package))
            self._reaches[function] = source.reached_by(function)
        return self._reaches[function]

    def _parts(self, node: Node) -> dict[str, Any]:
        reach = self.reach(node)
        parameters = {
            name: plain(self._typed.get(name, versions.dataset(self._catalog, name).load()))
            for name in node.inputs
            if is_parameter(name)
        }
        declared = dependencies_of(node.func)
        return {
            "node": [node.name, plain(written_inputs(node)), list(node.outputs)],
            "code": reach.code,
            "libraries": {**reach.libraries, "python": platform.python_version().rpartition(".")[0]},
            "parameters": parameters,
            "inputs": {name: self._input_digest(name) for name in self._inputs(node)},
            "datasets": {
                name: plain(versions.entry_of(versions.dataset(self._catalog, name)))
                for name in dict.fromkeys([*node.inputs, *node.outputs])
                if not is_parameter(name)
            },
            "files": {name: self._file_digest(path) for name, path in files_read(declared, parameters)},
            "states": states_of(declared, parameters),
        }

    def _typed_parameters(self, pipeline: Pipeline) -> dict[str, Any]:
        """Parameters as Kedro would give them to these nodes: as the models that their functions ask for.

        It makes models of what the nodes of a run ask for, and leaves other parameters as they are written.
        """
        names = sorted(name for name in pipeline.inputs() if name.startswith(_PARAMETER))
        written = {name.removeprefix(_PARAMETER): versions.dataset(self._catalog, name).load() for name in names}
        plainly = {name: value for name, value in written.items() if isinstance(value, dict)}
        validator = ParameterValidator({"__default__": pipeline})
        return {f"{_PARAMETER}{name}": value for name, value in validator.validate_raw_params(plainly).items()}

    def _inputs(self, node: Node) -> list[str]:
        """Inputs whose content counts."""
        return [
            name
            for name in dict.fromkeys(node.inputs)
            if not is_parameter(name) and not versions.is_volatile(versions.dataset(self._catalog, name))
        ]

    def _is_pending(self, name: str) -> bool:
        if name not in self._makers or name in self._settled or name in self._chosen:
            return False
        return not versions.lies_elsewhere(self._dataset(name))

    def _input_digest(self, name: str) -> str:
        if self._is_pending(name):
            return "not known yet"
        if (settled := self._settled.get(name)) and not settled.path:
            return settled.sha256  # In memory: it is known by what made it.
        artifact = self.artifact(name)
        # Without files there is nothing to compare, and a node that reads it runs every time.
        return artifact.sha256 if artifact else f"unknown {uuid4().hex}"

    def _file_digest(self, path: Path) -> str:
        return self.digests.of(path).sha256 if path.exists() else "missing"

    def _broken(self, record: NodeRecord) -> Iterator[str]:
        for name, artifact in record.outputs.items():
            if not artifact.path:
                continue
            try:
                found = versions.artifact_of(versions.dataset(self._catalog, name), artifact.version, self.digests)
            except FileNotFoundError:
                yield f"its output {name} is missing ({artifact.path})"
                continue
            if found is None or found.sha256 != artifact.sha256:
                yield f"its output {name} is damaged ({artifact.path} is not what was saved)"


@contextmanager
def _no_log() -> Iterator[None]:
    """What is only tried says nothing."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


def differences(before: Mapping[str, Any], now: Mapping[str, Any], ignore: Sequence[str] = ()) -> Iterator[str]:
    """What changed between two states of a node, in words; inputs in ``ignore`` aside."""
    yield from _code_changes(before.get("code", {}), now["code"])
    for name, old, new in _changes(before.get("libraries", {}), now["libraries"]):
        yield f"library {name}: {old} -> {new}"
    for key, old, new in _changes(_flat(before.get("parameters", {})), _flat(now["parameters"])):
        yield f"parameter {key.removeprefix('params:')}: {_short(old)} -> {_short(new)}"
    for name, old, _ in _changes(before.get("inputs", {}), now["inputs"]):
        if name not in ignore:
            yield f"its input {name} has other content" if old is not None else f"it has a new input, {name}"
    entries = _flat(before.get("datasets", {})), _flat(now["datasets"])
    for name, old, new in _changes(*entries) if "datasets" in before else ():
        yield f"catalog entry {name}: {_short(old)} -> {_short(new)}"
    for name, *_ in _changes(before.get("files", {}), now["files"]):
        yield f"{name} changed"
    if before.get("states") != now["states"]:
        yield f"the machine or its device is another: {_short(before.get('states'))} -> {_short(now['states'])}"
    if before.get("node") != now["node"]:
        yield "its inputs or outputs were renamed"


def data_changes(before: Mapping[str, Any], now: Mapping[str, Any], ignore: Sequence[str] = ()) -> Iterator[str]:
    """Those of :func:`differences` that the code, the libraries and the machine have no part in.

    What only other code asks for (a new parameter, input or file of a node whose code has changed as well) is no change
    of data.
    """
    alike = {**now, **{key: before.get(key) for key in ("code", "libraries", "states", "node")}}
    alike["code"], alike["libraries"] = alike["code"] or {}, alike["libraries"] or {}
    ignored = list(ignore)
    if any(_code_changes(before.get("code", {}), now["code"])):
        old, new = _flat(before.get("parameters", {})).items(), _flat(now["parameters"]).items()
        if _contains(old, new) or _contains(new, old):
            alike["parameters"] = before.get("parameters", {})
        ignored += [name for name in now["inputs"] if name not in before.get("inputs", {})]
        known = before.get("files", {})
        alike["files"] = {name: digest for name, digest in now["files"].items() if name in known}
    yield from differences(before, alike, ignored)


def _contains(some: Iterable[Any], others: Iterable[Any]) -> bool:
    remaining = list(others)
    return all(one in remaining for one in some)


def _code_changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    new = unknown_to(before, now)
    changed = [name for name, *_ in _changes(before, now) if name not in new]
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        yield f"code of {', '.join(changed[:_SHOWN])}{more} changed"


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            yield key, before.get(key), now.get(key)


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value:
        return {prefix.rstrip("."): value} if prefix else {}
    return {key: leaf for name, inner in value.items() for key, leaf in _flat(inner, f"{prefix}{name}.").items()}


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def plain(value: Any) -> Any:
    """A parameter as JSON holds it: models and data classes as their fields."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
