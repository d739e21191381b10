"""What every method needs, written once: a `Run` per input, passes through the model in batches, gradients, layers.

`session` groups inputs, sizes batches and counts evaluations; `run` is what a method works with; `autograd`,
`attention` and `observe` look inside a torch module; `text_views` lets texts pass for images.
"""
