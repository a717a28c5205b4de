from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from archatlas.costs.measure_latency import call_of
from archatlas.costs.parameters import LatencyParameters
from archatlas.costs.runtimes import call_of_module
from archatlas.networks.blocks import MBConv
from archatlas.networks.onnx_file import write_onnx
from archatlas.networks.onnx_graph import UnknownOperationError, onnx_graph
from archatlas.spaces.presets import preset


def with_statistics(module: nn.Module) -> nn.Module:
    """Batch norms as after a training, so that none is an identity."""
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.running_mean.normal_()
            one.running_var.uniform_(0.5, 2)
            one.weight.data.normal_()
            one.bias.data.normal_()
    return module.eval()


MODULES = {
    "digits": lambda: preset("digits", (1, 8, 8), 10).build([0, 3, 6, 5, 1, 4]),
    "squeeze": lambda: MBConv(4, 4, kernel=3, expansion=3, squeeze_excitation=True, activation="hard_swish"),
    "relu6": lambda: MBConv(4, 6, kernel=5, expansion=1, stride=2, activation="relu6"),
    "nas_bench_201": lambda: preset("nas_bench_201", (3, 16, 16), 10).build([3, 4, 1, 2, 0, 3]),
    "pools": lambda: nn.Sequential(
        nn.MaxPool2d(3, 1, padding=1), nn.AvgPool2d(3, 2, padding=1), nn.AvgPool2d(2, count_include_pad=False)
    ),
}
SHAPES = {"digits": (1, 8, 8), "nas_bench_201": (3, 16, 16)}


@pytest.mark.parametrize("name", MODULES)
def test_the_graph_computes_what_the_module_does(name):
    torch.manual_seed(0)
    module, shape = with_statistics(MODULES[name]()), SHAPES.get(name, (4, 9, 9))
    content = onnx_graph(module, shape)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    for batch in (1, 3):
        x = torch.randn(batch, *shape)
        (given,) = call_of(content, x.numpy(), 1)()
        with torch.no_grad():
            assert np.abs(given - module(x).numpy()).max() <= 1e-5 * max(1.0, np.abs(given).max())


@pytest.mark.parametrize("name", ["digits", "squeeze"])
def test_onnxruntime_makes_the_same_of_it_as_of_an_exported_file(name, tmp_path):
    torch.manual_seed(0)
    module, shape = with_statistics(MODULES[name]()), SHAPES.get(name, (4, 9, 9))
    write_onnx(module, shape, tmp_path / "exported.onnx")
    (tmp_path / "graph.onnx").write_bytes(onnx_graph(module, shape))
    kinds = []
    for file in ("exported", "graph"):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = str(tmp_path / f"{file}_optimised.onnx")
        onnxruntime.InferenceSession(str(tmp_path / f"{file}.onnx"), options, providers=["CPUExecutionProvider"])
        optimised = onnx.load(options.optimized_model_filepath)
        kinds.append(Counter(node.op_type for node in optimised.graph.node))
    assert "BatchNormalization" not in kinds[0]
    assert "Relu" not in kinds[0] or name == "squeeze"
    assert kinds[0] == kinds[1]


def test_what_is_not_known_is_left_to_the_exporter():
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.GELU())
    with pytest.raises(UnknownOperationError):
        onnx_graph(module, (1, 4, 4))
    (given,) = call_of_module(module, (1, 4, 4), LatencyParameters())()
    x = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert np.abs(given - module(x).numpy()).max() <= 1e-5
