"""Numba kernels: plain arrays of fixed types, no checks inside."""
