"""One module for each kind of input, with ``explain(model, inputs, targets, request)``: what methods get of it.

A kind says what is given to the engine (an `Explained`, with the input as an array), what it supplies to methods
(`Supplies`: baselines, players, places to cover, each with the kind's own options), and what evidence their maps
become. `views` holds what the kinds other than images share. `scoring` gives measures of maps the score that an
attribution explains.
"""
