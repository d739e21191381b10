"""The adapter to Captum: its methods run within the engine, which batches, counts, seeds and records.

`seam` leads what Captum asks for to a `Run`, `classes` makes a method of any of its attributions, and `rewrite` makes
models of which its hooks miss nothing. Captum is imported by the function that needs it, never with xplain: it brings
matplotlib along, which takes most of a second.
"""

#: Before the name of a class of Captum, where a caller names it.
PREFIX = "captum:"
