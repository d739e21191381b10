"""How good predictions and explanations are."""
