"""Operators that older opsets of ONNX write out, put together again: LayerNorm, GroupNorm and GELU by tanh.

Only what an exporter writes for the operator itself is taken for it: all steps, their constants, and nothing else that
reads what lies between. From the opset on that has the operator, steps stand for what they are, since who writes them
there means them. (SiLU, hard-swish and GELU by erf are products of a tensor and a function of it, which
``graph_builder.py`` knows from any source.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isclose, pi, sqrt
from typing import Any

Shapes = Mapping[str, Sequence[int]]

_SINCE = {"LayerNormalization": 17, "Gelu": 20, "GroupNormalization": 21}
"""The opset from which exporters write the operator as one. (GroupNormalization of 18 has weights for groups.)"""
_COMMON = ("Cast", "Identity")
"""What may stand before a constant, and between steps: of half precision, some are done in full."""
_RELATIVE = 1e-3
"""By which constants may differ from theirs: some are written in half precision."""


def composed(
    nodes: Iterable[Any], image: str, outputs: Iterable[str], opset: int, shapes: Shapes, values: Any
) -> list[Any]:
    """The nodes with such operators in the place of the last of their steps.

    Args:
        nodes: in the order in which they run.
        image: name of the input.
        outputs: names that the graph gives out.
        opset: of the file.
        shapes: of values by name.
        values: numbers of small constants by name; names that are not there are computed, or large.
    """
    steps = _Steps(list(nodes), image, outputs, shapes, values)
    for node in steps.nodes:
        for kind, (last, match) in _MATCHES.items():
            if opset < _SINCE[kind] and node.op_type == last:
                match(steps, node)
    return steps.left()


class _Steps:
    """Nodes by what they make and who reads it; casts read nothing, and hand on what is read behind them."""

    def __init__(self, nodes: list[Any], image: str, outputs: Iterable[str], shapes: Shapes, values: Any) -> None:
        self.nodes, self.shapes, self._image, self._values = nodes, shapes, image, values
        self._maker = {output: node for node in nodes for output in node.output}
        self._readers: dict[str, list[Any]] = defaultdict(list)
        self._plain: dict[str, str] = {}
        for node in nodes:
            if node.op_type in _COMMON:
                self._plain[node.output[0]] = self.plain(node.input[0])
                continue
            for value in node.input:
                self._readers[self.plain(value)].append(node)
        self._given_out = {self.plain(value) for value in outputs}
        self._replaced: dict[str, Any] = {}
        self._gone: set[str] = set()

    def left(self) -> list[Any]:
        """The nodes as they are now, by what each makes first."""
        return [
            self._replaced.get(node.output[0], node)
            for node in self.nodes
            if not node.output or node.output[0] not in self._gone
        ]

    def replace(self, kind: str, reads: Sequence[str], steps: Sequence[Any]) -> bool:
        """One node for all steps, of which the last stays as its place, if nothing else reads what lies between."""
        from onnx import helper

        last, inner = steps[-1], steps[:-1]
        inside = {id(step) for step in steps}
        for step in inner:
            if any(
                output in self._given_out or any(id(reader) not in inside for reader in self._readers[output])
                for output in step.output
            ):
                return False
        self._gone.update(step.output[0] for step in inner)
        self._replaced[last.output[0]] = helper.make_node(kind, list(reads), list(last.output))
        return True

    def made_by(self, value: str, *kinds: str) -> Any | None:
        """The node that makes the value, if it is of these kinds."""
        node = self._maker.get(self.plain(value))
        return node if node is not None and node.op_type in kinds else None

    def plain(self, value: str) -> str:
        """The value before casts."""
        return self._plain.get(value, value)

    def read_by(self, value: str, kind: str) -> Any | None:
        """The only node that reads the value, if it is of this kind and the value is not given out."""
        readers = self._readers[value]
        only = len(readers) == 1 and value not in self._given_out
        return readers[0] if only and readers[0].op_type == kind else None

    def number(self, value: str) -> float | None:
        """A constant of one number."""
        numbers = self._values.get(self.plain(value))
        return float(numbers.reshape(-1)[0]) if numbers is not None and numbers.size == 1 else None

    def with_number(self, node: Any, expected: float | None = None) -> str | None:
        """What a node combines with a constant of one number, if this is (about) as expected."""
        for value, other in (node.input, node.input[::-1]):
            found = self.number(other)
            if found is not None and (expected is None or isclose(found, expected, rel_tol=_RELATIVE)):
                return self.plain(value)
        return None

    def is_all(self, value: str, number: float) -> bool:
        """Whether a constant holds this number everywhere."""
        numbers = self._values.get(value)
        return numbers is not None and bool((numbers == number).all())

    def constant(self, node: Any, value: str, shape: Sequence[int]) -> str | None:
        """The other operand of a node that reads the value, if it is a constant of this shape."""
        other = next((one for one in node.input if self.plain(one) != value), "")
        plain = self.plain(other)
        known = plain != self._image and (self._maker.get(plain) is None or plain in self._values)
        return other if known and tuple(self.shapes.get(other, ())) == tuple(shape) else None


def _with_weights(steps: _Steps, kind: str, read: str, inner: list[Any], shape: Sequence[int]) -> None:
    """Replace the inner steps, and the factor and summand of this shape that may follow."""
    reads, parts = [read], list(inner)
    for follows in ("Mul", "Add"):
        value = parts[-1].output[0]
        node = steps.read_by(value, follows)
        weight = steps.constant(node, value, shape) if node is not None else None
        if weight is None:
            break
        reads.append(weight)
        parts.append(node)
    if not steps.replace(kind, reads, parts):
        steps.replace(kind, [read], inner)


def _layer_norm(steps: _Steps, last: Any) -> None:
    """``(x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps)`` over the last axes."""
    less_mean = steps.made_by(last.input[0], "Sub")
    root = steps.made_by(last.input[1], "Sqrt")
    plus = steps.made_by(root.input[0], "Add") if root is not None else None
    if less_mean is None or plus is None:
        return
    variance = steps.made_by(steps.with_number(plus) or "", "ReduceMean")
    square = steps.made_by(variance.input[0], "Pow", "Mul") if variance is not None else None
    mean = steps.made_by(less_mean.input[1], "ReduceMean")
    if variance is None or square is None or mean is None:
        return
    read, centred = less_mean.input[0], less_mean.output[0]
    squared = [steps.plain(value) for value in square.input]
    by_power = square.op_type == "Pow" and squared[0] == centred and steps.number(square.input[1]) == 2
    if not (by_power or (square.op_type == "Mul" and squared == [centred, centred])):
        return
    shape = steps.shapes.get(read, ())
    axes = _last_axes(mean, len(shape))
    if steps.plain(mean.input[0]) != steps.plain(read) or not axes or axes != _last_axes(variance, len(shape)):
        return
    inner = [mean, less_mean, square, variance, plus, root, last]
    _with_weights(steps, "LayerNormalization", read, inner, shape[-axes:])


def _last_axes(node: Any, rank: int) -> int:
    """Over how many last axes a mean is, which must be kept; 0: over others."""
    attributes = {attribute.name: attribute for attribute in node.attribute}
    axes = sorted(axis % rank for axis in attributes["axes"].ints) if "axes" in attributes and rank else []
    kept = "keepdims" not in attributes or attributes["keepdims"].i == 1
    return len(axes) if kept and axes == list(range(rank - len(axes), rank)) else 0


def _group_norm(steps: _Steps, last: Any) -> None:
    """An instance norm of each group's channels in one, without weights of its own."""
    norm = steps.made_by(last.input[0], "InstanceNormalization")
    before = steps.made_by(norm.input[0], "Reshape") if norm is not None else None
    if norm is None or before is None:
        return
    read = before.input[0]
    shape = tuple(steps.shapes.get(read, ()))
    plain = steps.is_all(norm.input[1], 1) and steps.is_all(norm.input[2], 0)
    if plain and len(shape) >= 3 and tuple(steps.shapes.get(last.output[0], ())) == shape:
        _with_weights(steps, "GroupNormalization", read, [before, norm, last], (shape[1], *[1] * (len(shape) - 2)))


def _gelu(steps: _Steps, last: Any) -> None:
    """``0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))``, the half at any factor: the tanh then is one of x.

    What is left, ``x`` times a function of it, is a GELU wherever it is written.
    """
    scaled = steps.made_by(last.input[0], "Mul")
    total = steps.made_by(steps.with_number(scaled, sqrt(2 / pi)) or "", "Add") if scaled is not None else None
    if total is None:
        return
    for read, other in (total.input, total.input[::-1]):
        small = steps.made_by(other, "Mul")
        cube = steps.made_by(steps.with_number(small, 0.044715) or "", "Pow", "Mul") if small is not None else None
        cubed = _third_power(steps, cube, steps.plain(read)) if cube is not None else []
        if cubed and _gates(steps, last, steps.plain(read)):
            steps.replace("Tanh", [read], [*cubed, small, total, scaled, last])


def _third_power(steps: _Steps, node: Any, read: str) -> list[Any]:
    """The nodes of the third power of what is read; none if it is none."""
    if node.op_type == "Pow":
        return [node] if steps.plain(node.input[0]) == read and steps.number(node.input[1]) == 3 else []
    for one, other in (node.input, node.input[::-1]):
        square = steps.made_by(other, "Mul", "Pow")
        if steps.plain(one) == read and square is not None and steps.plain(square.input[0]) == read:
            again = steps.plain(square.input[1])
            if again == read if square.op_type == "Mul" else steps.number(again) == 2:
                return [square, node]
    return []


def _gates(steps: _Steps, tanh: Any, read: str) -> bool:
    """Whether one and the tanh, and maybe a half, are multiplied by what is read, which may be halved instead."""
    node = steps.read_by(tanh.output[0], "Add")
    if node is None or steps.with_number(node, 1.0) is None:
        return False
    for _ in range(2):
        value = node.output[0]
        node = steps.read_by(value, "Mul")
        if node is None:
            return False
        other = next((one for one in node.input if steps.plain(one) != value), "")
        half = steps.made_by(other, "Mul")
        if steps.plain(other) == read or (half is not None and steps.with_number(half, 0.5) == read):
            return True
        if steps.with_number(node, 0.5) is None:
            return False
    return False


_MATCHES: dict[str, tuple[str, Callable[[_Steps, Any], None]]] = {
    "LayerNormalization": ("Div", _layer_norm),
    "GroupNormalization": ("Reshape", _group_norm),
    "Gelu": ("Tanh", _gelu),
}
