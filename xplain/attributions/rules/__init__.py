"""Propagation rules: what takes the place of derivatives when scores are carried back through a network."""
