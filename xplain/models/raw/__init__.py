"""From a network's raw tensors to predictions, step by step."""
