"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import hypothesis
import pytest
import torch

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage

os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")
# How long an example takes is no property of the code: machines are busy at times.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

REPOSITORY = Path(__file__).parent.parent

_NO_NETWORK = """
import os, sys

def refuse(event, arguments):
    if event not in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect"):
        return
    where = arguments[1] if event == "socket.connect" else arguments[0]
    host = where[0] if isinstance(where, tuple) else where
    if event == "socket.connect" and not isinstance(where, tuple):
        return  # A socket of this machine.
    if host not in (None, "", "localhost", "127.0.0.1", "0.0.0.0", "::1"):
        with open(os.environ["ASKED_FOR"], "a") as file:
            print(host, file=file)
        raise OSError("there is no network here")

sys.addaudithook(refuse)
"""


LONGEST_FIRST = (
    "test_project.py",
    "kedro_ext/test_commands.py",
    "verification/test_trainings.py",
    "pipelines/test_nasi.py",
    "pipelines/test_search_stages.py",
    "systems/test_methods.py",
    "kedro_ext/test_clean.py",
    "supernet/test_train.py",
    "predictors/test_tuning.py",
    "kedro_ext/test_datasets.py",
    "systems/test_evaluators.py",
    "training/test_loop.py",
    "pipelines/test_predictor_stages.py",
)
"""Files whose tests take longest: they begin first, so that no process is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, all else as it was found."""
    order = {REPOSITORY / "tests" / file: place for place, file in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Callable[[], Path]:
    """Makes a checkout of its own each time: the code and configuration of this one, and no data."""

    def made() -> Path:
        folder = tmp_path_factory.mktemp("project")
        shutil.copy(repository / "pyproject.toml", folder)
        for name in ("conf", "src"):
            shutil.copytree(
                repository / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        return folder

    return made


@pytest.fixture(scope="session")
def run_in() -> Callable[..., str]:
    """``kedro run`` with arguments in a checkout, which has to end well: what it says."""

    def run(folder: Path, *arguments: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(folder / "src")}
        command = [sys.executable, "-m", "kedro", "run", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout + done.stderr

    return run


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others may enter too, unlike ``tmp_path``, which root keeps to itself."""
    with tempfile.TemporaryDirectory(prefix="archatlas-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def without_rights_of_root() -> Iterator[None]:
    """Whoever runs the tests may read and write what a user without privileges may. Nothing is to be imported here."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """``without_rights_of_root``."""
    return without_rights_of_root


@pytest.fixture
def told_of_machine(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[str]]:
    """Tells which of this machine's names and places stand in a file; the user has a name of no other meaning."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "quentin-user")
    places = [repository, Path.cwd(), tmp_path, tempfile.gettempdir(), sys.prefix, Path(torch.__file__).parent.parent]
    words = ["quentin-user", *map(str, places), f"{Path.home()}/", "site-packages", "/home/", "/Users/"]
    host = socket.gethostname()

    def told(file: Path) -> list[str]:
        content = file.read_bytes()
        found = [word for word in words if word.encode() in content]
        # A short name may stand among weights by chance.
        if b"\0" not in content or len(host) > 6:
            found += re.findall(rf"\b{re.escape(host)}\b", content.decode("latin-1"))
        return found

    return told


@pytest.fixture
def watched(tmp_path: Path, repository: Path) -> Watched:
    """Python processes that get no network, and are asked afterwards for the hosts that they tried."""
    (tmp_path / "sitecustomize.py").write_text(_NO_NETWORK)
    return Watched(tmp_path, repository)


class Watched:
    """What a Python process needs to be watched (``environment``), and which hosts those that had it asked for."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self._asked = folder / "asked_for"
        kept = {name: value for name, value in os.environ.items() if name not in _OFFLINE_ALREADY}
        path = os.pathsep.join([str(folder), str(repository / "src")])
        self.environment = kept | {"PYTHONPATH": path, "ASKED_FOR": str(self._asked)}

    @property
    def hosts(self) -> set[str]:
        return set(self._asked.read_text().split()) if self._asked.exists() else set()


_OFFLINE_ALREADY = ("CI", "DO_NOT_TRACK", "KEDRO_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


@pytest.fixture(scope="session")
def benchmark_data() -> Path:
    """The folder of public tables and CIFAR-10; skips the test where there is none."""
    folder = Path(os.environ.get("ARCHATLAS_BENCHMARK_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no benchmark data in {folder} (set ARCHATLAS_BENCHMARK_DATA)")
    return folder


@pytest.fixture
def space() -> ChainSpace:
    """A tiny chain: two stages of two positions."""
    return ChainSpace(
        name="tiny",
        input_shape=(1, 8, 8),
        num_classes=3,
        stem_width=4,
        stages=(Stage(4, 2, 1), Stage(6, 2, 2)),
        operations=tuple(Operation.parse(name) for name in ("k3e1", "k3e2", "skip")),
        head_width=8,
    )


@pytest.fixture
def images() -> ImageSplit:
    """Three classes told apart by which third of the image is bright."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(48) % 3
    pixels = torch.randint(0, 60, (48, 1, 8, 8), generator=generator, dtype=torch.uint8)
    for index, label in enumerate(labels.tolist()):
        pixels[index, :, 3 * label : 3 * label + 2] += 180
    return ImageSplit(pixels, labels)


@pytest.fixture
def description() -> ImageDescription:
    """What is to be known of ``images``."""
    return ImageDescription(
        class_names=("top", "middle", "bottom"),
        channels=1,
        image_size=8,
        mean=(0.3,),
        std=(0.3,),
        splits={"train": 48},
        source="test",
    )
