"""Sizes that operators compute of shapes, followed by onnxruntime's symbolic inference in bounded memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from onnx import helper
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

MOST_NUMBERS = 1024
"""Of values that are followed through an operator: shapes have fewer axes, and a few bytes can ask for millions."""
_MOST_BITS = 64
"""Of a number that is followed: squares of squares would fill the memory."""


def with_followed_sizes(model: Any) -> Any:
    """A copy of the model with the shapes that can be told.

    Raises:
        Exception: whatever an operator leads onnxruntime to.
    """
    # Not its own `infer_shapes`, which writes a file into the working directory where it ends without all shapes.
    inference = _Followed(int_max=2**31 - 1, auto_merge=True, guess_output_rank=False, verbose=0)
    with _quiet():
        inference._preprocess(model)
        complete = False
        while inference.run_:
            complete = inference._infer_impl()
        inference._update_output_from_vi()
    if not complete:
        raise ValueError("not all shapes can be told")
    return inference.out_mp_


class _Few(dict[str, Any]):
    """Values by name; those that are too large are not known."""

    def __setitem__(self, name: str, value: Any) -> None:
        numbers = value if isinstance(value, list) else [value]
        if _count(value) <= MOST_NUMBERS and all(_bits(number) <= _MOST_BITS for number in numbers):
            super().__setitem__(name, value)


def _count(value: Any) -> int:
    return value.size if isinstance(value, np.ndarray) else len(value) if isinstance(value, list) else 1


def _bits(number: Any) -> int:
    return int(number).bit_length() if getattr(number, "is_Integer", isinstance(number, int)) else 0


class _Followed(SymbolicShapeInference):  # type: ignore[misc]
    """onnxruntime's inference, which keeps the values of all integers that it can tell, however many these are."""

    @property
    def sympy_data_(self) -> _Few:
        return self._few

    @sympy_data_.setter
    def sympy_data_(self, values: dict[str, Any]) -> None:
        self._few = _Few(values)

    def _infer_ConstantOfShape(self, node: Any) -> None:  # noqa: N802
        sizes = self._get_int_or_float_values(node)[0]
        known = isinstance(sizes, list) and all(isinstance(size, int) for size in sizes)
        if not known or prod(sizes) <= MOST_NUMBERS:
            super()._infer_ConstantOfShape(node)
            return
        info = self.known_vi_[node.output[0]]
        info.CopyFrom(helper.make_tensor_value_info(info.name, info.type.tensor_type.elem_type, sizes))

    def _get_int_or_float_values(self, node: Any, *args: Any, **options: Any) -> list[Any]:
        if sum(map(self._numbers_of, node.input)) > MOST_NUMBERS:
            return [None] * len(node.input)
        values: list[Any] = super()._get_int_or_float_values(node, *args, **options)
        return values

    def _numbers_of(self, name: str) -> int:
        if name in self.sympy_data_:
            return _count(self.sympy_data_[name])
        return prod(self.initializers_[name].dims) if name in self.initializers_ else 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing is logged within the block: what could not be inferred is told by what is then missing."""
    logger = logging.getLogger("onnxruntime.tools.symbolic_shape_infer")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
