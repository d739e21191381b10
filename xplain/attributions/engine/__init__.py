"""What every method needs, owned once: the model left as it was, gradients, batches, seeds, counts, checks of maps."""
