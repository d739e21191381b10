"""Numba kernels: plain arrays of fixed dtypes, no checks inside; and what surrounds those of run-length masks."""
