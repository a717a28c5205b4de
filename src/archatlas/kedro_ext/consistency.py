"""A part of a project that runs alone reads results that the current parameters would give, or none.

What is current may have been made under other parameters, by a run that was stopped or of a part alone. So the nodes
behind the inputs of a part are decided upon (:mod:`archatlas.kedro_ext.decisions`) as a run of the whole would, without
running them. Where each of them has a record of this very state, these results are used, be they the newest or not.
Where data or parameters differ, the part must not run: it would mix what does not belong together. Where only code,
libraries or the machine differ, a warning says so: who works on the code of one node wants to try it on what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kedro.io import DatasetError
from kedro.io.core import is_parameter
from kedro.pipeline import Pipeline

from archatlas.kedro_ext import versions
from archatlas.kedro_ext.decisions import data_changes, differences

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol
    from kedro.pipeline.node import Node

    from archatlas.kedro_ext.decisions import Decider, Decision
    from archatlas.kedro_ext.records import NodeRecord

_SHOWN = 3
_PIPELINES = 4
"""As many are named in a command; who needs more is told to run everything."""


@dataclass(frozen=True)
class Inputs:
    """What is to be known of the inputs of a part before it runs.

    ``records`` are those of the nodes behind them whose results stand, in the order in which they were made;
    ``replaced`` names inputs of which another version is current than the one to be read; ``warnings`` are for the
    log.
    """

    records: tuple[NodeRecord, ...] = ()
    replaced: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def consistent_inputs(
    part: Pipeline, project: Mapping[str, Pipeline], catalog: CatalogProtocol[Any, Any], decider: Decider
) -> Inputs:
    """What the part is to read, of what the nodes of ``project`` (its pipelines by name) have made.

    Inputs whose version the user has named, that no node makes, or of which nothing is recorded (they were made by
    another runner, or not at all) are passed over. Raises DatasetError if inputs are out of date.
    """
    current = decider.current
    asked = [
        name
        for name in sorted(part.inputs() - versions.named_by_user(catalog))
        if name in current and not is_parameter(name) and not versions.is_volatile(versions.dataset(catalog, name))
    ]
    behind = _Behind(project, catalog, decider)
    for name in asked:
        behind.follow(name)
    asked = [name for name in asked if name in behind.makers]
    if not asked:
        return Inputs()
    whole = Pipeline(behind.nodes)
    beside = decider.beside(whole)
    try:
        decisions = {decision.node.name: decision for decision in beside.forecast(whole)}
    except DatasetError:  # Something far behind is gone: then nothing can be said, and what is read is checked anyway.
        return Inputs()
    stands = [record for node in whole.nodes if (record := decisions[node.name].record) is not None]
    for record in stands:
        beside.settle(record.outputs)
    stale = {name: found for name in asked if (found := _changes_behind(behind.makers[name], whole, decisions, beside))}
    outdated = {name: found.data for name, found in stale.items() if found.data}
    if outdated:
        makers = {behind.makers[name].name for name in outdated}
        stale_nodes = {node.name for node in whole.to_nodes(*makers).nodes if decisions[node.name].action != "reuse"}
        again = _pipelines_of(project, stale_nodes | {node.name for node in part.nodes})
        raise DatasetError(_refusal(outdated, again))
    made = {name: artifact for record in stands for name, artifact in record.outputs.items()}
    replaced = tuple(name for name in asked if name in made and made[name].sha256 != current[name].sha256)
    warnings = (_warning({name: found.code for name, found in stale.items()}),) if stale else ()
    return Inputs(tuple(stands), replaced, warnings)


class _Behind:
    """The nodes behind some data sets, one for each; where several could have made one, that which did."""

    def __init__(self, project: Mapping[str, Pipeline], catalog: CatalogProtocol[Any, Any], decider: Decider) -> None:
        self.makers: dict[str, Node] = {}
        self._catalog = catalog
        self._decider = decider
        self._possible: dict[str, dict[str, Node]] = {}
        for node in (node for pipeline in _default_first(project) for node in pipeline.nodes):
            for name in node.outputs:
                self._possible.setdefault(name, {}).setdefault(node.name, node)

    @property
    def nodes(self) -> list[Node]:
        return list({node.name: node for node in self.makers.values()}.values())

    def follow(self, name: str) -> None:
        """Find the maker of a data set, and those of what that one read."""
        waiting = [name]
        while waiting:
            name = waiting.pop()
            node = None if name in self.makers else self._maker(name)
            if node is None or any(output in self.makers for output in node.outputs):
                continue
            self.makers.update(dict.fromkeys(node.outputs, node))
            waiting += [one for one in node.inputs if not is_parameter(one) and not self._is_passed_over(one)]

    def _maker(self, name: str) -> Node | None:
        known = {}
        for node in self._possible.get(name, {}).values():
            record = self._decider.records.newest(node.name)
            if record is not None and all(one in self._catalog for one in node.inputs):
                known[node.name] = node
                if record.outputs.get(name) == self._decider.current.get(name):
                    return node
        return next(iter(known.values()), None)

    def _is_passed_over(self, name: str) -> bool:
        dataset = versions.dataset(self._catalog, name)
        return versions.is_volatile(dataset) or versions.is_gate(dataset)


@dataclass(frozen=True)
class _Changes:
    """Why results are not those of now: by data and parameters, or by code, libraries and machine; node by node."""

    data: dict[str, str]
    code: dict[str, str]

    def __bool__(self) -> bool:
        return bool(self.data or self.code)


def _changes_behind(maker: Node, whole: Pipeline, decisions: Mapping[str, Decision], decider: Decider) -> _Changes:
    """What has changed since the maker of an input ran, for it and all nodes behind it."""
    data: dict[str, str] = {}
    code: dict[str, str] = {}
    for node in whole.to_nodes(maker.name).nodes:
        if decisions[node.name].action != "run":
            continue
        before, now, pending = decider.states(node)
        if before is None:
            continue
        by_data = list(data_changes(before, now, ignore=pending))
        by_code = [reason for reason in differences(before, now, ignore=pending) if reason not in by_data]
        if by_data:
            data[node.name] = _some(by_data, "; ")
        elif by_code:
            code[node.name] = _some(by_code, "; ")
    return _Changes(data, code)


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
