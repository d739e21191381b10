"""NumPy twins of the compiled kernels: slow, obvious, with the same names, arguments and results.

They serve the first small calls of a process, and the tests hold the compiled kernels against them.
"""
