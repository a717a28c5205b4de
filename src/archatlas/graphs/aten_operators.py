"""PyTorch's primitive operators as nodes of computation graphs: for what is recorded, and for recordings in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from archatlas.graphs.graph_builder import GraphBuilder, Shape, convolution_macs, known_channels, two

_VIEWS = (
    "view _unsafe_view _reshape_alias reshape permute transpose t expand clone contiguous unsqueeze squeeze alias "
    "detach _to_copy to lift_fresh repeat view_as_real view_as_complex _conj flatten native_dropout dropout "
    "resolve_conj resolve_neg movedim unflatten positive real"
)
VIEWS = frozenset(_VIEWS.split())
"""What moves, repeats or renames numbers, and computes nothing."""

_NAMES = {
    "batch_norm": "native_batch_norm _native_batch_norm_legit_no_training _native_batch_norm_legit cudnn_batch_norm "
    "_batch_norm_with_update _batch_norm_no_update batch_norm",
    "layer_norm": "native_layer_norm layer_norm rms_norm _fused_rms_norm",
    "group_norm": "native_group_norm group_norm instance_norm",
    "relu": "relu",
    "clip": "hardtanh relu6 clamp clamp_min clamp_max maximum minimum threshold",
    "leaky_relu": "leaky_relu _prelu_kernel prelu elu celu selu rrelu",
    "gelu": "gelu",
    "silu": "silu",
    "hard_swish": "hardswish",
    "sigmoid": "sigmoid log_sigmoid_forward softplus",
    "hard_sigmoid": "hardsigmoid",
    "tanh": "tanh erf",
    "softmax": "_softmax _safe_softmax _log_softmax softmax log_softmax",
    "add": "add sub rsub neg addcmul addcdiv lerp",
    "multiply": "mul div",
    "power": "pow sqrt rsqrt exp log log1p expm1 reciprocal square abs exp2 log2",
    "max_pool": "max_pool2d_with_indices max_pool2d max_pool3d_with_indices max_pool1d adaptive_max_pool2d",
    "average_pool": "avg_pool2d avg_pool3d avg_pool1d _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d",
    "mean": "mean",
    "reduce": "sum var var_mean std std_mean amax amin max min linalg_vector_norm norm prod logsumexp",
    "concat": "cat stack copy",
    "slice": "slice select split split_with_sizes unsafe_split unsafe_split_with_sizes unsafe_chunk chunk unbind "
    "narrow as_strided diagonal",
    "pad": "constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d pad",
    "upsample": "upsample_nearest1d upsample_nearest2d _upsample_nearest_exact2d upsample_bilinear2d "
    "upsample_bicubic2d upsample_linear1d _upsample_bilinear2d_aa _upsample_bicubic2d_aa upsample_trilinear3d "
    "upsample_nearest3d pixel_shuffle pixel_unshuffle grid_sampler_2d",
    "unfold": "im2col col2im unfold",
    "gather": "index gather index_select embedding roll flip channel_shuffle native_channel_shuffle sort topk scatter",
    "fill": "zeros_like ones_like full_like",
}
SPLITS = frozenset(
    ("split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk", "chunk", "unbind")
)
"""What gives several parts of what it reads."""

_OPERATOR_OF = {name: operator for operator, names in _NAMES.items() for name in names.split()}


@dataclass(frozen=True)
class AtenCall:
    """One call of a primitive operator.

    Attributes:
        name: without name space and overload, and without the underscore of in-place operators.
        operands: shape of each tensor that is read, in order, and its node; None if it does not depend on the input.
        output_shape: of the first result.
        params: parameters that are read here first.
        kernel: of a pool.
        stride: of a convolution or pool.
        groups: of a convolution.
        transposed: whether a convolution is.
    """

    name: str
    operands: Sequence[tuple[Shape, int | None]]
    output_shape: Shape
    params: int = 0
    kernel: Sequence[int] = ()
    stride: Sequence[int] = ()
    groups: int = 1
    transposed: bool = False

    @property
    def inputs(self) -> list[int]:
        """Nodes that are read, once for each time."""
        return [node for _, node in self.operands if node is not None]

    @property
    def input_shape(self) -> Shape:
        """Of the first tensor that depends on the input."""
        return next(shape for shape, node in self.operands if node is not None)


def add_call(builder: GraphBuilder, call: AtenCall) -> int:
    """The node of a call that reads at least one tensor which depends on the input."""
    if call.name in VIEWS or (call.name == "copy" and len(call.inputs) == 1):
        return call.inputs[0]
    if call.name in ("convolution", "_convolution"):
        return _add_convolution(builder, call)
    if call.name in ("mm", "addmm", "bmm", "baddbmm"):
        return _add_product(builder, call)
    if call.name == "glu":
        return _add_gated(builder, call)
    operator = _operator(call)
    pooled = operator in ("max_pool", "average_pool")
    return builder.add(
        operator,
        call.inputs,
        call.input_shape,
        call.output_shape,
        channels=known_channels(operator, call.input_shape, call.output_shape),
        kernel=two(call.kernel) if pooled else (1, 1),
        stride=two(call.stride or call.kernel) if pooled else (1, 1),
        params=call.params,
    )


def _operator(call: AtenCall) -> str:
    if call.name in ("max", "min") and prod(call.output_shape) == prod(call.input_shape):
        return "clip"
    return _OPERATOR_OF.get(call.name, "other")


def _add_convolution(builder: GraphBuilder, call: AtenCall) -> int:
    given, weight = call.operands[0][0], call.operands[1][0]
    return builder.add(
        "transposed_convolution" if call.transposed else "convolution",
        call.inputs,
        given,
        call.output_shape,
        channels=(given[1], call.output_shape[1]),
        kernel=two(weight[2:]),
        stride=two(call.stride),
        groups=call.groups,
        bias=len(call.operands) > 2,
        params=call.params,
        macs=convolution_macs(given, weight, call.output_shape, call.transposed),
    )


def _add_gated(builder: GraphBuilder, call: AtenCall) -> int:
    """A gated linear unit: one half times the sigmoid of the other, as exporters write it."""
    half = call.output_shape
    first = builder.add("slice", call.inputs, call.input_shape, half)
    gate = builder.add("sigmoid", [builder.result(first)], half, half)
    return builder.add("multiply", [first, gate], half, half)


def _add_product(builder: GraphBuilder, call: AtenCall) -> int:
    """A matrix product, called linear if one factor does not depend on the input."""
    (left, of_left), (right, of_right) = call.operands[-2:]
    linear = of_left is None or of_right is None
    inner = right[-2]
    return builder.add(
        "linear" if linear else "matmul",
        call.inputs,
        right if of_left is None else left,
        call.output_shape,
        channels=(inner, call.output_shape[-2 if of_left is None else -1]),
        bias=linear and len(call.operands) > 2,
        params=call.params,
        macs=prod(call.output_shape) * inner,
    )
