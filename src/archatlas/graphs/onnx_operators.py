"""ONNX operators as those of computation graphs."""

from __future__ import annotations

_VIEWS = (
    "Identity Reshape Transpose Flatten Squeeze Unsqueeze Cast CastLike Expand Tile Dropout QuantizeLinear "
    "DequantizeLinear DynamicQuantizeLinear Round Floor Ceil Not BitwiseNot BitCast Trilu "
    "ZipMap"
)
VIEWS = frozenset(_VIEWS.split())
"""What moves, repeats, rounds or renames numbers, and computes nothing."""

_CONSTANTS = (
    "Constant ConstantOfShape Shape Size Range RandomNormal RandomNormalLike RandomUniform RandomUniformLike EyeLike "
    "HannWindow HammingWindow BlackmanWindow MelWeightMatrix"
)
CONSTANTS = frozenset(_CONSTANTS.split())
"""What depends on shapes at most, which are fixed."""

CONVOLUTIONS = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "DeformConv": 1, "QLinearConv": 3}
"""Operators with a kernel, and which of their inputs holds it."""

PRODUCTS = {"Gemm": 1, "MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3}
"""Matrix products, and which of their inputs is the second factor (the first is input 0)."""

RECURRENT = frozenset(("LSTM", "GRU", "RNN"))
"""What runs once for each step of a sequence."""

BRANCHES = frozenset(("If", "Loop", "Scan"))
"""What runs a part of the graph as often as the data say."""

IN_STEPS = frozenset(("LRN", "Softsign", "RMSNormalization"))
"""What PyTorch computes by several operators."""

_SETTINGS = (
    "Resize Upsample Pad Clip Slice Split TopK GridSample AffineGrid OneHot RoiAlign MaxRoiPool MaxUnpool "
    "RotaryEmbedding"
)
NUMBERS = {
    **dict.fromkeys((*VIEWS, *_SETTINGS.split()), (0,)),
    "BatchNormalization": (0, 1, 2),
    "QLinearConv": (0, 3, 8),
    "QLinearMatMul": (0, 3),
    "ConvInteger": (0, 1),
    "MatMulInteger": (0, 1),
    **dict.fromkeys(RECURRENT, (0, 1, 2, 3, 7)),
}
"""Which inputs hold numbers that are computed with, and may be parameters, where not all do: others are settings,
scales and zero points, running statistics, lengths of sequences and first states."""

QUANTISED = {"DequantizeLinear": 0, "QLinearConv": 8}
"""What may read a parameter of more bits than weights have, and which of its inputs this is."""

_NAMES = {
    "batch_norm": "BatchNormalization",
    "layer_norm": "LayerNormalization",
    "group_norm": "GroupNormalization InstanceNormalization MeanVarianceNormalization",
    "relu": "Relu ThresholdedRelu",
    "clip": "Clip Min Max Where Greater GreaterOrEqual Less LessOrEqual Equal Sign Shrink IsNaN IsInf",
    "leaky_relu": "LeakyRelu PRelu Elu Selu Celu",
    "gelu": "Gelu",
    "silu": "Swish Mish",
    "hard_swish": "HardSwish",
    "sigmoid": "Sigmoid Softplus",
    "hard_sigmoid": "HardSigmoid",
    "tanh": "Tanh Erf",
    "softmax": "Softmax LogSoftmax Hardmax",
    "add": "Add Sub Sum Mean Neg Or Xor BitwiseOr BitwiseXor",
    "multiply": "Mul Div Mod And BitwiseAnd RotaryEmbedding",
    "power": "Pow Sqrt Exp Log Reciprocal Abs Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh",
    "max_pool": "MaxPool GlobalMaxPool MaxRoiPool",
    "average_pool": "AveragePool LpPool",
    "mean": "ReduceMean GlobalAveragePool GlobalLpPool",
    "reduce": "ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceProd ReduceSumSquare ReduceLogSumExp "
    "LpNormalization ReduceLogSum ArgMax ArgMin CumSum CumProd",
    "concat": "Concat ConcatFromSequence",
    "slice": "Slice Split SplitToSequence CenterCropPad",
    "pad": "Pad",
    "upsample": "Resize Upsample DepthToSpace SpaceToDepth GridSample AffineGrid RoiAlign MaxUnpool",
    "unfold": "Col2Im",
    "gather": "Gather GatherElements GatherND Scatter ScatterND ScatterElements TensorScatter TopK ReverseSequence "
    "OneHot",
    "fill": "Bernoulli",
}
OPERATOR_OF = {name: operator for operator, names in _NAMES.items() for name in names.split()}
"""What is not here is ``other``."""
