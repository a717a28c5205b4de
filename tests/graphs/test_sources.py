"""Networks as users name them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torch import nn

from archatlas.errors import ArchatlasError
from archatlas.graphs.onnx_reading import read_onnx
from archatlas.graphs.recording import record
from archatlas.graphs.sources import graph_of, name_of
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
        ("my_models:fails", r"(?s)Traceback.*line 18, in fails.*no such luck\nmy_models:fails could not be made"),
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


def test_a_network_without_weights_is_refused() -> None:
    with pytest.raises(ArchatlasError, match="ReLU has no weights"):
        graph_of(nn.ReLU(), (3, 8, 8))


def test_a_module_needs_the_shape_of_its_images() -> None:
    with pytest.raises(ArchatlasError, match="--input"):
        graph_of(nn.Conv2d(3, 4, 3))
