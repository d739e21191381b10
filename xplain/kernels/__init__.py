"""Arrays in, arrays out: run-length masks, boxes, perturbation masks, score maps over photos.

The modules here prepare arguments and hand them to a kernel. `compiled` holds the kernels in Numba,
`plain` their slow NumPy twins, and `jit` chooses between the two call by call, so that a short program never pays for
importing Numba.
"""
