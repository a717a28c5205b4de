"""ONNX operators as those of computation graphs."""

from __future__ import annotations

_VIEWS = (
    "Identity Reshape Transpose Flatten Squeeze Unsqueeze Cast CastLike Expand Tile Dropout QuantizeLinear "
    "DequantizeLinear DynamicQuantizeLinear"
)
VIEWS = frozenset(_VIEWS.split())
"""What moves, repeats or renames numbers, and computes nothing."""

_CONSTANTS = "Constant ConstantOfShape Shape Size Range RandomNormal RandomUniform EyeLike"
CONSTANTS = frozenset(_CONSTANTS.split())
"""What depends on shapes at most, which are fixed."""

CONVOLUTIONS = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "QLinearConv": 3}
"""Operators with a kernel, and which of their inputs holds it."""

PRODUCTS = {"Gemm": 1, "MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3}
"""Matrix products, and which of their inputs is the second factor (the first is input 0)."""

RECURRENT = frozenset(("LSTM", "GRU", "RNN"))
"""What runs once for each step of a sequence."""

BRANCHES = frozenset(("If", "Loop", "Scan"))
"""What runs a part of the graph as often as the data say."""

_NO_WEIGHTS = "Resize Upsample Pad Clip Slice Split TopK Tile Expand Reshape GridSample"
NO_WEIGHTS = frozenset(_NO_WEIGHTS.split())
"""What reads settings as tensors, none of which is a parameter."""

_NAMES = {
    "batch_norm": "BatchNormalization",
    "layer_norm": "LayerNormalization SimplifiedLayerNormalization RMSNormalization",
    "group_norm": "GroupNormalization InstanceNormalization",
    "relu": "Relu ThresholdedRelu",
    "clip": "Clip Min Max",
    "leaky_relu": "LeakyRelu PRelu Elu Selu Celu",
    "gelu": "Gelu",
    "silu": "Swish",
    "hard_swish": "HardSwish",
    "sigmoid": "Sigmoid Softplus",
    "hard_sigmoid": "HardSigmoid",
    "tanh": "Tanh Erf",
    "softmax": "Softmax LogSoftmax",
    "add": "Add Sub Sum Neg QLinearAdd",
    "multiply": "Mul Div QLinearMul",
    "power": "Pow Sqrt Exp Log Reciprocal Abs",
    "max_pool": "MaxPool GlobalMaxPool",
    "average_pool": "AveragePool",
    "mean": "ReduceMean GlobalAveragePool",
    "reduce": "ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceProd ReduceSumSquare ReduceLogSumExp Mean "
    "LpNormalization ReduceLogSum",
    "concat": "Concat ConcatFromSequence",
    "slice": "Slice Split SplitToSequence",
    "pad": "Pad",
    "upsample": "Resize Upsample DepthToSpace SpaceToDepth GridSample",
    "unfold": "Col2Im",
    "gather": "Gather GatherElements GatherND ScatterND ScatterElements TopK ReverseSequence",
}
OPERATOR_OF = {name: operator for operator, names in _NAMES.items() for name in names.split()}
"""What is not here is ``other``."""
