"""A part of a project that runs alone reads results that the current parameters would give, or none.

What is current may have been made under other parameters, by a run that was stopped or of a part alone. So the nodes
behind the inputs of a part are decided upon (:mod:`archatlas.kedro_ext.decisions`) as a run of the whole would, without
running them. Where each of them has a record of this very state, these results are used, be they the newest or not.
Where data or parameters differ, the part must not run: it would mix what does not belong together. Where only code,
libraries or the machine differ, a warning says so: who works on the code of one node wants to try it on what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kedro.io import DatasetError
from kedro.io.core import is_parameter
from kedro.pipeline import Pipeline

from archatlas.kedro_ext import versions
from archatlas.kedro_ext.decisions import data_changes, differences
from archatlas.kedro_ext.optional_inputs import only_optional, optional_inputs, without

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol
    from kedro.pipeline.node import Node

    from archatlas.kedro_ext.decisions import Decider, Decision
    from archatlas.kedro_ext.records import Artifact, NodeRecord

_SHOWN = 3
_PIPELINES = 4
"""As many are named in a command; who needs more is told to run everything."""


@dataclass(frozen=True)
class Inputs:
    """What is to be known of the inputs of a part before it runs.

    ``records`` are those of the nodes behind them whose results stand, and ``outputs`` these results, by data set,
    which become the current ones; ``replaced`` names inputs of which another version was current; ``left_out`` those
    that the part does without and that are out of date, with what to say of it; ``warnings`` are for the log.
    """

    records: tuple[NodeRecord, ...] = ()
    outputs: Mapping[str, Artifact] = field(default_factory=dict)
    replaced: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def consistent_inputs(
    part: Pipeline, project: Mapping[str, Pipeline], catalog: CatalogProtocol[Any, Any], decider: Decider
) -> Inputs:
    """What the part is to read, of what the nodes of ``project`` (its pipelines by name) have made.

    Inputs whose version the user has named, that no node makes, or of which nothing is recorded (they were made by
    another runner, or not at all) are passed over. Raises DatasetError if inputs are out of date that the part needs.
    """
    current = decider.current
    asked = [
        name
        for name in sorted(part.inputs() - versions.named_by_user(catalog))
        if name in current and not is_parameter(name) and not versions.is_volatile(versions.dataset(catalog, name))
    ]
    groups = [(_decided(makers, decider), names) for makers, names in _Makers(project, catalog, decider).of(asked)]
    stale: dict[str, _Changes] = {}
    again: set[str] = set()
    makers: dict[str, set[str]] = {}
    own: dict[str, Artifact] = {}
    for group, names in groups:
        for name in (name for name in names if name in group.makers):
            if found := group.changes_behind(name):
                stale[name] = found
                makers[name] = group.to_run(name)
                again |= makers[name]
            elif name in group.outputs:
                own[name] = group.outputs[name]
    outdated = {name: found.data for name, found in stale.items() if found.data}
    left_out = {name: outdated.pop(name) for name in only_optional(part) & set(outdated)}
    stale = {name: found for name, found in stale.items() if name not in left_out}
    if outdated:
        raise DatasetError(_refusal(outdated, _pipelines_of(project, again | {node.name for node in part.nodes})))
    records = {(one.node, one.key): one for group, _ in groups for one in group.records}
    return Inputs(
        tuple(records.values()),
        {**_undisputed(group for group, _ in groups), **own},
        tuple(name for name, artifact in own.items() if artifact.sha256 != current[name].sha256),
        {name: _left_out(name, why, _pipelines_of(project, makers[name])) for name, why in left_out.items()},
        (_warning({name: found.code for name, found in stale.items()}),) if stale else (),
    )


def _undisputed(groups: Iterable[_Group]) -> dict[str, Artifact]:
    """Results on disk of which no two groups have another."""
    found: dict[str, list[Artifact]] = {}
    for group in groups:
        for name, artifact in group.outputs.items():
            if artifact.path and artifact not in found.setdefault(name, []):
                found[name].append(artifact)
    return {name: artifacts[0] for name, artifacts in found.items() if len(artifacts) == 1}


class _Makers:
    """Which node made a data set; where several could have, that whose results are read."""

    def __init__(self, project: Mapping[str, Pipeline], catalog: CatalogProtocol[Any, Any], decider: Decider) -> None:
        self._catalog = catalog
        self._decider = decider
        self._possible: dict[str, dict[str, Node]] = {}
        self._ran: dict[str, Node] = {}
        for node in (node for pipeline in _default_first(project) for node in pipeline.nodes):
            for name in node.outputs:
                self._possible.setdefault(name, {}).setdefault(node.name, node)

    def of(self, asked: Iterable[str]) -> list[tuple[dict[str, Node], list[str]]]:
        """The nodes behind the data sets, by what they make, each with the data sets that it is for.

        In one group, or in more where some result that was read has two makers.
        """
        groups: list[tuple[dict[str, Node], list[str]]] = []
        for name in asked:
            own = self._behind(name)
            for makers, names in groups:
                if all(makers.get(output, node) is node for output, node in own.items()):
                    makers |= own
                    names.append(name)
                    break
            else:
                groups.append((own, [name]))
        return groups

    def _behind(self, name: str) -> dict[str, Node]:
        makers: dict[str, Node] = {}
        current = self._decider.current.get(name)
        waiting = [(name, current.sha256 if current else None)]
        while waiting:
            name, content = waiting.pop()
            node = None if name in makers else self._maker(name, content)
            if node is None or any(output in makers for output in node.outputs):
                continue
            record = self._decider.records.newest(node.name)
            read = record.parts.get("inputs", {}) if record is not None else {}
            node = self._as_it_ran(node, read)
            makers |= dict.fromkeys(node.outputs, node)
            waiting += [(one, read.get(one)) for one in node.inputs if not self._is_passed_over(one)]
        return makers

    def _as_it_ran(self, node: Node, read: Mapping[str, str]) -> Node:
        """What was not there when the node ran is no reason to say that it should run again."""
        return self._ran.setdefault(node.name, without(node, optional_inputs(node) - set(read)))

    def _maker(self, name: str, content: str | None) -> Node | None:
        """The node whose newest result is this content; else the first that has any record."""
        known = []
        for node in self._possible.get(name, {}).values():
            record = self._decider.records.newest(node.name)
            if record is not None and all(one in self._catalog for one in node.inputs):
                if name in record.outputs and record.outputs[name].sha256 == content:
                    return node
                known.append(node)
        return next(iter(known), None)

    def _is_passed_over(self, name: str) -> bool:
        if is_parameter(name):
            return True
        dataset = versions.dataset(self._catalog, name)
        return versions.is_volatile(dataset) or versions.is_gate(dataset)


@dataclass(frozen=True)
class _Group:
    """Nodes behind some inputs, with what a run of all of them would do."""

    makers: Mapping[str, Node]
    whole: Pipeline
    decisions: Mapping[str, Decision]
    decider: Decider

    @property
    def records(self) -> list[NodeRecord]:
        decided = (self.decisions[node.name].record for node in self.whole.nodes)
        return [record for record in decided if record is not None]

    @property
    def outputs(self) -> dict[str, Artifact]:
        return {name: artifact for record in self.records for name, artifact in record.outputs.items()}

    def to_run(self, name: str) -> set[str]:
        """Names of the nodes that would run before the data set is what it would be."""
        nodes = self.whole.to_nodes(self.makers[name].name).nodes
        return {node.name for node in nodes if self.decisions[node.name].action != "reuse"}

    def changes_behind(self, name: str) -> _Changes:
        """What has changed since the data set was made, for its maker and all nodes behind it."""
        found = _Changes({}, {})
        for node in self.whole.to_nodes(self.makers[name].name).nodes:
            if self.decisions[node.name].action != "run":
                continue
            before, now, pending = self.decider.states(node)
            if before is None:
                continue
            by_data = list(data_changes(before, now, ignore=pending))
            by_code = [reason for reason in differences(before, now, ignore=pending) if reason not in by_data]
            if by_data:
                found.data[node.name] = _some(by_data, "; ")
            elif by_code:
                found.code[node.name] = _some(by_code, "; ")
        return found


def _decided(makers: Mapping[str, Node], decider: Decider) -> _Group:
    """The group of these nodes; an empty one if something far behind is gone: what is read is checked anyway."""
    whole = Pipeline(list({node.name: node for node in makers.values()}.values()))
    beside = decider.beside(whole)
    try:
        decisions = {decision.node.name: decision for decision in beside.forecast(whole)}
    except DatasetError:
        return _Group({}, Pipeline([]), {}, beside)
    group = _Group(makers, whole, decisions, beside)
    beside.settle(group.outputs)
    return group


@dataclass(frozen=True)
class _Changes:
    """Why results are not those of now: by data and parameters, or by code, libraries and machine; node by node."""

    data: dict[str, str]
    code: dict[str, str]

    def __bool__(self) -> bool:
        return bool(self.data or self.code)


def _left_out(name: str, why: Mapping[str, str], again: Sequence[str]) -> str:
    more = f"; `kedro run --pipelines {','.join(again)}` makes it anew" if again else ""
    return f"`{name}` is left out, since it is out of date ({_reasons([why])}){more}"


def _refusal(outdated: Mapping[str, Mapping[str, str]], again: Sequence[str]) -> str:
    verb = "is" if len(outdated) == 1 else "are"
    some = f"`kedro run --pipelines {','.join(again)}` (or everything by `kedro run`)" if again else "`kedro run`"
    return (
        f"{_named(outdated)} {verb} out of date ({_reasons(outdated.values())}). What belongs to other data or "
        f"parameters is not mixed: run {some} with the same --env and --params, or go back to the parameters of before."
    )


def _pipelines_of(project: Mapping[str, Pipeline], nodes: Set[str]) -> list[str]:
    """Pipelines that hold these nodes, for each the smallest; none where they are many, or some node is in none."""
    held = {name: {node.name for node in pipeline.nodes} for name, pipeline in project.items() if name != "__default__"}
    smallest = [
        min((name for name in held if node in held[name]), key=lambda name: len(held[name]), default="")
        for node in nodes
    ]
    names = [name for name in held if name in smallest]
    return names if len(names) <= _PIPELINES and "" not in smallest else []


def _warning(outdated: Mapping[str, Mapping[str, str]]) -> str:
    verb = "was" if len(outdated) == 1 else "were"
    return (
        f"{_named(outdated)} {verb} made before a change ({_reasons(outdated.values())}) and used as before; "
        "`kedro run` makes anew what depends on it"
    )


def _named(names: Iterable[str]) -> str:
    return _some([f"`{name}`" for name in names], ", ")


def _reasons(found: Iterable[Mapping[str, str]]) -> str:
    by_node = {name: reason for one in found for name, reason in one.items()}
    return _some([f"{name}: {reason}" for name, reason in by_node.items()], "; ")


def _some(parts: list[str], between: str) -> str:
    """The first few, and how many more there are."""
    if len(parts) <= _SHOWN + 1:
        return between.join(parts)
    return between.join([*parts[:_SHOWN], f"and {len(parts) - _SHOWN} more"])


def _default_first(project: Mapping[str, Pipeline]) -> Iterator[Pipeline]:
    for name in sorted(project, key=lambda name: name != "__default__"):
        yield project[name]
