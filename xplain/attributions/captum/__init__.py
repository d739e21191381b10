"""Methods that Captum computes: what its hooks need in a model, and what they must not leave on it.

Captum is imported by the function that needs it, never with xplain: it loads matplotlib.
"""
