"""Networks as users name them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archatlas.errors import ArchatlasError
from archatlas.graphs.onnx_reading import read_onnx
from archatlas.graphs.recording import record
from archatlas.graphs.sources import NetworkSource, graph_of, name_of, real_module
from archatlas.networks.onnx_graph import onnx_graph

CODE = """
import torch
from torch import nn

number = 3
network = nn.Conv2d(3, 4, 3)

def make_small():
    return nn.Conv2d(3, 4, 3)

def make_by_rates():
    return nn.Conv2d(3, 4, 3 if torch.linspace(0, 1, 2)[1].item() == 1 else 5)

def needs(width):
    return nn.Conv2d(3, width, 3)

def parses():
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.parse_args([])

class Ends(nn.Conv2d):
    def forward(self, x):
        raise SystemExit(3)

def ends():
    return Ends(3, 4, 3)

def fails():
    raise RuntimeError("no such luck")

def no_module():
    return 3
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("my_models", "broken", "lacking"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    path = tmp_path / "my_models.py"
    path.write_text(CODE)
    (tmp_path / "broken.py").write_text("x = 1\ny = x / 0\n")
    (tmp_path / "lacking.py").write_text("import is_not_there_at_all\n")
    return path


@pytest.mark.parametrize(
    "source", ["my_models:make_small", "my_models:network", "my_models.py:make_small", "my_models:make_by_rates"]
)
def test_names_lead_to_networks(code: Path, source: str) -> None:
    assert graph_of(source, (3, 8, 8)) == record(nn.Conv2d(3, 4, 3), (3, 8, 8))
    assert name_of(source) == source


def test_modules_makers_and_files(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3))
    file = tmp_path / "a.onnx"
    file.write_bytes(onnx_graph(module, (3, 8, 8)))
    made = [graph_of(source, (3, 8, 8)) for source in (module, lambda: module, file, str(file))]
    assert made == [read_onnx(file)] * 4
    assert [name_of(file), name_of(module)] == ["a.onnx", "Sequential"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("my_models", "is no network: name an ONNX file"),
        ("my_models:make_smal", "my_models has no attribute 'make_smal'; did you mean `make_small`"),
        ("my_models:number", "must be a torch.nn.Module or make one, but is of type int"),
        ("my_models:no_module", "must make a torch.nn.Module, but made an object of type int"),
        ("my_models:needs", r"(?s)missing 1 required positional argument.*needs could not be made"),
        ("my_models:fails", r"(?s)Traceback.*line 31, in fails.*no such luck\nmy_models:fails could not be made"),
        ("my_models:parses", "^making my_models:parses ends the program: put what does so"),
        ("my_models:ends", "^running my_models:ends ends the program: put what does so"),
        ("your_models:make", "there is no module 'your_models'"),
        ("your_models.py:make", "there is no file 'your_models.py'"),
        ("broken:make", r"(?s)^Traceback.*broken.py\", line 2.*ZeroDivisionError.*\nimporting broken fails"),
        ("lacking:make", r"(?s)^Traceback.*is_not_there_at_all.*\nimporting lacking fails"),
        ("broken.py:make", r"(?s)^Traceback.*ZeroDivisionError.*\nimporting broken.py fails"),
    ],
)
def test_each_mistake_is_one_message(code: Path, source: str, said: str) -> None:
    with pytest.raises(ArchatlasError, match=said) as raised:
        graph_of(source, (3, 8, 8))
    assert "sources.py" not in str(raised.value)


@pytest.mark.filterwarnings("always")
def test_weights_from_a_file_are_no_warnings(recwarn: pytest.WarningsRecorder) -> None:
    state = nn.Conv2d(3, 4, 3).state_dict()

    def make() -> nn.Module:
        made = nn.Conv2d(3, 4, 3)
        made.load_state_dict(state)
        return made

    assert graph_of(make, (3, 8, 8)).params == 112
    assert not recwarn.list


class ReadsItsBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.register_buffer("k", torch.tensor([2]))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x[:, :, int(self.k[0]) :])


class Decides(ReadsItsBuffer):
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) if x.sum() > 0 else x


def test_what_makes_a_module_is_taken_where_the_module_is() -> None:
    expected = graph_of(ReadsItsBuffer(), (3, 8, 8))
    assert expected.nodes["places_out"].tolist() == [64, 48, 24]
    assert graph_of(ReadsItsBuffer, (3, 8, 8)) == expected
    with pytest.raises(ArchatlasError, match="decides by the numbers"):
        graph_of(Decides, (3, 8, 8))


@pytest.mark.parametrize(
    "named", [lambda module: module, lambda module: lambda: module, lambda module: torch.compile(module)]
)
def test_a_module_that_runs_elsewhere_stays_in_training(named: Callable[[nn.Module], NetworkSource]) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    real = real_module(named(module))
    assert [part.training for part in module.modules()] == [True] * 3
    assert [part.training for part in real.modules()] == [False] * 3
    assert torch.equal(real[0].weight, module[0].weight)
    assert real[0].weight is not module[0].weight


def test_a_module_that_cannot_be_copied_is_named() -> None:
    module = nn.Conv2d(3, 4, 3)
    module.generator = (one for one in (1, 2))
    with pytest.raises(ArchatlasError, match="Conv2d cannot be copied: TypeError"):
        real_module(module)


def test_a_network_without_weights_is_refused() -> None:
    with pytest.raises(ArchatlasError, match="ReLU has no weights"):
        graph_of(nn.ReLU(), (3, 8, 8))


def test_a_module_needs_the_shape_of_its_images() -> None:
    with pytest.raises(ArchatlasError, match="--input"):
        graph_of(nn.Conv2d(3, 4, 3))
