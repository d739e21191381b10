"""From a network's raw tensors to predictions, as a version of Deepomatic's describes it.

`layouts` decodes tensors into boxes, scores and labels; `steps` holds the post-processing and carries it out; `trace`
says what became of each candidate. Heads of networks that a `Detector` runs itself are in `xplain.models.heads`.
"""
