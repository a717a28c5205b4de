"""PyTorch's primitive operators as nodes of computation graphs: for what is recorded, and for recordings in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from archatlas.graphs.graph_builder import GraphBuilder, Params, Shape, convolution_macs, known_channels, two

_VIEWS = (
    "view _unsafe_view _reshape_alias reshape permute transpose t expand clone contiguous unsqueeze squeeze alias "
    "detach _to_copy to lift_fresh repeat view_as_real view_as_complex _conj flatten native_dropout dropout "
    "resolve_conj resolve_neg movedim unflatten positive real conj_physical repeat_interleave tril triu round floor "
    "ceil trunc logical_not bitwise_not"
)
VIEWS = frozenset(_VIEWS.split())
"""What moves, repeats, rounds or renames numbers, or hides some behind a constant mask, and computes nothing."""

_SHAPED = "new_zeros new_ones new_full new_empty new_empty_strided empty_like rand_like randn_like randint_like"
SHAPED = frozenset(_SHAPED.split())
"""What reads a tensor's shape and none of its numbers: a constant, as if the sizes had been written out.

(``zeros_like`` and its kin are nodes: by them one tells a cell of a public space that is cut off from its input.)
"""

_CHOICES = frozenset(("where", "masked_fill", "masked_scatter"))
"""What takes some numbers of one tensor and some of another; of one tensor alone it is a mask."""

_NAMES = {
    "batch_norm": "native_batch_norm _native_batch_norm_legit_no_training _native_batch_norm_legit cudnn_batch_norm "
    "_batch_norm_with_update _batch_norm_no_update batch_norm",
    "layer_norm": "native_layer_norm layer_norm rms_norm _fused_rms_norm",
    "group_norm": "native_group_norm group_norm instance_norm",
    "relu": "relu",
    "clip": "hardtanh relu6 clamp clamp_min clamp_max maximum minimum threshold fmax fmin hardshrink softshrink sign "
    "sgn signbit heaviside gt lt ge le eq ne isnan isinf isposinf isneginf nan_to_num isin frac renorm where "
    "masked_fill masked_scatter",
    "leaky_relu": "leaky_relu _prelu_kernel prelu elu celu selu rrelu rrelu_with_noise",
    "gelu": "gelu",
    "silu": "silu mish",
    "hard_swish": "hardswish",
    "sigmoid": "sigmoid log_sigmoid_forward softplus",
    "hard_sigmoid": "hardsigmoid",
    "tanh": "tanh erf",
    "softmax": "_softmax _safe_softmax _log_softmax softmax log_softmax _masked_softmax",
    "add": "add sub rsub neg addcmul addcdiv lerp addr logical_or logical_xor bitwise_or bitwise_xor normal",
    "multiply": "mul div floor_divide remainder fmod xlogy linalg_cross logical_and bitwise_and",
    "power": "pow sqrt rsqrt exp log log1p expm1 reciprocal square abs exp2 log2 log10 sin cos tan asin acos atan "
    "atan2 sinh cosh asinh acosh atanh sinc erfc erfinv lgamma digamma logit logaddexp logaddexp2 hypot copysign polar "
    "angle",
    "max_pool": "max_pool2d_with_indices max_pool2d max_pool3d_with_indices max_pool1d adaptive_max_pool2d "
    "adaptive_max_pool3d fractional_max_pool2d fractional_max_pool3d",
    "average_pool": "avg_pool2d avg_pool3d avg_pool1d _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d",
    "mean": "mean",
    "reduce": "sum var var_mean std std_mean amax amin max min linalg_vector_norm norm prod logsumexp nansum any "
    "all argmax argmin aminmax median nanmedian mode kthvalue cumsum cumprod cummax cummin logcumsumexp count_nonzero "
    "histc",
    "concat": "cat stack copy complex slice_scatter select_scatter diagonal_scatter as_strided_scatter",
    "slice": "slice select split split_with_sizes unsafe_split unsafe_split_with_sizes unsafe_chunk chunk unbind "
    "narrow as_strided diagonal",
    "pad": "constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
    "replication_pad3d pad diag_embed",
    "upsample": "upsample_nearest1d upsample_nearest2d _upsample_nearest_exact1d _upsample_nearest_exact2d "
    "_upsample_nearest_exact3d upsample_bilinear2d upsample_bicubic2d upsample_linear1d _upsample_bilinear2d_aa "
    "_upsample_bicubic2d_aa upsample_trilinear3d upsample_nearest3d pixel_shuffle pixel_unshuffle "
    "affine_grid_generator grid_sampler_2d grid_sampler_3d max_unpool2d max_unpool3d roi_align",
    "unfold": "im2col col2im unfold",
    "gather": "index gather index_select embedding roll flip rot90 channel_shuffle native_channel_shuffle sort topk "
    "argsort scatter scatter_add scatter_reduce index_put _index_put_impl _unsafe_index _unsafe_index_put index_copy "
    "index_add index_fill index_reduce take put bucketize searchsorted multinomial _embedding_bag "
    "_embedding_bag_forward_only",
    "fill": "zeros_like ones_like full_like fill zero bernoulli uniform exponential geometric cauchy log_normal random",
}
_PRODUCTS = frozenset(("mm", "addmm", "bmm", "baddbmm", "addbmm", "mv", "addmv", "dot", "vdot", "_cdist_forward"))
"""Products of matrices or vectors; distances between rows are computed as such."""
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
        params: that are read here.
        kernel: of a pool.
        stride: of a convolution or pool.
        groups: of a convolution.
        transposed: whether a convolution is.
    """

    name: str
    operands: Sequence[tuple[Shape, int | None]]
    output_shape: Shape
    params: Params = field(default_factory=dict)
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
    alone = len(call.inputs) == 1
    if call.name in VIEWS or (call.name == "copy" and alone) or (call.name in _CHOICES and alone and not call.params):
        return call.inputs[0]
    if call.name in ("convolution", "_convolution", "deform_conv2d"):
        return _add_convolution(builder, call)
    if call.name == "_trilinear":
        return _add_bilinear(builder, call)
    if call.name in _PRODUCTS:
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


def _add_bilinear(builder: GraphBuilder, call: AtenCall) -> int:
    """``nn.Bilinear``: each number of the output is a sum over all products of numbers of both inputs."""
    (first, _), _, (second, _) = call.operands
    return builder.add(
        "linear",
        call.inputs,
        first,
        call.output_shape,
        channels=(first[-1], call.output_shape[-1]),
        params=call.params,
        macs=prod(call.output_shape) * first[-1] * second[-1],
    )


def _add_product(builder: GraphBuilder, call: AtenCall) -> int:
    """A matrix product, called linear if one factor does not depend on the input."""
    (left, of_left), (right, of_right) = call.operands[-2:]
    linear = of_left is None or of_right is None
    inner = right[-1] if len(right) == 1 or call.name == "_cdist_forward" else right[-2]
    summed = left[0] if call.name == "addbmm" else 1  # Products that are added up.
    axis = -2 if of_left is None and len(right) > 1 else -1
    by_vector = len(left if of_left is None else right) == 1  # It has no axis in what is made.
    return builder.add(
        "linear" if linear else "matmul",
        call.inputs,
        right if of_left is None else left,
        call.output_shape,
        channels=(inner, 1 if by_vector else call.output_shape[axis]),
        bias=linear and len(call.operands) > 2,
        params=call.params,
        macs=summed * prod(call.output_shape) * inner,
    )
