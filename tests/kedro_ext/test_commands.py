"""``kedro run`` of a project of its own, in processes that are stopped and on disks that are full."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from kedro.io import DatasetError
from kedro.runner import ThreadRunner

from archatlas.kedro_ext.commands import incremental_run, with_plain_errors
from archatlas.kedro_ext.run_lock import take_lock

INCREMENTAL = "archatlas.kedro_ext.incremental.IncrementalRunner"


class Toy:
    """A copy of the toy project."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder = folder
        shutil.copytree(Path(__file__).parent / "toy", folder, dirs_exist_ok=True)
        self.environment = os.environ | {"PYTHONPATH": str(repository / "src"), "COLUMNS": "300"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "kedro", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A job in a script's background ignores Ctrl-C, and so would what the tests start there.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def run(self, *parameters: str, runner: str = INCREMENTAL) -> tuple[int, str]:
        process = self.start("run", "--runner", runner, "--params", ",".join(parameters or ["seconds=0"]))
        output, errors = process.communicate(timeout=60)
        assert "Traceback" not in output + errors
        return process.returncode, errors

    def start_working(self, *parameters: str, runner: str = INCREMENTAL) -> subprocess.Popen[str]:
        """A run whose node ``work`` has begun and lasts for a minute."""
        process = self.start("run", "--runner", runner, "--params", ",".join(["seconds=60", *parameters]))
        deadline = time.monotonic() + 60
        while not (self.folder / "data/work/first/working").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        time.sleep(0.1)
        return process

    def versions(self, name: str) -> list[str]:
        return sorted(file.read_text() for file in (self.folder / "data/made/first" / name).glob("*/*"))


@pytest.fixture
def toy(tmp_path: Path, repository: Path) -> Toy:
    return Toy(tmp_path, repository)


@pytest.mark.parametrize("runner", ["SequentialRunner", INCREMENTAL])
@pytest.mark.parametrize(
    ("number", "words", "code"), [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)]
)
def test_a_stopped_run_says_how_to_go_on(toy: Toy, runner: str, number: int, words: str, code: int) -> None:
    process = toy.start_working(runner=runner)
    process.send_signal(number)
    stopped = time.monotonic()
    output, errors = process.communicate(timeout=30)
    assert time.monotonic() - stopped < 5
    assert process.returncode == code
    assert f"Stopped by {words}" in errors
    assert "What was finished is kept: run the same command again to go on." in errors
    assert "Traceback" not in output + errors
    take_lock(toy.folder / "data/work/first").release()
    assert toy.run(runner=runner)[0] == 0
    assert toy.versions("report.json") == ['{\n  "letters": 10\n}']


def test_the_second_signal_ends_a_run_that_does_not_end(toy: Toy) -> None:
    process = toy.start_working("ending=never")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(1) == -signal.SIGINT
    process.communicate()
    take_lock(toy.folder / "data/work/first").release()


def test_a_signal_that_comes_twice_at_once_is_one(toy: Toy) -> None:
    process = toy.start_working()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 143
    assert "Stopped by SIGTERM" in errors


def test_a_run_that_is_killed_leaves_what_was_finished(toy: Toy) -> None:
    process = toy.start_working()
    process.kill()
    process.communicate()
    assert toy.run()[0] == 0
    assert len(toy.versions("text.txt")) == 1  # The node before the killed one did not run again.
    assert len(toy.versions("worked.txt")) == 1


def test_a_run_whose_work_folder_is_deleted_still_keeps_others_out_and_ends_well(toy: Toy) -> None:
    process = toy.start_working("seconds=2")
    shutil.rmtree(toy.folder / "data/work/first")
    with pytest.raises(DatasetError, match=f"is in use by process {process.pid} on"):
        take_lock(toy.folder / "data/work/first")
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0, errors


def test_a_run_whose_lock_is_deleted_stops_where_another_has_begun(toy: Toy) -> None:
    process = toy.start_working()
    shutil.rmtree(toy.folder / "data/work")
    (toy.folder / "data/work/first").mkdir(parents=True)
    other = take_lock(toy.folder / "data/work/first")
    output, errors = process.communicate(timeout=10)
    other.release()
    assert process.returncode == 1
    assert "Traceback" not in output + errors
    assert re.search(
        rf"Stopped at work: \S+\.first\.lock, which kept other runs out, was deleted while this one went on, and "
        rf"another has begun since: \S+ is in use by process {os.getpid()} on",
        errors,
    )


@pytest.mark.parametrize("runner", ["SequentialRunner", INCREMENTAL])
def test_an_expected_error_in_a_node_is_told_once(toy: Toy, runner: str) -> None:
    code, errors = toy.run("ending=refusal", runner=runner)
    assert code == 1
    assert errors.count("so it cannot be") == 1
    assert "Error: so it cannot be\n" in errors


def test_of_a_fault_kedro_says_in_which_node_it_was(toy: Toy) -> None:
    process = toy.start("run", "--runner", INCREMENTAL, "--params", "ending=fault")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    told = output + errors
    assert "failed with error" in told
    assert "Traceback" in told


@contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """A small disk at the folder, for its superuser only."""
    folder.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("runner", ["SequentialRunner", INCREMENTAL])
def test_a_full_disk_ends_in_one_message_and_earlier_results_are_intact(toy: Toy, runner: str) -> None:
    with disk(toy.folder / "data", "300k"):
        assert toy.run(runner=runner)[0] == 0
        earlier = toy.versions("report.json")
        code, errors = toy.run("letters=1000000", runner=runner)
        assert code == 1
        lines = [line for line in errors.splitlines() if line.startswith("Error")]
        assert len(lines) == 1
        assert re.fullmatch(
            r"Error: cannot write data/made/first/text\.txt/\S+/text\.txt: no space is left on the device\. "
            r"Free some \(`kedro clean --dry-run` shows what old versions take\), then run the same command again: "
            r"earlier results and finished parts are intact\.",
            lines[0],
        )
        assert toy.versions("report.json") == earlier
        assert toy.versions("text.txt") == ["x" * 10]
        assert toy.run("letters=20", runner=runner)[0] == 0  # There is nothing to clear away.


@pytest.mark.parametrize("runner", ["SequentialRunner", INCREMENTAL])
def test_a_read_only_disk_ends_in_one_message(toy: Toy, runner: str) -> None:
    with disk(toy.folder / "data", "300k"):
        assert toy.run(runner=runner)[0] == 0
        subprocess.run(["mount", "-o", "remount,ro", toy.folder / "data"], check=True)
        code, errors = toy.run("letters=20", runner=runner)
        assert code == 1
        assert "cannot write data/work/.first.lock: the file system is read-only. Make it writable" in errors
        subprocess.run(["mount", "-o", "remount,rw", toy.folder / "data"], check=True)
        assert toy.versions("report.json") == ['{\n  "letters": 10\n}']
        assert toy.run("letters=20", runner=runner)[0] == 0


def test_a_read_only_disk_can_be_explained(toy: Toy) -> None:
    (toy.folder / "src/toy/cli.py").write_text(
        "from archatlas.kedro_ext.commands import incremental_run, project_group\n"
        "run = incremental_run()\ncli = project_group('toy', run)\n"
    )
    with disk(toy.folder / "data", "300k"):
        subprocess.run(["mount", "-o", "remount,ro", toy.folder / "data"], check=True)
        output, errors = toy.start("run", "--explain").communicate(timeout=60)
        assert "3 of 3 nodes run; 0 are used again." in output, errors


def test_old_versions_can_be_dropped_from_a_full_disk(toy: Toy) -> None:
    with disk(toy.folder / "data", "500k"):
        assert toy.run("letters=100000")[0] == 0
        assert toy.run("letters=1")[0] == 0
        with (toy.folder / "data/filling").open("wb", buffering=0) as filling:
            assert filling.write(bytes(2**20)) < 2**20  # as much as there was space for
        assert "no space is left on the device" in toy.run("letters=50000")[1]
        process = toy.start("clean", "--keep", "1")
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "0.2 MiB  went: " in output
        assert toy.run("letters=50000")[0] == 0


class Refusal(Exception):
    """A mistake of the user's."""


def answer(raised: BaseException) -> tuple[int, str]:
    """Exit code and output of a command in whose function this is raised."""

    def command() -> None:
        raise raised

    callback = with_plain_errors(command, Refusal)
    answered = CliRunner().invoke(click.Command("command", callback=callback))
    return answered.exit_code, answered.output


def caused_by(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def noted(error: BaseException, note: str) -> BaseException:
    error.add_note(note)
    return error


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (Refusal("so it cannot be"), "Error: so it cannot be\n"),
        (caused_by(DatasetError("Failed while saving"), Refusal("so it cannot be")), "Error: so it cannot be\n"),
        (DatasetError("there is no such file"), "Error: there is no such file\n"),
        (
            caused_by(RuntimeError("in a worker"), OSError(errno.EDQUOT, "Disk quota exceeded", "/some/where")),
            "cannot write /some/where: the disk quota is used up. Free some (`kedro clean",
        ),
        (
            caused_by(
                DatasetError("Failed while saving data to dataset X(filepath=PurePosixPath('/data/m.safetensors'))."),
                ValueError("Error while serializing: I/O error: No space left on device (os error 28)"),
            ),
            "cannot write /data/m.safetensors: no space is left on the device.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/nowhere/x"),
            "cannot write /nowhere/x: permission is denied. Make it writable",
        ),
        (
            noted(OSError(errno.ENOSPC, "No space left on device"), "while writing /work/part.json"),
            "cannot write /work/part.json:",
        ),
        (
            IsADirectoryError(errno.EISDIR, "Is a directory", "/work/part.json"),
            "cannot use /work/part.json: a folder lies where a file belongs. Move what lies there away, or delete it",
        ),
        (
            caused_by(DatasetError("Failed"), NotADirectoryError(errno.ENOTDIR, "Not a directory", "/data/records/a")),
            "cannot use /data/records/a: a file lies where a folder belongs.",
        ),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "/data/xyz"),
            "cannot use /data/xyz: the name is too long for the file system. Take a shorter one",
        ),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), f"cannot use {'x' * 300}: the name is too long"),
        (MemoryError(), "memory ran out (MemoryError). Ask for less at a time (fewer workers, smaller batches)"),
        (
            caused_by(DatasetError("Failed"), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nand more")),
            "memory ran out (CUDA out of memory. Tried to allocate 2 GiB). Ask for less",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot write a file: no space is left on the device."),
    ],
)
def test_what_can_be_foreseen_has_a_message_and_no_traceback(raised: BaseException, message: str) -> None:
    code, output = answer(raised)
    assert code == 1
    assert message in output


def test_the_file_that_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("a file")
    with pytest.raises(OSError) as failed:  # noqa: PT011 (which one depends on the system)
        (tmp_path / "records/first/a.json").read_text()
    assert f"cannot use {tmp_path}/records: a file lies where a folder belongs." in answer(failed.value)[1]


@pytest.mark.parametrize("hidden", ["a.png", "."])
def test_what_may_not_be_read_is_not_said_to_be_written(open_folder: Path, unprivileged: Any, hidden: str) -> None:
    file = open_folder / "a.png"
    file.write_text("a")
    (open_folder / hidden).chmod(0)
    with unprivileged():
        with pytest.raises(PermissionError) as failed:
            file.read_text()
        told = answer(failed.value)[1]
    assert f"cannot read {file}: permission is denied. Make it, and the folders that it lies in, readable" in told
    open_folder.chmod(0o555)
    with unprivileged():
        with pytest.raises(PermissionError) as failed:
            (open_folder / "new").write_text("b")
        told = answer(failed.value)[1]
    assert f"cannot write {open_folder}/new: permission is denied." in told


def test_a_refusal_is_told_though_the_disk_is_full_as_well() -> None:
    assert answer(caused_by(Refusal("no"), OSError(errno.ENOSPC, "full"))) == (1, "Error: no\n")


@pytest.mark.parametrize("raised", [ValueError("a fault"), OSError(errno.ECONNREFUSED, "refused")])
def test_faults_keep_their_traceback(raised: Exception) -> None:
    callback = with_plain_errors(click.pass_context(lambda _: (_ for _ in ()).throw(raised)))
    answered = CliRunner().invoke(click.Command("command", callback=callback))
    assert answered.exception is raised


class OwnThreads(ThreadRunner):
    """Somebody's own."""


@pytest.mark.parametrize("runner", ["ThreadRunner", "kedro.runner.ParallelRunner", f"{__name__}.OwnThreads"])
def test_a_runner_that_runs_nodes_side_by_side_is_refused(runner: str) -> None:
    told = CliRunner().invoke(incremental_run(), ["--runner", runner])
    assert told.exit_code == 1
    assert f"--runner={runner} runs nodes side by side" in told.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--async"], "--async: archatlas.kedro_ext.incremental.IncrementalRunner does not take this (the incremental"),
        (["--runner-params", "workers=3"], "--runner-params: archatlas.kedro_ext.incremental.IncrementalRunner does"),
        (["--runner", "SequentialRuner"], "--runner: there is no `SequentialRuner`"),
    ],
)
def test_a_runner_that_cannot_be_made_is_told_by_its_option(arguments: list[str], message: str) -> None:
    told = CliRunner().invoke(incremental_run(), arguments)
    assert told.exit_code == 1
    assert message in told.output
    assert isinstance(told.exception, SystemExit)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"run:\n\tpipelines: [a]\n", "options.yml, line 2: a tab stands among the spaces"),
        (b"pipelines: [a]\n", "options.yml has no section `run`, below which the options must stand"),
        (b"run: [a]\n", "options.yml has no section `run`, below which"),
        (b"- run\n", "options.yml, line 1: the file holds a list"),
        (b"", "options.yml has no section `run`, below which"),
        (b"run:\n  pipelines: frist\n", "--pipelines: there is no pipeline `frist`"),
        (None, "File 'options.yml' does not exist"),
    ],
)
def test_a_file_of_options_is_told_by_line_and_cure(
    toy: Toy, content: bytes | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy.folder)
    if content is not None:
        Path("options.yml").write_bytes(content)
    told = CliRunner().invoke(incremental_run(), ["--config", "options.yml"], prog_name="run")
    assert told.exit_code in (1, 2)
    assert message in told.output
    assert isinstance(told.exception, SystemExit)


def test_it_goes_along_to_another_project_as_the_page_says(tmp_path: Path, repository: Path) -> None:
    toy = Toy(tmp_path, tmp_path / "nowhere")
    package, ours = tmp_path / "src" / "toy", repository / "src" / "archatlas"
    shutil.copytree(ours / "kedro_ext", package / "kedro_ext", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "storage").mkdir()
    for name in ("__init__.py", "atomic.py", "table_file.py", "tensor_files.py", "walk.py"):
        shutil.copy(ours / "storage" / name, package / "storage")
    for file in [*tmp_path.rglob("*.py"), *tmp_path.rglob("*.yml")]:
        file.write_text(re.sub(r"\barchatlas(?=\.(kedro_ext|storage))", "toy", file.read_text()))
    (tmp_path / "nowhere" / "src").mkdir(parents=True)
    (tmp_path / "nowhere" / "src" / "archatlas.py").write_text("raise ImportError('it is not there')")
    code, errors = toy.run(runner="toy.kedro_ext.incremental.IncrementalRunner")
    assert code == 0, errors
    assert toy.versions("report.json") == ['{\n  "letters": 10\n}']


SHOWN = """
from pathlib import Path
from kedro_viz.integrations.kedro.data_loader import load_data
catalog, *_ = load_data(Path.cwd(), include_hooks=True)
print(">", catalog.load("report"))
"""


def test_kedro_viz_with_hooks_shows_the_current_results_and_not_the_newest(toy: Toy) -> None:
    for letters in (10, 5, 10):
        assert toy.run(f"letters={letters}")[0] == 0
    assert len(toy.versions("report.json")) == 2  # That of ten letters was used again.
    shown = subprocess.run(
        [sys.executable, "-c", SHOWN], cwd=toy.folder, env=toy.environment, capture_output=True, text=True, check=True
    )
    assert "> {'letters': 10}" in shown.stdout
