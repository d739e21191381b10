"""The adapter to Captum: its methods run within the engine, which batches, counts, seeds and records.

Captum is imported when the first of its methods runs: it brings matplotlib along, which takes most of a second.
"""
