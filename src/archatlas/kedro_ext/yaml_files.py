"""What is wrong in a YAML file that a user wrote: in which line, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import yaml

Key: TypeAlias = tuple[str, ...]
"""A key and those that it lies under, outermost first."""

_MOST_BYTES, _MOST_DEPTH, _MOST_VALUES = 1_000_000, 50, 100_000
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KINDS = {yaml.SequenceNode: "a list", yaml.ScalarNode: "a single value"}
_OTHER_KEYS = {"bool": "true or false", "null": "nothing", "int": "a number", "float": "a number"}


class YamlFault(Exception):  # noqa: N818 (a fault of the file)
    """What is wrong, and the cure; ``line`` counts from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def mapping_in(content: bytes) -> yaml.MappingNode | None:
    """The mapping that a file holds, None if it holds nothing.

    Raises YamlFault if it is no YAML in UTF-8 or anything but one mapping, if a name is written twice in a section, if
    YAML reads what should be a name as something else (``no:`` is false), or if the file is larger, deeper or, once
    its aliases are followed, longer than any configuration.
    """
    if len(content) > _MOST_BYTES:
        raise YamlFault(1, f"the file has more than {_MOST_BYTES:,} bytes, and is no configuration")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlFault(line, f"byte {content[error.start]:#04x} is not UTF-8: save the file in UTF-8") from error
    try:
        _check_depth(text)
        node = yaml.compose(text, Loader=_LOADER)
        if node is None or node.tag.endswith(":null"):
            return None
        if not isinstance(node, yaml.MappingNode):
            kind = _KINDS.get(type(node), "something else")
            raise YamlFault(_line(node), f"the file holds {kind} where lines of `name: value` must stand")
        if _length(node, {}) > _MOST_VALUES:
            raise YamlFault(1, f"aliases (`*`) make more than {_MOST_VALUES:,} values of this file: write fewer")
        _check_names(node, ())
    except yaml.YAMLError as error:
        raise _syntax(error, text) from error
    except RecursionError as error:
        raise YamlFault(1, "a section holds itself (`&` and `*`), or too many lie in each other") from error
    return node


def _check_depth(text: str) -> None:
    """Raise YamlFault for too many sections in each other: libyaml's composer would end the process, not raise."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark is not None else 1
            raise YamlFault(line, f"of sections and lists too many lie in each other: more than {_MOST_DEPTH}")


def _length(node: yaml.Node, lengths: dict[int, int]) -> int:
    """Values in and below a node, those of an alias as often as it stands; ``lengths`` are known ones, by node."""
    if id(node) not in lengths:
        if isinstance(node, yaml.MappingNode):
            below = [inner for _, inner in node.value]
        else:
            below = node.value if isinstance(node, yaml.SequenceNode) else []
        lengths[id(node)] = 1 + sum(_length(inner, lengths) for inner in below)
    return lengths[id(node)]


def check_entries(node: yaml.MappingNode | None) -> None:
    """Raise YamlFault for the first entry of a catalog that is no section, but for ``_names`` and ``${...}``."""
    for name, entry in node.value if node is not None else ():
        inserted = isinstance(entry, yaml.ScalarNode) and entry.value.startswith("${")
        if not (isinstance(entry, yaml.MappingNode) or inserted or name.value.startswith("_")):
            raise YamlFault(_line(name), f"the data set `{name.value}` must be a section with a `type` and more")


def lines_of(node: yaml.Node | None, above: Key = ()) -> dict[Key, tuple[int, bool]]:
    """Of every key its line, and whether it is a section, with keys of its own."""
    found: dict[Key, tuple[int, bool]] = {}
    for name, inner in node.value if isinstance(node, yaml.MappingNode) else ():
        key = (*above, str(name.value))
        below = lines_of(inner, key)
        found |= {key: (_line(name), bool(below)), **below}
    return found


def written_twice(files: Mapping[str, Mapping[Key, tuple[int, bool]]]) -> Iterator[tuple[Key, str, str]]:
    """Keys that have a value in two files, and the two places (``"file, line 3"``).

    A section may be spread over files, as long as each of its keys stands in one.
    """
    first: dict[Key, tuple[str, int, bool]] = {}
    for file, keys in files.items():
        for key, (line, section) in keys.items():
            if key in first and not (section and first[key][2]):
                yield key, f"{first[key][0]}, line {first[key][1]}", f"{file}, line {line}"
            first.setdefault(key, (file, line, section))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _check_names(node: yaml.Node, above: Sequence[str]) -> None:
    """Raise YamlFault for the first name in or below the node that is written twice or is none."""
    if isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            _check_names(inner, above)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for name, inner in node.value:
        read_as = _OTHER_KEYS.get(name.tag.rpartition(":")[2])
        if not isinstance(name, yaml.ScalarNode):
            raise YamlFault(_line(name), "a list or a section stands where a name must")
        if read_as is not None:
            raise YamlFault(_line(name), f'YAML reads the name `{name.value}` as {read_as}: write "{name.value}"')
        if name.value in lines and name.value != "<<":
            key = ".".join([*above, name.value])
            raise YamlFault(
                _line(name), f"`{key}` stands in line {lines[name.value]} already: write both as one, or delete one"
            )
        lines[name.value] = _line(name)
        _check_names(inner, [*above, name.value])


def _syntax(error: yaml.YAMLError, text: str) -> YamlFault:
    """What the parser says, in words of who wrote the file."""
    if not isinstance(error, yaml.MarkedYAMLError):  # A control character; `position` counts characters.
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        return YamlFault(line, "a character stands here that no text file holds: delete it")
    problem, context = str(error.problem or ""), str(error.context or "")
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    began = error.context_mark.line + 1 if error.context_mark is not None else line
    written = (text.splitlines() or [""])[min(line, max(len(text.splitlines()), 1)) - 1]
    start = written[mark.column :] if mark is not None else ""
    if "\t" in written[: len(written) - len(written.lstrip())] or start.startswith("\t"):
        return YamlFault(line, "a tab stands among the spaces at the start of the line: indent with spaces alone")
    if "quoted scalar" in context:
        return YamlFault(began, "the quotation mark that opens here is not closed")
    if "flow" in context:
        return YamlFault(began, f"the bracket that opens here is not closed, or lacks a comma before line {line}")
    if "alias" in problem or "alias" in context or "anchor" in context or "cannot start any token" in problem:
        return YamlFault(line, f"text that begins with `{start[:1]}` must stand in quotes")
    if "single document" in context:
        return YamlFault(line, "a second document begins here (`---`): a file holds one")
    if "mapping values are not allowed" in problem:
        return YamlFault(
            line, "the line is indented more than the one before it, which has a value or lacks its colon: mend either"
        )
    if "block" in context:
        return YamlFault(
            line, f"the line is not indented as its section is, which begins in line {began}: use as many spaces"
        )
    return YamlFault(line, problem or "the parser of YAML gives no reason")
