"""Measure the latency of every part of a search space on this device.

Needs Python 3.10 or newer and onnxruntime, nothing else (NumPy comes with it). Lies beside ``parts.csv`` and the ONNX
files that it names, and writes ``latency_table.csv``, which archatlas imports:

    python measure_latency.py                  # on the CPU
    python measure_latency.py --device cuda    # on the first GPU, where onnxruntime-gpu is installed
    kedro run --params costs.latency.source=imported,costs.latency.table=latency_table.csv
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import gc
import math
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime

Row = dict[str, Any]

COLUMNS = [
    "device", "batch_size", "threads", "part", "position", "choice", "operation", "macs", "latency_ms",
    "latency_lower_quartile_ms", "latency_upper_quartile_ms",
]  # fmt: skip
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""What computes on each device, in onnxruntime's words."""
CALL = "call"
"""The part of ``parts.csv`` that computes nothing: its latency is what a call of the runtime costs."""


class ProviderError(RuntimeError):
    """onnxruntime would compute on another device than the one that is to be timed."""


def main() -> None:
    options = read_options()
    folder = Path(__file__).resolve().parent
    with (folder / "parts.csv").open(newline="") as file:
        rows: list[Row] = list(csv.DictReader(file))
    shapes = {row["file"]: tuple(int(row[side]) for side in ("channels", "height", "width")) for row in rows}
    print(f"measuring {len(shapes)} distinct parts of {len(rows)} ...", flush=True)
    try:
        quartiles = measure(folder, shapes, options)
    except ProviderError as error:
        sys.exit(str(error))
    call = next(quartiles[row["file"]][1] for row in rows if row["part"] == CALL)
    finished = [with_latency(row, quartiles[row["file"]], call, options) for row in rows if row["part"] != CALL]
    output = Path(options.output)
    with output.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(finished)
    print(f"wrote {output}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the latency of every part of a search space on this device.")
    parser.add_argument("--device", choices=sorted(PROVIDERS), default="cpu", help="where images and results lie (cpu)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    parser.add_argument("--batch-size", type=int, default=1, help="images per forward pass (1)")
    parser.add_argument("--calls", type=int, default=100, help="timed calls of each part (100)")
    parser.add_argument("--warm-up", type=int, default=10, help="untimed calls of each part first (10)")
    parser.add_argument("--provider", default=None, help="execution provider of onnxruntime (that of the device)")
    parser.add_argument("--name", default=None, help="the device's name in the table (as the system tells it)")
    parser.add_argument("--output", default="latency_table.csv", help="the table to write (latency_table.csv)")
    options = parser.parse_args()
    if options.device == "cuda" and (problem := cuda_problem()):
        sys.exit(f"--device cuda: {problem}")
    own = PROVIDERS[options.device]
    options.provider = options.provider or own
    if options.provider not in onnxruntime.get_available_providers():
        sys.exit(
            f"--provider {options.provider} is not there; this onnxruntime has {onnxruntime.get_available_providers()}"
        )
    for name in ("threads", "batch_size", "calls", "warm_up"):
        if getattr(options, name) < 1:
            sys.exit(f"--{name.replace('_', '-')} must be at least 1, but got {getattr(options, name)}")
    other = "" if options.provider == own else f", {options.provider}"
    options.name = options.name or device_name(options.device) + other
    return options


def cuda_problem() -> str | None:
    """Why onnxruntime cannot compute on a GPU here, and what to do; None if nothing is known to stand against it."""
    there = onnxruntime.get_available_providers()
    if PROVIDERS["cuda"] not in there:
        return (
            f"the installed onnxruntime has no {PROVIDERS['cuda']} (it has {', '.join(there)}): install "
            "onnxruntime-gpu in its place"
        )
    if gpu_name() is None:
        return "CUDA's driver finds no GPU here: look at what nvidia-smi says"
    return None


def gpu_name() -> str | None:
    """Name of the GPU that CUDA takes first, by its driver's own interface; None where there is none."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    # Each answers 0 where all is well, and what comes after one that does not is left undone.
    failed = driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0)
    failed = failed or driver.cuDeviceGetName(name, len(name), device)
    return None if failed else name.value.decode()


def device_name(device: str = "cpu") -> str:
    """The processor, which also sends a GPU its work; for ``cuda`` the GPU first."""
    return processor_name() if device == "cpu" else f"{gpu_name()} with {processor_name()}"


def processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine() or "unknown"


def measure(folder: Path, shapes: dict[str, tuple[int, ...]], options: argparse.Namespace) -> dict[str, Any]:
    """Quartiles in ms by file."""
    random = np.random.default_rng(0)
    runs = []
    for file, shape in shapes.items():
        x = random.random((options.batch_size, *shape), dtype=np.float32)
        runs.append(call_of(str(folder / file), x, options.threads, options.provider, options.device))
    quartiles = quartiles_in_turn(runs, warm_up=options.warm_up, calls=options.calls)
    return dict(zip(shapes, quartiles, strict=True))


def call_of(
    model: str | bytes, x: np.ndarray, threads: int, provider: str = PROVIDERS["cpu"], device: str = "cpu"
) -> Callable[[], Any]:
    """A call of an ONNX file (path or content) of one input with ``x``; on a GPU both ends of it lie there.

    Raises:
        ProviderError: the provider cannot be used, and onnxruntime would take another.
    """
    if device != "cpu" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA's libraries where pip has installed them, and nothing else would look.
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    # Of several sessions called in turn, threads that wait for the next call of one would slow the others.
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(model, settings, providers=[provider])
    if provider not in session.get_providers():
        raise ProviderError(
            f"onnxruntime cannot use {provider} here, and takes {', '.join(session.get_providers())} instead: see what "
            "it has said above; it may lack libraries, such as CUDA's and cuDNN's in the versions that it was built for"
        )
    if device != "cpu":
        return bound_call(session, x, device)
    inputs = {session.get_inputs()[0].name: x}
    return lambda: session.run(None, inputs)


def bound_call(session: Any, x: np.ndarray, device: str) -> Callable[[], Any]:
    """A call whose input lies on the device and whose outputs stay there; it ends when the device has done its work."""
    binding = session.io_binding()
    binding.bind_ortvalue_input(session.get_inputs()[0].name, onnxruntime.OrtValue.ortvalue_from_numpy(x, device, 0))
    for output in session.get_outputs():
        binding.bind_output(output.name, device, 0)

    def call() -> Any:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return binding

    return call


def quartiles_in_turn(
    runs: Sequence[Callable[[], Any]], *, warm_up: int, calls: int, fewest: int = 1, max_seconds: float = math.inf
) -> np.ndarray:
    """Lower quartile, median and upper quartile of each run's time, ``[runs, 3]``, in ms.

    Each is called ``warm_up`` times, then one after the other ``calls`` times (less, but at least ``fewest``, if that
    takes more than ``max_seconds``), so that a device that slows down slows all of them alike.
    """
    for run in runs:
        for _ in range(warm_up):
            run()
    times = np.empty((calls, len(runs)))
    stop, done = perf_counter() + max_seconds, 0
    collects = gc.isenabled()
    gc.disable()
    try:
        while done < calls and (done < fewest or perf_counter() < stop):
            for index, run in enumerate(runs):
                run()  # the caches as they are where a network runs again and again
                start = perf_counter()
                run()
                times[done, index] = perf_counter() - start
            done += 1
    finally:
        if collects:
            gc.enable()
    quartiles: np.ndarray = np.quantile(times[:done] * 1e3, [0.25, 0.5, 0.75], axis=0).T
    return quartiles


def with_latency(row: Row, quartiles: Any, call: float, options: argparse.Namespace) -> Row:
    """A row of the table."""
    lower, median, upper = without_call(row["part"], quartiles, call)
    said = {"device": options.name, "batch_size": options.batch_size, "threads": options.threads}
    kept = {name: row[name] for name in ("part", "position", "choice", "operation", "macs")}
    return {
        **said, **kept, "latency_ms": median, "latency_lower_quartile_ms": lower, "latency_upper_quartile_ms": upper,
    }  # fmt: skip


def without_call(part: str, quartiles: Any, call: float) -> list[float]:
    """A network is called once, so its stem alone bears what a call of the runtime costs, ms."""
    spent = 0.0 if part == "stem" else call
    return [max(float(value) - spent, 0.0) for value in quartiles]


if __name__ == "__main__":
    main()
