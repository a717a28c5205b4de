from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from archatlas.costs.measure_latency import device_name
from archatlas.costs.parameters import LatencyParameters
from archatlas.errors import ArchatlasError
from archatlas.networks.blocks import ConvNorm
from archatlas.networks.onnx_file import write_onnx
from archatlas.verification.int8 import quantise, write_int8
from archatlas.verification.onnx_run import accuracy_of, as_pixels, measure_files, onnx_logits

QUICK = LatencyParameters(calls=10, warm_up_calls=2)


class Bright(nn.Module):
    """Says which third of the rows is the brightest, through a convolution that only repeats its input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[:, :, 1, 1] = torch.arange(1, 9).view(8, 1) / 8
        self.blocks = nn.Sequential(nn.ReLU(), ConvNorm(8, 8, 3, groups=8), ConvNorm(8, 8))

    def forward(self, pixels):
        x = (pixels - 0.5) / 0.25
        y = self.conv(x) + 0.01 * self.blocks(self.conv(x))
        return y.unflatten(2, (3, 3)).mean(dim=(1, 3, 4))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("small") / "network.onnx"
    write_onnx(Bright(), (1, 9, 9), path, names=("pixels", "logits"), metadata={"class_names": '["a", "b", "c"]'})
    return path


@pytest.fixture(scope="module")
def split():
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(90) % 3
    images = torch.randint(0, 160, (90, 1, 9, 9), generator=generator, dtype=torch.uint8)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, 3 * label : 3 * label + 3] += 80
    return images, labels


def test_logits_are_those_of_the_network_whatever_the_batch(file, split):
    images, labels = split
    torch.manual_seed(0)
    with torch.no_grad():
        wanted = Bright().eval()(images.float() / 255).numpy()
    for batch in (1, 7, 90, 500):
        assert np.abs(onnx_logits(file, images, batch) - wanted).max() < 1e-5
    assert np.array_equal(onnx_logits(file, images), onnx_logits(file, images.numpy()))
    assert onnx_logits(file, images[:0]).shape == (0, 3)
    assert accuracy_of(wanted, labels) == 1


def test_eight_bits_say_the_same_with_less(file, split, tmp_path):
    images, labels = split
    target = tmp_path / "network_int8.onnx"
    quantise(file, as_pixels(images[:40].numpy()), target)
    exact, rounded = onnx_logits(file, images), onnx_logits(target, images)
    assert 0 < np.abs(exact - rounded).max() < 0.05 * np.abs(exact).max()
    assert accuracy_of(rounded, labels) == 1
    quantised = onnx.load(target)
    weights = [
        one for one in quantised.graph.initializer if one.data_type == onnx.TensorProto.INT8 and len(one.dims) == 4
    ]
    # The first layer and the last (here: the 1x1 convolution) stay as they are.
    assert [tuple(one.dims) for one in weights] == [(8, 1, 3, 3)]
    assert {one.key: one.value for one in quantised.metadata_props}["class_names"] == '["a", "b", "c"]'
    for secret in (str(Path.home()) + "/", sys.prefix, str(tmp_path), getpass.getuser() + "/", ".py"):
        assert secret.encode() not in target.read_bytes()


def test_both_files_are_compared_and_timed(file, split):
    images, _ = split
    summary = write_int8(file, images, 9, 40, QUICK, seed=0)
    json.dumps(summary)
    assert summary["file"] == f"{file.parent.name}/network_int8.onnx"
    assert (summary["calibration_images"], summary["compared_images"]) == (40, 40)
    assert summary["agreement"] == 1
    assert 0 < summary["mean_logit_difference"] <= summary["max_logit_difference"] < 0.2
    assert summary["latency_on"] == f"{device_name()}, onnxruntime"
    assert summary["bytes_float"] == file.stat().st_size
    assert summary["bytes"] == file.with_name("network_int8.onnx").stat().st_size
    for measured in summary["latency_ms"].values():
        assert 0 < measured["lower_quartile_ms"] <= measured["median_ms"] <= measured["upper_quartile_ms"]
    before = file.with_name("network_int8.onnx").read_bytes()
    # All images calibrate, so there are no others to compare on; the same draw gives the same file.
    assert write_int8(file, images, 9, 500, QUICK, seed=0)["compared_images"] == 90
    write_int8(file, images, 9, 40, QUICK, seed=0)
    assert file.with_name("network_int8.onnx").read_bytes() == before
    with pytest.raises(ArchatlasError, match=r"`export.int8` needs training images"):
        write_int8(file, images[:0], 9, 40, QUICK, seed=0)


def test_files_are_timed_in_the_order_given(file, tmp_path):
    large = nn.Sequential(*(nn.Conv2d(16 if layer else 1, 16, 5, padding=2) for layer in range(12)))
    write_onnx(large, (1, 9, 9), tmp_path / "large.onnx", names=("pixels", "logits"))
    small, slow = measure_files((file, tmp_path / "large.onnx"), (1, 9, 9), QUICK)
    assert small.upper_quartile_ms < slow.lower_quartile_ms
