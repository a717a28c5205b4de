"""``kedro verify`` on the toy project: what is damaged, missing or edited is named, and made again by what it says."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from archatlas.kedro_ext.run_lock import take_lock

INCREMENTAL = "archatlas.kedro_ext.incremental.IncrementalRunner"


class Toy:
    """A copy of the toy project, with results of one run."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder = folder
        shutil.copytree(Path(__file__).parent / "toy", folder, dirs_exist_ok=True)
        self._environment = os.environ | {"PYTHONPATH": str(repository / "src"), "COLUMNS": "300"}
        self.command = ["run", "--runner", INCREMENTAL, "--params", "experiment=mine"]
        self.kedro(*self.command)

    def kedro(self, *arguments: str, code: int = 0) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "kedro", *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return (done.stdout + done.stderr).splitlines()

    def verify(self, code: int) -> list[str]:
        return self.kedro("verify", "--params", "experiment=mine", code=code)

    def file(self, name: str) -> Path:
        return max((self.folder / "data/made/mine" / name).glob(f"*/{name}"))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Toy:
    return Toy(tmp_path_factory.mktemp("toy"), repository)


def flip_a_bit(file: Path) -> None:
    """As a disk does: in place, and no time changes."""
    digests = file.parents[5] / "data/records/mine/digests.json"
    content, before = bytearray(file.read_bytes()), file.stat()
    content[0] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    # The time of the change of status cannot be set back, so the record of it is set forward.
    known = json.loads(digests.read_text())
    known[str(file)]["stamp"][3] = file.stat().st_ctime_ns
    digests.write_text(json.dumps(known))


def test_all_that_is_not_as_it_was_saved_is_named_and_made_again_by_the_command_that_is_said(toy: Toy) -> None:
    whole = toy.verify(0)
    assert whole[-1].startswith("3 results recorded in data/records/mine (")
    assert whole[-1].endswith(" are as they were saved.")

    place = "data/made/mine"
    text, worked, report = (toy.file(name) for name in ("text.txt", "worked.txt", "report.json"))
    flip_a_bit(report)
    worked.unlink()
    text.write_text("x" * 7)
    link = toy.folder / "data/current/mine/report.json"
    link.unlink()
    link.write_text("{}")
    (toy.folder / "data/records/mine/current.json").write_text("{")
    session = report.parent.name
    manifest = toy.folder / place / "manifest.json" / session / "manifest.json"
    untouched = manifest.read_text()
    document = json.loads(untouched)
    document["nodes"]["report"]["outputs"]["report"]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(document))
    said = toy.verify(1)
    manifest.write_text(untouched)
    assert (
        f"{place}/manifest.json/{session}/manifest.json: "
        "edited: the manifest of a run, which names another SHA-256 of `report`" in said
    )
    assert "data/records/mine/current.json: damaged: the list of current results" in said
    assert (
        f"{place}/report.json/{report.parent.name}/report.json: "
        "damaged: other bytes, though its size and times are those of before (`report`)" in said
    )
    assert f"{place}/worked.txt/{worked.parent.name}/worked.txt: missing (`worked`)" in said
    assert any(
        line.startswith(f"{place}/text.txt/{text.parent.name}/text.txt: edited or overwritten on") for line in said
    )
    assert any(line.endswith(", 7 bytes instead of 10 (`text`)") for line in said)
    assert "data/current/mine/report.json: replaced: it is no link to the current result any more" in said
    assert "6 are not as recorded in data/records/mine." in said
    making = next(line for line in said if line.startswith("Made again by: "))

    toy.kedro(*shlex.split(making.partition("kedro ")[2]))
    assert toy.verify(0)[-1] == whole[-1]
    assert report.read_text()[0] != "{"  # What was made again is a version of its own.
    assert toy.file("report.json").read_text() == '{\n  "letters": 10\n}'


def test_damaged_records_and_manifests_are_named(toy: Toy) -> None:
    record = next((toy.folder / "data/records/mine/nodes/make").glob("*.json"))
    session = toy.file("report.json").parent.name
    manifest = toy.file("manifest.json").parent.parent / session / "manifest.json"
    kept = {file: file.read_text() for file in (record, manifest)}
    record.write_text(kept[record].replace("make", "fake"))
    manifest.write_text("{")
    said = toy.verify(1)
    assert f"data/records/mine/nodes/make/{record.name}: damaged: the record of a node" in said
    assert f"data/made/mine/manifest.json/{session}/manifest.json: damaged: the manifest of a run" in said
    for file, text in kept.items():
        file.write_text(text)


def test_it_waits_for_no_run(toy: Toy) -> None:
    lock = take_lock(toy.folder / "data/work/mine")
    assert f"is in use by process {os.getpid()} on" in toy.verify(1)[-1]
    lock.release()


def test_where_nothing_ran_one_message_says_so(toy: Toy) -> None:
    said = toy.kedro("verify", code=1)
    assert said[-1].startswith("Error: nothing is recorded in data/records/first: nothing has run there.")
    assert not (toy.folder / "data/records/first").exists()
