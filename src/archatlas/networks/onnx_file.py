"""A module as an ONNX file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn


def write_onnx(
    module: nn.Module,
    input_shape: tuple[int, ...],
    path: Path,
    *,
    opset: int = 18,
    names: Sequence[str] = ("x", "y"),
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the module (put into evaluation mode) with a dynamic batch axis; weights lie inside the file.

    Args:
        module: takes one float32 tensor ``[b, *input_shape]``, and gives a tensor, or a tuple of them.
        input_shape: without the batch axis.
        path: the file to write.
        opset: version of the ONNX operators.
        names: of the input and of each output.
        metadata: what the file says of itself, by key.
    """
    import onnx
    import torch

    example = torch.rand(2, *input_shape, generator=torch.Generator().manual_seed(0))
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            (example,),
            input_names=[names[0]],
            output_names=list(names[1:]),
            opset_version=opset,
            dynamo=True,
            verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    assert program is not None
    model = program.model_proto
    strip_traces(model)
    onnx.helper.set_model_props(model, dict(metadata or {}))
    onnx.save(model, str(path))


def strip_traces(message: Any) -> None:
    """Take out of an ONNX model what the exporter notes of the module's code: paths of this machine stand in it.

    At any depth: in functions and in the subgraphs of nodes too.
    """
    for field, value in message.ListFields():
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                strip_traces(inner)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of torchvision's absence and of its own internals: nothing that a user can mend."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
