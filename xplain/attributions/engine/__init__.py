"""What every method needs, written once: a `Run` per input, passes through the model in batches, gradients, layers.

`explained` says what the engine needs of a model and `supplies` what a kind of input gives to methods. `session` groups
inputs, sizes batches and counts evaluations; `run` is what a method works with, and `maps` what comes of it;
`autograd`, `attention`, `observe`, `flow`, `layers`, `calls` and `places` look inside a torch module.
"""
