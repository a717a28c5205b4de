from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from filelock import FileLock
from kedro.io import DatasetError

from archatlas.kedro_ext.run_lock import lock_file, take_lock

HOLD = """
import sys, time
from pathlib import Path
from archatlas.kedro_ext.run_lock import take_lock
lock = take_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def holder_of(folder: Path, repository: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(repository / "src")},
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_run_is_told_who_holds_the_folder(tmp_path: Path, repository: Path) -> None:
    with holder_of(tmp_path, repository) as holder, pytest.raises(DatasetError) as refused:
        take_lock(tmp_path)
    assert re.fullmatch(
        rf"{tmp_path} is in use by process {holder.pid} on {socket.gethostname()} since 20\S+\+00:00\. "
        r"Wait for it to end; a run can start at once under another name \(`--params experiment=OTHER_NAME`\)\.",
        str(refused.value),
    )


def test_a_killed_holder_does_not_block(tmp_path: Path, repository: Path) -> None:
    with holder_of(tmp_path, repository) as holder:
        holder.kill()
        holder.wait()
        take_lock(tmp_path).release()


def test_one_process_cannot_take_a_lock_twice_and_gives_it_back(tmp_path: Path) -> None:
    lock = take_lock(tmp_path)
    with pytest.raises(DatasetError, match=f"process {os.getpid()} on"):
        take_lock(tmp_path)
    lock.release()
    lock.release()
    assert lock_file(tmp_path).exists()
    assert not holder_file(tmp_path).exists()
    assert list(tmp_path.iterdir()) == []
    take_lock(tmp_path).release()


def test_a_lock_whose_file_was_deleted_is_taken_again(tmp_path: Path) -> None:
    lock = take_lock(tmp_path)
    lock_file(tmp_path).unlink()
    lock.keep()
    with pytest.raises(DatasetError, match=f"process {os.getpid()} on"):
        take_lock(tmp_path)
    lock.release()
    lock.keep()  # It was given back: there is nothing to keep.
    take_lock(tmp_path).release()


def test_a_lock_that_another_has_taken_since_is_lost(tmp_path: Path) -> None:
    lost = take_lock(tmp_path)
    lock_file(tmp_path).unlink()
    other = take_lock(tmp_path)
    for _ in range(2):
        with pytest.raises(DatasetError, match=r"was deleted while this one went on.*in use by process"):
            lost.keep()
    lost.release()
    assert holder_file(tmp_path).exists()  # The other's.
    other.release()


def holder_file(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.lock.json"


def who(process: int, born: float) -> str:
    return json.dumps({"host": socket.gethostname(), "process": process, "born": born, "since": "2020"})


def dead_process() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


@pytest.mark.parametrize("left", ["dead", "number given again", "half written", "empty", "missing"])
def test_what_a_killed_holder_said_is_not_believed(tmp_path: Path, left: str) -> None:
    said = {
        "dead": who(dead_process(), 1.0),
        "number given again": who(os.getpid(), psutil.Process().create_time() - 1000),
        "half written": who(os.getpid(), 1.0)[:20],
        "empty": "",
    }
    if left in said:
        holder_file(tmp_path).write_text(said[left])
    with FileLock(lock_file(tmp_path)), pytest.raises(DatasetError, match="is in use by another process\\."):
        take_lock(tmp_path)


def test_a_holder_that_has_just_taken_the_lock_is_waited_for_until_it_says_who_it_is(tmp_path: Path) -> None:
    holder = holder_file(tmp_path)
    holder.write_text(who(dead_process(), 1.0))
    words = who(os.getpid(), psutil.Process().create_time())
    with FileLock(lock_file(tmp_path)):
        threading.Timer(0.3, lambda: holder.write_text(words)).start()
        with pytest.raises(DatasetError, match=f"in use by process {os.getpid()} on .* since 2020\\."):
            take_lock(tmp_path)


def test_a_lock_that_is_given_back_in_that_moment_is_taken(tmp_path: Path) -> None:
    lock = FileLock(lock_file(tmp_path), thread_local=False)
    lock.acquire()
    threading.Timer(0.3, lock.release).start()
    take_lock(tmp_path).release()


# What a notebook does: run after run in one process, some of which fail. Not in the process of the tests, where Kedro
# knows another project.
NOTEBOOK = '''
import os, subprocess, sys, threading, time
from pathlib import Path
from kedro.framework.hooks import hook_impl
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError

bootstrap_project(Path.cwd())
errors = []  # As a notebook keeps the last error, and all that its traceback holds.

def run(*hooks, **parameters):
    with KedroSession.create(runtime_params=parameters) as session:
        for hook in hooks:
            session._hook_manager.register(hook)
        try:
            session.run()
        except BaseException as error:
            errors.append(error)
            return f"{type(error).__name__}: {error}"
    return "finished"

TAKE = """
from pathlib import Path
from archatlas.kedro_ext.run_lock import take_lock
take_lock(Path("data/work/first")).release()
print("free")
"""

def run_elsewhere():
    done = subprocess.run([sys.executable, "-c", TAKE], capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines()[-1]

class Refusing:
    @hook_impl
    def before_pipeline_run(self):
        raise ValueError("refused by a hook")
'''


@pytest.fixture
def notebook(tmp_path: Path, repository: Path) -> Iterator[list[str]]:
    """Runs cells (code) in one process; gives what they print, line by line."""
    shutil.copytree(Path(__file__).parent / "toy", tmp_path, dirs_exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(repository / "src"), "COLUMNS": "300"}

    def run(cells: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", NOTEBOOK + cells], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return [line for line in done.stdout.splitlines() if line.startswith(">")]

    return run


def test_a_notebook_goes_on_after_runs_that_ended_in_every_way(notebook) -> None:
    assert notebook("""
print(">", run(ending="interrupt"))  # Kedro calls no hook at its end.
print(">", run())
print(">", run(ending="fault"))
print(">", run_elsewhere())
print(">", run(Refusing()))  # The lock was taken before.
print(">", run())
print(">", run_elsewhere())
""") == [
        "> KeyboardInterrupt: ",
        "> finished",
        "> ValueError: a fault",
        "> free",
        "> ValueError: refused by a hook",
        "> finished",
        "> free",
    ]


@pytest.mark.parametrize("end", ['run(ending="interrupt")', "run(Refusing())"])
def test_a_notebook_that_stays_open_holds_no_lock_of_a_run_that_is_over(notebook, end: str) -> None:
    assert notebook(f"""
{end}
time.sleep(1.5)
print(">", run_elsewhere())
""") == ["> free"]


def test_runs_side_by_side_in_one_process(notebook) -> None:
    lines = notebook("""
first = threading.Thread(target=lambda: print(">", run(seconds=4)))
first.start()
while not Path("data/work/first/working").exists():
    time.sleep(0.02)
print(">", run())
print(">", run(experiment="second"))
print(">", run())
print(">", run_elsewhere())
first.join()
print(">", run())
print(">", run_elsewhere())
""")
    refused, beside, still, elsewhere, *rest = lines
    assert "DatasetError" in refused
    assert "is in use by process" in refused
    assert beside == "> finished"
    assert still == refused
    assert "is in use by process" in elsewhere
    assert rest == ["> finished", "> finished", "> free"]
