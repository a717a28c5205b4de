"""Kill runs at random moments, restart them without any flag, and compare what they end with to an undisturbed run.

    python -m benchmarks.crashes --kills 40
    python -m benchmarks.crashes --kills 40 --signal INT      # as Ctrl-C does, or TERM

The chain is that of ``conf/tiny``, with a latency table measured once, since a time measured anew is another time. A
round begins without data; its run is killed with SIGKILL (or stopped) and restarted until it ends, and then compared:
tables byte by byte, models tensor by tensor (times, metrics and report aside). A result is lost if a node whose results
were recorded runs again. Ends non-zero if anything differs or is lost.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import yaml

_REPOSITORY = Path(__file__).parent.parent
_EXPERIMENT = "tiny"
_TIMES = ("speed", "metrics", "report.html", "networks")


def checkout(folder: Path) -> Path:
    """A copy of code and configuration without data, and in it a latency table that was measured once."""
    shutil.copy(_REPOSITORY / "pyproject.toml", folder)
    for name in ("conf", "src"):
        shutil.copytree(_REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    table = folder / "latency_table.parquet"
    finished(folder, "--pipelines", "prepare_images,measure_costs", "--params", "experiment=measured")
    shutil.copy(folder / "data/current/measured/latency_table.parquet", table)
    shutil.rmtree(folder / "data")
    file = folder / "conf" / "tiny" / "parameters.yml"
    parameters = yaml.safe_load(file.read_text())
    parameters["costs"]["latency"] |= {"source": "imported", "table": str(table)}
    file.write_text(yaml.safe_dump(parameters))
    return folder


def run(
    folder: Path, *arguments: str, kill_after: float | None = None, by: signal.Signals = signal.SIGKILL
) -> subprocess.CompletedProcess[str] | None:
    """``kedro run``; None if it lasted for so many seconds and was killed ``by`` a signal."""
    environment = os.environ | {
        "KEDRO_ENV": "tiny",
        "KEDRO_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": str(folder / "src"),
    }
    command = [sys.executable, "-m", "kedro", "run", *arguments]
    with (folder / "log.txt").open("a") as log:
        # A job in a script's background ignores Ctrl-C, and so would what it starts.
        heard = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, preexec_fn=heard)
        try:
            process.wait(timeout=kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(by)
            process.wait()
            return None
    return subprocess.CompletedProcess(command, process.returncode)


def finished(folder: Path, *arguments: str) -> None:
    """An undisturbed ``kedro run``, which must end well."""
    ended = run(folder, *arguments)
    assert ended is not None
    ended.check_returncode()


def results(folder: Path) -> dict[str, str]:
    """Digest by file of the current results, but those that hold times."""
    current = folder / "data" / "current" / _EXPERIMENT
    files = [file for top in current.iterdir() for file in [top, *top.rglob("*")] if file.is_file()]
    return {
        str(file.relative_to(current)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(files)
        if not any(part in str(file.relative_to(current)) for part in _TIMES)
    }


def results_lost(folder: Path) -> list[str]:
    """Nodes that ran again although a run before had recorded what they leave."""
    manifests = sorted((folder / "data/08_reporting" / _EXPERIMENT / "manifest.json").glob("*/manifest.json"))
    runs = [json.loads(file.read_text())["nodes"].items() for file in manifests]
    executed = Counter((name, node["fingerprint"]) for nodes in runs for name, node in nodes if node["executed"])
    return [name for (name, _), times in executed.items() if times > 1]


def rounds(
    folder: Path, kills: int, seconds: float, generator: random.Random, by: signal.Signals
) -> Iterator[tuple[int, float]]:
    """(kills survived, seconds) of each round, until so many kills have been tried; the data of a round are left."""
    tried = 0
    while tried < kills:
        shutil.rmtree(folder / "data", ignore_errors=True)
        begun, here = time.perf_counter(), 0
        while True:
            # Sooner than any import, up to a third of the chain: most rounds take several kills.
            wait = generator.uniform(0.1, seconds / 3 + 4) if tried < kills else None
            ended = run(folder, kill_after=wait, by=by)
            if ended is not None:
                if ended.returncode != 0:
                    raise SystemExit(f"a restarted run failed:\n{(folder / 'log.txt').read_text()[-3000:]}")
                break
            tried, here = tried + 1, here + 1
        yield here, time.perf_counter() - begun


def main(kills: int, seed: int, by: signal.Signals) -> int:
    """Number of rounds that ended otherwise, and of results that were lost."""
    wrong = survived = lost = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = checkout(Path(temporary))
        begun = time.perf_counter()
        finished(folder)
        seconds = time.perf_counter() - begun
        undisturbed = results(folder)
        print(f"undisturbed: {seconds:.0f} s, {len(undisturbed)} files compared", flush=True)
        for here, took in rounds(folder, kills, seconds, random.Random(seed), by):
            found = results(folder)
            different = sorted(
                name for name in undisturbed.keys() | found.keys() if undisturbed.get(name) != found.get(name)
            )
            again = results_lost(folder)
            wrong, lost = wrong + bool(different), lost + len(again)
            survived += 0 if different else here
            print(f"{here} kills, {took:.0f} s: {len(different)} files differ {different}, lost {again}", flush=True)
    print(f"{survived} of {kills} kills survived, {lost} results lost")
    return wrong + lost


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signal", choices=("KILL", "INT", "TERM"), default="KILL")
    arguments = parser.parse_args()
    sys.exit(main(arguments.kills, arguments.seed, signal.Signals[f"SIG{arguments.signal}"]))
