"""Networks as a user names them: modules, ONNX files, and what makes a module in his own code."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import sys
import traceback
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeAlias, TypeGuard

import torch
from torch import nn

from archatlas.errors import ArchatlasError, brief, nearest
from archatlas.graphs.computation import ComputationGraph
from archatlas.graphs.onnx_reading import read_onnx
from archatlas.graphs.recording import NumbersNeededError, ending, record, uncompiled

NetworkSource: TypeAlias = "nn.Module | Callable[[], nn.Module] | Path | str"
"""A module; what makes one; an ONNX file; or ``my_models:make_small``, a name in a Python module or file (``.py``)."""

_HERE = Path(__file__).parent.parent


def graph_of(source: NetworkSource, input_shape: Sequence[int] | None = None) -> ComputationGraph:
    """The computation graph of one network, as it is named.

    Args:
        source: the network.
        input_shape: of one image, channels first; only ONNX files that say it themselves need none.

    Raises:
        ArchatlasError: it cannot be found, imported, made or recorded, or has no weights.
    """
    name = name_of(source)
    if is_file(source):
        graph = read_onnx(Path(str(source)), input_shape)
    else:
        if input_shape is None:
            raise ArchatlasError(f"{name} does not say which images it takes: give their shape (`--input CxHxW`)")
        graph = _recorded(source, input_shape, name)
    if not graph.params:
        raise ArchatlasError(f"{name} has no weights that its output depends on: there is nothing to train")
    return graph


def _recorded(source: NetworkSource, shape: Sequence[int], name: str) -> ComputationGraph:
    found = _named(source) if isinstance(source, str) else source
    try:
        return record(_module(found, name), shape, name)
    except NumbersNeededError:
        if isinstance(found, nn.Module):
            raise
        # What is made without values may read some of them (sizes, positions) while it runs.
        return record(_module(found, name, real=True), shape, name)


def name_of(source: NetworkSource) -> str:
    """What a network is called in messages and tables: its file, its name, or its class."""
    if isinstance(source, Path | str):
        return Path(source).name if is_file(source) else str(source)
    return type(source).__name__ if isinstance(source, nn.Module) else getattr(source, "__name__", repr(source))


def is_file(source: NetworkSource) -> TypeGuard[Path | str]:
    """Whether an ONNX file is named."""
    return isinstance(source, Path) or (isinstance(source, str) and source.endswith(".onnx"))


def real_module(source: NetworkSource) -> nn.Module:
    """A copy of the module, with weights, in evaluation mode: for what runs it.

    Raises:
        ArchatlasError: as ``graph_of``; or it is an ONNX file, or cannot be copied.
    """
    name = name_of(source)
    if is_file(source):
        raise ArchatlasError(f"{name} is an ONNX file and no module")
    found = _named(source) if isinstance(source, str) else source
    made = uncompiled(_module(found, name, real=True))
    try:
        # Also of what was made: a function may give a module that somebody else has, too.
        return copy.deepcopy(made).eval()
    except Exception as error:
        raise ArchatlasError(f"{name} cannot be copied: {type(error).__name__}: {brief(error)}") from error


def _module(found: object, name: str, real: bool = False) -> nn.Module:
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        raise ArchatlasError(f"{name} must be a torch.nn.Module or make one, but is of type {type(found).__name__}")
    made = _made(found, name) if real else _made_on_meta(found, name)
    if not isinstance(made, nn.Module):
        raise ArchatlasError(f"{name} must make a torch.nn.Module, but made an object of type {type(made).__name__}")
    return made


def _made_on_meta(make: Callable[[], object], name: str) -> object:
    try:
        with torch.device("meta"), warnings.catch_warnings():
            # Of each weight that is read from a file PyTorch says that it is not kept.
            warnings.filterwarnings("ignore", message=".*copying from a non-meta parameter")
            return make()
    except (Exception, SystemExit):
        # What reads numbers while it is made (schedules of rates, weights from files) needs a real device.
        return _made(make, name)


def _made(make: Callable[[], object], name: str) -> object:
    try:
        return make()
    except SystemExit as error:
        raise ending(f"making {name}") from error
    except Exception as error:
        raise ArchatlasError(
            f"{_users_trace(error)}{name} could not be made: called without arguments, it fails"
        ) from error


def _named(source: str) -> object:
    """What ``module:attribute`` stands for; the module is looked for from the working folder, too."""
    place, colon, attribute = source.rpartition(":")
    if not colon or not place or not attribute:
        raise ArchatlasError(
            f"{brief(source)!r} is no network: name an ONNX file (`a.onnx`), or a module and what in it is or makes a "
            "network (`my_models:make_small`)"
        )
    found: object = _imported(place)
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [name for name in vars(found) if not name.startswith("_")] if hasattr(found, "__dict__") else []
            raise ArchatlasError(f"{place} has no attribute {part!r}{nearest(part, known)}")
        found = getattr(found, part)
    return found


def _imported(place: str) -> ModuleType:
    working = str(Path.cwd())
    if working not in sys.path:
        sys.path.insert(0, working)
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        return _from_file(Path(place))
    except ArchatlasError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            raise ArchatlasError(f"there is no module {error.name!r}, neither installed nor in {working}") from error
        raise ArchatlasError(f"{_users_trace(error)}importing {place} fails, for the reason above") from error
    except SystemExit as error:
        raise ending(f"importing {place}") from error
    except Exception as error:
        raise ArchatlasError(f"{_users_trace(error)}importing {place} fails, for the reason above") from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ArchatlasError(f"there is no file {str(path)!r}")
    # A name of its own: the file may be called as a library is.
    name = f"_archatlas_{path.stem}_{zlib.crc32(str(path.resolve()).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _users_trace(error: Exception) -> str:
    """The traceback from the user's own code on, with a line's end."""
    trace = error.__traceback__
    while trace is not None and _is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace, chain=False))


def _is_machinery(file: str) -> bool:
    return "importlib" in file or (file.startswith(str(_HERE)))
