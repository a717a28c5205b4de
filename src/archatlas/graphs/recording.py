"""The computation graph of any module, recorded while it runs on PyTorch's meta device: no memory, no arithmetic."""

from __future__ import annotations

import copy
import inspect
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from archatlas.errors import ArchatlasError, brief
from archatlas.graphs.aten_operators import SHAPED, AtenCall, add_call
from archatlas.graphs.computation import ComputationGraph
from archatlas.graphs.graph_builder import GraphBuilder
from archatlas.graphs.written_memory import Part, WrittenMemory, is_view, storage_of

_MOST_REAL = 1 << 16
"""Numbers up to which a buffer keeps its values: some modules read them (positions, indices)."""

_NEEDS_NUMBERS = (
    "cannot be called on meta tensors",
    "nonzero",
    "out of meta tensor",
    "meta device type tensor to numpy",
)
"""What PyTorch says where a module wants to know numbers that the meta device has none of."""

_NO_DEVICE = ("not compiled with CUDA", "no NVIDIA driver", "No CUDA GPUs", "not linked with support for")

_BATCH_NORM = torch.ops.aten.native_batch_norm.default
_NO_META = ("'Meta' backend", "'meta' backend", "no fake impl", "Meta Tensors", "abstract impl")


_autocast = torch.autocast.__init__
_lock, _recording = threading.Lock(), list[int]()
"""Threads in which ``torch.autocast`` casts nothing, once for each time that they asked for it."""


class NumbersNeededError(ArchatlasError):
    """A module wants to know numbers that the meta device has none of."""


def ending(doing: str) -> ArchatlasError:
    """The refusal of code of the user's that ends the program, as a reader of arguments does."""
    return ArchatlasError(
        f'{doing} ends the program: put what does so (reading arguments, say) under `if __name__ == "__main__":`'
    )


def uncompiled(module: nn.Module) -> nn.Module:
    """What ``torch.compile`` wraps; otherwise the module."""
    wrapped: nn.Module = getattr(module, "_orig_mod", module)
    return wrapped


def record(module: nn.Module, input_shape: Sequence[int], name: str = "the network") -> ComputationGraph:
    """What the module computes for one image in evaluation mode.

    A copy without weights runs, so the module stays as it is and where it is: its training flag, its device, its hooks
    and what its forward pass remembers. Hooks run with the copy, since they may be a part of what it computes: one that
    writes elsewhere, as into a list of the caller's, writes tensors without values there. Tensors are followed by
    identity, also through in-place operators; attention and modules unknown here become what they are made of.

    Args:
        module: takes one tensor ``[1, *input_shape]``, and gives tensors in whatever containers.
        input_shape: without the batch axis.
        name: of the module, for messages.

    Raises:
        ArchatlasError: it cannot be copied, does not take such an input, or needs to see numbers to know what to do
            (NumbersNeededError).
    """
    copied = without_weights(uncompiled(module), name).eval()
    if any(nn.parameter.is_lazy(held) for held in (*copied.parameters(), *copied.buffers())):
        _settle(copied, input_shape, name)
    return record_here(copied, input_shape, name)


def _settle(module: nn.Module, input_shape: Sequence[int], name: str) -> None:
    """Let lazy layers see an image, from which they know their shapes."""
    try:
        with torch.no_grad(), _no_autocast():
            module(torch.empty(1, *input_shape, device="meta"))
    except SystemExit as error:
        raise ending(f"running {name}") from error
    except Exception as error:
        raise _refusal(error, module, name, input_shape) from error


def record_here(module: nn.Module, input_shape: Sequence[int], name: str = "the network") -> ComputationGraph:
    """As :func:`record`, of a module that is on the meta device and in evaluation mode already, which runs itself."""
    floats = (parameter.dtype for parameter in module.parameters() if parameter.is_floating_point())
    image = torch.empty(1, *input_shape, dtype=next(floats, torch.float32), device="meta")
    recorder = _Recorder(image, {id(parameter): parameter.numel() for parameter in module.parameters()})
    try:
        with torch.no_grad(), _no_autocast(), recorder:
            made = module(image)
    except ArchatlasError:
        raise
    except SystemExit as error:
        raise ending(f"running {name}") from error
    except Exception as error:
        raise _refusal(error, module, name, input_shape) from error
    given = list(_tensors([made]))
    if not given:
        raise ArchatlasError(
            f"{name} gives an object of type {type(made).__name__} in which no tensors are found: give them alone, or "
            "in a list, tuple, dictionary or data class"
        )
    nodes = [recorder.node_of(tensor) for tensor in given]
    outputs = [node for node in nodes if node is not None]
    if not outputs:
        raise ArchatlasError(f"what {name} computes does not depend on its input: there is no graph of it")
    return recorder.builder.graph(outputs)


@contextmanager
def _no_autocast() -> Iterator[None]:
    """What this thread makes of ``torch.autocast`` within the block casts nothing, whatever device it is asked for.

    Casts are no nodes, and PyTorch refuses to be asked for the device that images are on here (``x.device.type``), or
    for numbers that a device of this machine has not. Instances that were made before the block stay as they are.
    """
    thread = threading.get_ident()
    with _lock:
        _recording.append(thread)
        torch.autocast.__init__ = _maybe_disabled  # type: ignore[method-assign]
    try:
        yield
    finally:
        with _lock:
            _recording.remove(thread)
            if not _recording:
                torch.autocast.__init__ = _autocast  # type: ignore[method-assign]


def _maybe_disabled(self: Any, device_type: str, dtype: Any = None, *more: Any, **named: Any) -> None:
    """As ``torch.autocast`` is made in any thread while one records."""
    if threading.get_ident() in _recording:
        _autocast(self, "cpu" if device_type == "meta" else device_type, dtype, enabled=False)
    else:
        _autocast(self, device_type, dtype, *more, **named)


def without_weights(module: nn.Module, name: str = "the network") -> nn.Module:
    """A copy on the meta device, for which no weights are allocated; small buffers keep their values.

    Raises:
        ArchatlasError: something in the module cannot be copied.
    """
    stand_ins: dict[int, Any] = {}
    for part in module.modules():
        # Also tensors that are plain attributes, which `named_parameters` and `named_buffers` do not give.
        attributes = [value for value in vars(part).values() if isinstance(value, Tensor)]
        for held in [*part._parameters.values(), *part._buffers.values(), *attributes]:
            if held is not None and id(held) not in stand_ins:
                stand_ins[id(held)] = _stand_in(held)
    try:
        return copy.deepcopy(module, stand_ins)
    except Exception as error:
        raise ArchatlasError(f"{name} cannot be copied without its weights: {_said(error)}") from error


def _stand_in(held: Tensor) -> Tensor:
    if nn.parameter.is_lazy(held):
        kind: Any = type(held)
        lazy: Tensor = kind(device="meta", dtype=held.dtype)
        return lazy
    if isinstance(held, nn.Parameter):
        return nn.Parameter(torch.empty_like(held, device="meta"), requires_grad=held.requires_grad)
    small = held.numel() <= _MOST_REAL and held.device.type != "meta"
    return held.detach().cpu().clone() if small else torch.empty_like(held, device="meta")


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Hears of every primitive operator that runs, and which tensors it reads and gives."""

    def __init__(self, image: Tensor, params: Mapping[int, int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.builder = GraphBuilder(tuple(image.shape))
        self._memory = WrittenMemory()
        self._memory.make(image, 0)
        self._joined: dict[tuple[Part, ...], int] = {}
        """Of what several nodes wrote into one tensor: the node that puts it together."""
        self._numel = dict(params)
        self._waiting = {tensor: frozenset([tensor]) for tensor in params}
        """Of constants: the parameters that they were made of."""
        self._written: dict[int, frozenset[int]] = {}
        """Of memory: those that were written into some of it, through whichever view."""
        self._on_meta: dict[int, Tensor] = {}
        self._memories: dict[int, Tensor] = {}
        """Of memory with values: that which stands for it on the meta device."""
        self._taken: set[int] = set()
        """Memory with values into which something was written that depends on the input."""
        self._alive: list[Any] = [image]
        """An address names a tensor only as long as it lives; on the meta device this costs nothing."""

    def node_of(self, tensor: Tensor) -> int | None:
        """The node that made what the tensor holds now; None if it does not depend on the input."""
        held = tuple(self._memory.held(self._moved(tensor) if self._is_on_meta(tensor) else tensor))
        if len({node for _, node in held}) < 2:
            return held[0][1] if held else None
        if held not in self._joined:
            self._joined[held] = add_call(self.builder, AtenCall("cat", held, tuple(tensor.shape)))
        return self._joined[held]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled():  # Where PyTorch hands on whole operators that it otherwise takes apart.
            with self:
                made = func.decompose(*args, **kwargs)
            if made is not NotImplemented:
                return made
        outs = _outs(func)
        given = [*_tensors(args), *_tensors(value for name, value in kwargs.items() if name not in outs)]
        written = [*_tensors(kwargs.get(name) for name in outs)] or given[: _in_place(func)]
        if any(map(self._is_on_meta, (*given, *written))):
            args, kwargs, given = self._all_on_meta(args, kwargs, given)
        elif "device" in kwargs and kwargs["device"] is not None and torch.device(kwargs["device"]).type != "cpu":
            kwargs = {**kwargs, "device": torch.device("meta")}
        operands = [(tuple(tensor.shape), self.node_of(tensor)) for tensor in given]
        made = _normalised(args[0]) if func is _BATCH_NORM and given[0].is_meta else func(*args, **kwargs)
        results = list(_tensors([made]))
        self._alive.append((given, results))
        if len(given) == len(results) == 1 and is_view(results[0], given[0]):
            # What was written elsewhere in a tensor does not reach this part of it.
            seen = {node for _, node in self._memory.held(given[0], results[0])}
            operands = [(operands[0][0], next(iter(seen), None))] if len(seen) < 2 else operands
        if results:
            self._note(func, args, given, operands, results, written)
        return made

    def _note(
        self,
        func: Any,
        args: Sequence[Any],
        given: Sequence[Tensor],
        operands: Sequence[tuple[tuple[int, ...], int | None]],
        results: Sequence[Tensor],
        written: Sequence[Tensor],
    ) -> None:
        """``written``: what the operator writes into, as it was before it was moved to the meta device."""
        name = func._schema.name.rpartition("::")[2]
        if name in SHAPED:
            return
        waiting = frozenset().union(*map(self._held, given))
        if all(node is None for _, node in operands):
            if waiting:
                self._waiting.update((id(tensor), waiting) for tensor in results)
                self._keep_written(written, waiting)
            return
        if func is _BATCH_NORM and args[5]:  # By the image's own statistics: instance norm, or none that are kept.
            name = "instance_norm"
        if name == "copy_" and operands[1][1] is not None:
            operands = operands[1:]  # What was there is gone.
        elif name == "copy_":  # No node: who reads what is there now reads these.
            self._keep_written(written, waiting)
        call = AtenCall(
            name=name.rstrip("_"),
            operands=operands,
            output_shape=tuple(results[0].shape),
            params={parameter: self._numel[parameter] for parameter in waiting},
            **_settings(name.rstrip("_"), args),
        )
        node = add_call(self.builder, call)
        note = self._memory.write if written else self._memory.make
        self._taken.update(storage_of(tensor) for tensor in written if not tensor.is_meta)
        for index, tensor in enumerate(results):
            note(tensor, self.builder.result(node) if index else node)

    def _held(self, tensor: Tensor) -> frozenset[int]:
        """The parameters that a constant was made of."""
        written = self._written.get(storage_of(tensor), frozenset()) if self._written else frozenset()
        return self._waiting.get(id(tensor), frozenset()) | written

    def _keep_written(self, written: Sequence[Tensor], params: frozenset[int]) -> None:
        for memory in map(storage_of, written):
            self._written[memory] = self._written.get(memory, frozenset()) | params

    def _is_on_meta(self, tensor: Tensor) -> bool:
        """Whether the tensor has no values, or lies in memory whose values are no longer known."""
        return tensor.is_meta or (bool(self._taken) and storage_of(tensor) in self._taken)

    def _all_on_meta(self, args: Any, kwargs: Any, given: list[Tensor]) -> tuple[Any, Any, list[Tensor]]:
        """Constants with values, and wishes for another device, go to the meta device where they meet its tensors."""
        if "device" in kwargs:
            kwargs = {**kwargs, "device": torch.device("meta")}
        args = tuple(self._moved(value) for value in args)
        kwargs = {name: self._moved(value) for name, value in kwargs.items()}
        return args, kwargs, [self._moved(tensor) for tensor in given]

    def _moved(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(self._moved(one) for one in value) if type(value) in (list, tuple) else value
        if not isinstance(value, Tensor) or value.is_meta:
            return value
        if id(value) not in self._on_meta:
            self._alive.append(value)
            self._on_meta[id(value)] = self._stand_in(value)
        moved = self._on_meta[id(value)]
        self._waiting[id(moved)] = self._held(value)
        return moved

    def _stand_in(self, value: Tensor) -> Tensor:
        """The same view of memory without values, which is shared as that of the tensor is."""
        if value.layout != torch.strided:
            return torch.empty_like(value, device="meta")
        memory = storage_of(value)
        if memory not in self._memories:
            self._memories[memory] = torch.empty(value.untyped_storage().nbytes(), dtype=torch.uint8, device="meta")
        shared, made = self._memories[memory].untyped_storage(), torch.empty(0, dtype=value.dtype, device="meta")
        return made.set_(shared, value.storage_offset(), value.size(), value.stride())


def _in_place(func: Any) -> bool:
    name = str(func._schema.name)
    return name.endswith("_") and not name.endswith("__")


@cache
def _outs(func: Any) -> tuple[str, ...]:
    """Names of what the operator is handed to write its results into."""
    return tuple(argument.name for argument in func._schema.arguments if argument.is_out)


def _normalised(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What a batch norm in evaluation mode gives: PyTorch finds these shapes by some hundred operators of its own."""
    return torch.empty_like(x), x.new_empty(0), x.new_empty(0)


def _tensors(values: Any) -> Iterator[Tensor]:
    """Tensors in containers of containers, in order."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple | set):
            yield from _tensors(value)
        elif isinstance(value, Mapping):
            yield from _tensors(value.values())
        elif is_dataclass(value):
            yield from _tensors(getattr(value, field.name, None) for field in fields(value))


def _settings(name: str, args: Sequence[Any]) -> dict[str, Any]:
    """What an operator was asked to do, of what a node holds."""
    if name == "convolution":
        return {"stride": args[3], "transposed": args[6], "groups": args[8]}
    if name == "deform_conv2d":
        return {"stride": args[5:7], "groups": args[11]}
    if name.startswith(("max_pool", "avg_pool")):
        return {"kernel": args[1], "stride": args[2] if len(args) > 2 else ()}
    return {}


def _refusal(error: Exception, module: nn.Module, name: str, input_shape: Sequence[int]) -> ArchatlasError:
    said, shape = str(error), "x".join(map(str, input_shape))
    if any(words in said for words in _NEEDS_NUMBERS):
        return NumbersNeededError(
            f"{name} decides by the numbers of an image what it computes ({_place(error)}): its graph would be that of "
            "one image. Give a part of it that does the same for every image"
        )
    if any(words in said for words in _NO_META):
        return ArchatlasError(f"{name} uses an operator that does not say the shape of its result: {_said(error)}")
    if any(words in said for words in _NO_DEVICE):
        return ArchatlasError(
            f"{name} asks for a device that PyTorch does not have here ({_said(error)}): let it follow its input "
            "(`device=x.device`)"
        )
    if isinstance(error, TypeError) and "required positional argument" in said and not _takes_one(module):
        return ArchatlasError(
            f"{name} takes more than one image ({_said(error)}): give a module that takes one, and hands the rest on"
        )
    return ArchatlasError(
        f"{name} does not run on an image of shape {shape}: {_said(error)}. If it takes images of another shape, "
        "say which (`--input CxHxW`)"
    )


def _takes_one(module: nn.Module) -> bool:
    """Whether the module's own forward pass can be called with one image; parts of it may take more."""
    try:
        inspect.signature(module.forward).bind(None)
    except TypeError:
        return False
    return True


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {brief(lines[0]).rstrip('.')}" if lines else type(error).__name__


def _place(error: Exception) -> str:
    """The last line of code outside PyTorch and this module that led to the error."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "/torch/" not in code.co_filename and code.co_filename != __file__:
            place = f"line {trace.tb_lineno} of {code.co_filename.rpartition('/')[2]}"
        trace = trace.tb_next
    return place or _said(error)
