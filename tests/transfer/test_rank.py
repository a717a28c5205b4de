"""What users type: which of my networks first?"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

import archatlas
from archatlas.errors import ArchatlasError
from archatlas.graphs.computation_statistics import statistic_names
from archatlas.networks.onnx_graph import onnx_graph
from archatlas.rank_command import rank_command
from archatlas.reporting.ranking.page import render_ranking
from archatlas.reporting.ranking.text import render_text
from archatlas.spaces.presets import preset
from archatlas.transfer.predictor import TransferPredictor, shipped

SHIPPED = Path(archatlas.__file__).parent / "transfer/shipped/transfer_predictor.safetensors"


def residual(width: int, blocks: int, stem_stride: int = 1) -> nn.Module:
    """A plain residual network of three stages, as He et al. have it for CIFAR-10."""
    from archatlas.networks.cells import ResidualReduction

    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, stem_stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    for stage in range(3):
        out = width * 2**stage
        if stage:
            layers.append(ResidualReduction(out // 2, out, 2))
        for _ in range(blocks):
            layers += [nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10))


def export(folder: Path, choice: int = 1) -> tuple[Path, nn.Module]:
    """A network of NAS-Bench-Macro with the same block everywhere, as an ONNX file and as a module."""
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    module = space.build(np.full(8, choice, dtype=np.int8)).eval()
    file = folder / f"macro_{choice}.onnx"
    file.write_bytes(onnx_graph(module, (3, 32, 32)))
    return file, module


def small() -> nn.Module:
    return residual(8, 1)


def large() -> nn.Module:
    return residual(32, 3)


@pytest.fixture(scope="module")
def ranking() -> Any:
    return archatlas.rank([small, large, large], (3, 32, 32))


def test_the_larger_of_two_alike_is_ahead_and_twins_share_a_rank(ranking: Any) -> None:
    assert [(one.rank, one.name) for one in ranking.networks] == [(1, "large (1)"), (1, "large (2)"), (3, "small")]
    first, last = ranking.networks[0], ranking.networks[-1]
    assert (ranking.task, ranking.order) == ("cifar", "predicted")
    assert first.params == sum(parameter.numel() for parameter in large().parameters())
    assert first.macs > 10 * last.macs
    assert first.percentile > last.percentile
    low, high = first.interval_80
    lowest, highest = first.interval_95
    assert lowest <= low <= first.percentile <= high <= highest


def test_the_task_follows_from_the_images_unless_it_is_named() -> None:
    large_images = archatlas.rank([lambda: residual(64, 2, 2)], (3, 224, 224))
    assert (large_images.task, large_images.speaking) == ("imagenet", ("timm",))
    assert archatlas.rank([small], (3, 32, 32), task="imagenet").task == "imagenet"


def test_an_export_stands_where_its_module_does(tmp_path: Path) -> None:
    file, module = export(tmp_path, 2)
    other, _ = export(tmp_path, 0)
    found = archatlas.rank([other, file, module], (3, 32, 32), latency=True)
    assert [(one.rank, one.name) for one in found.networks] == [(1, "macro_2.onnx"), (1, "Chain"), (3, "macro_0.onnx")]
    by_name = {one.name: one for one in found.networks}
    assert by_name["macro_2.onnx"].percentile == pytest.approx(by_name["Chain"].percentile)
    assert by_name["macro_2.onnx"].macs == by_name["Chain"].macs
    assert by_name["Chain"].nearest[0].startswith("nas_bench_macro 2")
    assert min(by_name["macro_2.onnx"].latency_ms, by_name["Chain"].latency_ms) > by_name["macro_0.onnx"].latency_ms > 0


def test_what_is_like_nothing_known_is_ordered_by_what_is_counted() -> None:
    wide = [nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, width), nn.Linear(width, 10)) for width in (10, 4000)]
    found = archatlas.rank([lambda: wide[0], lambda: wide[1]], (3, 32, 32))
    assert found.order in ("params", "macs")
    assert "nobody knows" in found.why
    assert [one.percentile for one in found.networks] == [None, None]
    assert found.networks[0].params > found.networks[1].params
    assert all("farther from all known networks" in one.flags[0] for one in found.networks)
    assert "percentile" not in render_text(found)


class Block(nn.Module):
    """A block of a vision transformer, written out by hand."""

    def __init__(self, width: int, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(self.before(x)).unflatten(2, (3, -1, 64)).permute(2, 0, 3, 1, 4).unbind(0)
        scores = self.change(query * 0.125 @ key.transpose(2, 3)).softmax(3)
        x = x + self.out((scores @ value).transpose(1, 2).flatten(2))
        return x + self.mlp(self.between(x))


class DeiT(nn.Module):
    """DeiT-small, with something done to the scores of attention."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 384, 16, 16)
        self.token, self.places = nn.Parameter(torch.zeros(1, 1, 384)), nn.Parameter(torch.zeros(1, 197, 384))
        self.blocks = nn.Sequential(*(Block(384, change) for _ in range(12)))
        self.norm, self.head = nn.LayerNorm(384), nn.Linear(384, 1000)

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.cat([self.token, self.stem(x).flatten(2).transpose(1, 2)], 1) + self.places
        return self.head(self.norm(self.blocks(tokens))[:, 0])


@pytest.mark.parametrize(
    ("change", "distance", "flags"),
    [
        (lambda scores: scores.masked_fill(torch.eye(197, dtype=torch.bool), -1e9), 0.0, ()),
        (
            lambda scores: scores * torch.linalg.det(scores)[..., None, None],
            0.31,
            ("6% of its operators are of no known kind",),
        ),
        (lambda scores: scores + torch.zeros_like(scores), 0.23, ()),
    ],
)
def test_an_operator_in_every_block_turns_no_answer_upside_down(
    change: Callable[[Tensor], Tensor], distance: float, flags: tuple[str, ...]
) -> None:
    found = archatlas.rank(lambda: DeiT(change), (3, 224, 224))
    (one,) = found.networks
    assert (found.order, one.flags) == ("predicted", flags)
    assert one.distance == pytest.approx(distance, abs=0.01)
    assert one.percentile == pytest.approx(45, abs=10)


def test_one_that_cannot_be_read_keeps_no_other_from_being_ranked(ranking: Any) -> None:
    found = archatlas.rank([small, "nowhere:net", "gone.onnx"], (3, 32, 32))
    assert [one.name for one in found.networks] == ["small"]
    assert [name for name, _ in found.refused] == ["nowhere:net", "gone.onnx"]
    assert "no module 'nowhere'" in found.refused[0][1]
    assert "gone.onnx" in render_ranking(found)
    with pytest.raises(ArchatlasError, match=r"(?s)nowhere:net: there is no module.*\nthere is no file 'gone.onnx'"):
        archatlas.rank(["nowhere:net", "gone.onnx"], (3, 32, 32))
    with pytest.raises(ArchatlasError, match="no network was given"):
        archatlas.rank([])
    with pytest.raises(ArchatlasError, match="no task 'image_net'; did you mean `imagenet`"):
        archatlas.rank([small], (3, 32, 32), task="image_net")  # type: ignore[arg-type]


def test_numbers_of_names_are_those_of_what_was_given() -> None:
    """Also where the first of several that are called the same is refused."""

    class Net(nn.Sequential):
        pass

    def net(*layers: nn.Module) -> nn.Module:
        return Net(nn.Conv2d(3, 8, 3), *layers)

    given = [net(nn.Linear(7, 7)), net(), small, net(nn.Conv2d(8, 8, 3))]
    found = archatlas.rank(given, (3, 32, 32))
    assert [name for name, _ in found.refused] == ["Net (1)"]
    assert found.refusals[0].startswith("Net (1): Net does not run on an image")
    assert {one.name: one.index for one in found.networks} == {"Net (2)": 1, "small": 2, "Net (3)": 3}


def test_how_far_the_models_are_apart_is_said(ranking: Any) -> None:
    from archatlas.graphs.computation_statistics import statistics_of
    from archatlas.graphs.recording import record

    features = statistics_of([record(large(), (3, 32, 32))]).astype(np.float32)
    ridge, trees = shipped().tasks["cifar"].models.predict(features)[0]
    assert ranking.networks[0].spread == pytest.approx(abs(ridge - trees)) != 0
    assert ranking.document()["networks"][0]["spread"] == ranking.networks[0].spread


def test_text_and_page_say_the_same(ranking: Any) -> None:
    text, page = render_text(ranking), render_ranking(ranking)
    assert re.search(r"^ +1  large \(1\) +\d+ +\d+ to \d+ ", text, flags=re.MULTILINE)
    assert "large (2) cannot be told from large (1) (padding, dilation and slopes are not looked at)." in text
    assert f"{ranking.networks[0].percentile:.0f}" in page
    assert ranking.why[1:] in page
    assert ranking.why[1:] in text


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    export(tmp_path)[0].rename("small.onnx")
    run = CliRunner().invoke
    done = run(rank_command, ["small.onnx", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["networks"][0]["name"] == "small.onnx"
    partly = run(rank_command, ["small.onnx", "gone.onnx", "--html", "ranking.html"])
    assert partly.exit_code == 1
    assert "there is no file 'gone.onnx'" in partly.stderr
    assert "The page: ranking.html" in partly.stdout
    assert "<script" in (tmp_path / "ranking.html").read_text()
    refused = run(rank_command, ["small.onnx", "--input", "3x32"])
    assert refused.exit_code == 2
    assert "must be three numbers from 1 to 65536, such as 3x32x32, but got '3x32'" in refused.stderr
    assert "channels come first: 3x32x32" in run(rank_command, ["small.onnx", "--input", "32x32x3"]).stderr
    assert run(rank_command, ["small.onnx", "--input", "3x64x64"]).stderr == (
        "small.onnx takes images of shape 3x32x32, but got 3x64x64\n"
    )
    assert (
        "there is no file 'mine.safetensors'"
        in run(rank_command, ["small.onnx", "--predictor", "mine.safetensors"]).stderr
    )


def test_the_shipped_predictor_comes_back_from_its_state_and_is_small() -> None:
    made = shipped()
    assert SHIPPED.stat().st_size < 2 * 2**20
    again = TransferPredictor.from_state(made.state())
    for task, predictor in made.tasks.items():
        assert again.tasks[task].predict(made.known.features) == pytest.approx(
            predictor.predict(made.known.features), abs=1e-6
        )
        assert again.tasks[task].trust.bins.tolist() == predictor.trust.bins.tolist()


def test_another_version_or_another_file_is_refused(tmp_path: Path) -> None:
    state = load_file(SHIPPED)
    document = json.loads(state["document"].tobytes())
    assert tuple(document["features"]) == statistic_names()
    document["features"][0] = "log_of_something_else"
    state["document"] = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8).copy()
    other, damaged, foreign = (tmp_path / f"{name}.safetensors" for name in ("other", "damaged", "foreign"))
    save_file(state, other)
    damaged.write_bytes(SHIPPED.read_bytes()[:1000])
    save_file({"weights": np.zeros(3)}, foreign)
    with pytest.raises(ArchatlasError, match="with other features than this version"):
        TransferPredictor.from_file(other)
    with pytest.raises(ArchatlasError, match="is damaged or no safetensors file"):
        TransferPredictor.from_file(damaged)
    with pytest.raises(ArchatlasError, match="holds no transferable predictor"):
        TransferPredictor.from_file(foreign)


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.LazyConv2d(8, 3), nn.LazyLinear(10)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.first(images).relu().flatten(1))


def test_lazy_layers_see_an_image_first_and_the_users_module_stays_lazy() -> None:
    module = Lazy()
    found = archatlas.rank(module, (3, 16, 16))
    assert found.networks[0].params == 3 * 8 * 9 + 8 + 8 * 14 * 14 * 10 + 10
    assert isinstance(module.first.weight, nn.UninitializedParameter)


def test_the_time_of_a_fixed_batch_is_that_of_each_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx

    from archatlas.transfer import latency

    monkeypatch.setattr(latency, "quartiles_in_turn", lambda runs, **_: np.full((len(runs), 3), 12.0))
    files = []
    for batch in (1, 8):
        model = onnx.load_from_string(onnx_graph(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), (3, 8, 8)))
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = batch
        files.append(tmp_path / f"{batch}.onnx")
        onnx.save(model, files[-1])
    assert latency.latencies(files, None) == [12.0, 1.5]


def test_what_cannot_be_timed_keeps_its_place_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unexportable(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = small()

        def forward(self, images: Tensor) -> Tensor:
            if type(images).__name__ == "Proxy" or not images.is_meta:
                raise RuntimeError("not outside the recorder")
            return self.inner(images)

    module = Unexportable().train()
    found = archatlas.rank([module, small()], (3, 32, 32), latency=True)
    times = {one.name: one.latency_ms for one in found.networks}
    assert times["Unexportable"] is None
    assert times["Sequential"] is not None
    (refused,) = (one for one in found.networks if one.name == "Unexportable")
    assert "cannot be timed in onnxruntime" in refused.flags[-1]
    assert module.training, "a user's own module is timed as a copy"


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    files = []
    for choice in (1, 2):
        (tmp_path / str(choice)).mkdir()
        made, _ = export(tmp_path / str(choice), choice)
        files.append(made.rename(made.with_name("model.onnx")))
    found = archatlas.rank(files)
    assert {one.name for one in found.networks} == {str(file) for file in files}


def test_a_file_may_be_called_as_a_library_is_and_may_not_end_the_program(tmp_path: Path) -> None:
    import onnx

    (tmp_path / "onnx.py").write_text("import torch\n\ndef Net():\n    return torch.nn.Conv2d(3, 4, 3)\n")
    (tmp_path / "ends.py").write_text("raise SystemExit(2)\n")
    found = archatlas.rank([f"{tmp_path / 'onnx.py'}:Net", f"{tmp_path / 'ends.py'}:Net"], (3, 8, 8))
    assert [one.params for one in found.networks] == [3 * 4 * 9 + 4]
    assert sys.modules["onnx"] is onnx
    assert "ends the program: put what does so" in found.refused[0][1]


def test_what_networks_print_is_no_part_of_the_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talkative.py").write_text(
        "import torch\n\ndef Net():\n    print('made')\n    return torch.nn.Conv2d(3, 4, 3)\n"
    )
    result = CliRunner().invoke(rank_command, ["talkative.py:Net", "--input", "3x8x8", "--json"])
    assert json.loads(result.stdout)["networks"][0]["params"] == 112
