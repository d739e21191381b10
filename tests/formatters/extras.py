"""Values whose attributes hold anything: what was read from a golden document, with any JSON under keys of formats.

Vendors' extras live in free-form attributes, which anybody may fill; whatever writes or draws a value has to bear them.
`values` is the strategy, for laws on writing and on drawing alike.
"""

import functools
import importlib
from dataclasses import replace

from hypothesis import strategies as st

from tests.formatters import golden, strategies
from xplain.explanation import Explanation, Results
from xplain.formatters import FORMATS, from_document

DEPTH = 3  # of the keys under a format's name


@functools.cache
def read_all():
    """Return the name of the format and the value of each golden document that has attributes: of no record."""
    read = ((path.parent.name, from_document(golden.read(path))) for path in golden.GOLDEN)
    return [(format, value) for format, value in read if isinstance(value, (Explanation, Results))]


def predictions_of(value):
    explanations = [value] if isinstance(value, Explanation) else [item.explanation for item in value.items]
    return [prediction for explanation in explanations if explanation for prediction in explanation.predictions]


def paths(value, depth):
    """Yield the keys that lead to each value of an object, those through arrays included."""
    if isinstance(value, list):
        for element in value:
            yield from paths(element, depth)
    elif isinstance(value, dict) and depth:
        for key, inner in value.items():
            yield (key,)
            yield from ((key, *rest) for rest in paths(inner, depth - 1))


def declared(format):
    """Return the attributes of a prediction that a format declares."""
    formatter = importlib.import_module(f"xplain.formatters.{format.replace('-', '_')}.formatter")
    names = [c.attributes for c in (formatter.CAPABILITIES or {}).values() if c.attributes is not True]
    return [(name,) for each in names for name in each]


@functools.cache
def known_paths():
    """Return for each format the paths of the keys that it reads under its name, and those of its predictions."""
    of_format = {format: {()} for format in FORMATS}
    of_prediction = {format: set() for format in FORMATS}
    for format in FORMATS:
        of_prediction[format].update(declared(format))
    for format, value in read_all():
        holders = [value]
        if isinstance(value, Results):
            holders += [*value.items, *(item.explanation for item in value.items if item.explanation)]
        for holder in holders:
            of_format[format].update(paths(holder.attributes.get(format, {}), DEPTH))
        for prediction in predictions_of(value):
            of_prediction[format].update(paths(prediction.attributes, DEPTH))
    return {f: sorted(found) for f, found in of_format.items()}, {
        f: sorted(found) for f, found in of_prediction.items()
    }


def changed(value, keys, new):
    """Return a copy of a JSON value with another one at some keys; objects are made on the way."""
    if not keys:
        return new
    first, *rest = keys
    if isinstance(value, list) and value:
        return [changed(value[0], keys, new), *value[1:]]
    inner = value if isinstance(value, dict) else {}
    return {**inner, first: changed(inner.get(first), rest, new)}


@functools.cache
def json_of(format):
    """Any JSON, whose keys and strings are often those that a format knows."""
    of_format, of_prediction = known_paths()
    known = sorted({key for path in (*of_format[format], *of_prediction[format]) for key in path})
    keys = st.sampled_from(known) | strategies.strings if known else strategies.strings
    simple = st.sampled_from([None, 5, "", [], {}])
    return simple | st.recursive(
        strategies.json_values() | keys,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=6,
    )


@st.composite
def _with_extras(draw, holder, format):
    """An explanation, a job or an item with any JSON somewhere in its extras of a format."""
    keys = draw(st.sampled_from(known_paths()[0][format]))
    return replace(holder, attributes=changed(holder.attributes, (format, *keys), draw(json_of(format))))


@st.composite
def _with_prediction_attributes(draw, explanation, format):
    """An explanation of which one prediction has any JSON somewhere in its attributes."""
    known = known_paths()[1][format]
    if not explanation.predictions or not known:
        return explanation
    index = draw(st.integers(0, len(explanation.predictions) - 1))
    old = explanation.predictions[index]
    attributes = changed(old.attributes, draw(st.sampled_from(known)), draw(json_of(format)))
    new = replace(old, attributes=attributes)
    predictions = tuple(new if i == index else p for i, p in enumerate(explanation.predictions))
    attributions = tuple(replace(a, target=new) if a.target == old else a for a in explanation.attributions)
    return replace(explanation, predictions=predictions, attributions=attributions)


def _change_explanation(explanation, format):
    return st.one_of(_with_extras(explanation, format), _with_prediction_attributes(explanation, format))


@st.composite
def _change(draw, value, format):
    if isinstance(value, Explanation):
        return draw(_change_explanation(value, format))
    if not value.items or draw(st.booleans()):
        return draw(_with_extras(value, format))
    index = draw(st.integers(0, len(value.items) - 1))
    item = value.items[index]
    if item.explanation is None or draw(st.booleans()):
        item = draw(_with_extras(item, format))
    else:
        item = replace(item, explanation=draw(_change_explanation(item.explanation, format)))
    return replace(value, items=(*value.items[:index], item, *value.items[index + 1 :]))


@st.composite
def values(draw, format=None):
    """Explanations and results of golden documents with any JSON in one to three places of their attributes.

    Parameters
    ----------
    format : str, optional
        The format whose keys are used; most of the documents are of this format too. By default of any.
    """
    format = draw(st.sampled_from(sorted(FORMATS))) if format is None else format
    own = [value for name, value in read_all() if name == format]
    others = [value for _, value in read_all()]
    value = draw(st.sampled_from(own) | st.sampled_from(others) if own else st.sampled_from(others))
    for _ in range(draw(st.integers(1, 3))):
        value = draw(_change(value, format))
    return value
