"""Re:infer: predictions, requests and validation figures."""
