"""From a photo to a model's input: settings of our own, or a function of another library.

`preprocess` resizes, crops and normalises by the rules of torchvision, timm and transformers; `foreign` calls a
function of theirs, and measures which part of the photo each pixel of its result shows.
"""
