"""Names of torch's functions of single numbers, without the underscore of their in-place variants."""

#: Functions that cut off what is below, above or outside of something.
RELU_LIKE = {
    *("relu", "relu6", "leaky_relu", "rrelu", "prelu", "elu", "celu", "selu"),
    *("hardtanh", "clamp", "clamp_min", "clip", "threshold", "_threshold"),
}
#: Functions of single numbers, those included.
ELEMENTWISE = RELU_LIKE | {
    *("clamp_max", "abs", "absolute", "square", "sqrt", "rsqrt", "reciprocal", "pow", "float_power"),
    *("sigmoid", "tanh", "gelu", "silu", "mish", "hardswish", "hardsigmoid", "softplus", "softsign", "logit"),
    *("logsigmoid", "log_sigmoid", "hardshrink", "softshrink", "tanhshrink", "erf", "sin", "cos", "tan"),
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "atan", "arctan", "sinh", "cosh", "asinh"),
}
