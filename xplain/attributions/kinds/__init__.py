"""One module for each kind of input but images, with ``explain(model, inputs, targets, *, method, **arguments)``.

Methods are written for images. So a model of another kind, often together with one input, becomes a view: an object
with the members of an image classifier (``scores``, ``forward``, ``targets``, ``prediction``, ...), whose "classes" are
what is to be explained. `xplain.attributions.call.explain` explains the view, and the module makes the kind's own
explanation of the result. `scoring` gives measures of maps the score of such a view.
"""
