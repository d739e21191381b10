"""Twins of the compiled kernels in NumPy and Python: slow, obvious, and enough for small work."""
