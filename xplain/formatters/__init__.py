"""Documents: explanations in our own format and in those of vendors.

::

    document = loads(text)
    for problem in validate(document): print(problem)
    value = from_document(document)                 # sniffed: exactly one format must claim the document
    text = dumps(to_document(value, "modzy"))       # refuses what would be lost
    notes(value).truths                             # what the document says besides, in words of no vendor

Each format has a folder with a module ``formatter``, which defines what `_Formatter` lists: what the format can hold,
how its documents are recognised, read and written. A format is registered by a line in `FORMATS`, and its formatter is
imported when it is first needed.
"""

from __future__ import annotations

import importlib
import importlib.resources
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol, cast

from xplain import _check
from xplain.errors import DocumentError, FidelityError, InputError, UnknownNameError, XplainError
from xplain.explanation import Explanation, Item, Record, Results
from xplain.explanation.notes import Notes, NotesOf, merge
from xplain.formatters.core import fit as fitting
from xplain.formatters.core import own, streaming, wire
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.losses import group_alike, losses_of
from xplain.formatters.core.places import At, Problem
from xplain.formatters.core.text import dumps, loads

__all__ = [
    "FORMATS",
    "Problem",
    "Value",
    "conversion",
    "dumps",
    "fit",
    "from_document",
    "holds_items",
    "loads",
    "notes",
    "read_items",
    "read_outline",
    "schema",
    "sniff",
    "to_document",
    "validate",
    "validate_text",
]

FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "native": "xplain's own: lossless and compact",
        "edge-impulse": "Edge Impulse results of jobs, samples and devices (windows, anomalies, detections, accuracy)",
        "modzy": "Modzy explainability objects, items and jobs",
        "reinfer": "Re:infer predictions (labels, entities, comments), requests, validation figures",
        "deepomatic": "Deepomatic inferences and tasks (labels, boxes, thresholds), specifications, versions",
        "cognite": "Cognite Vision jobs (texts, asset tags, objects, gauges)",
    }
)
"""Name and summary of each format."""


_NATIVE = "native"


class _Formatter(Protocol):
    """What the module ``formatter`` of a format defines."""

    #: Readers of the attributes that the format's readers set.
    OWN: own.Own
    #: What the format holds of each task; None is everything.
    CAPABILITIES: Mapping[str, Capabilities] | None
    #: Where documents of jobs hold items; `streaming.NO_ITEMS` for a format without jobs.
    ITEMS: Mapping[str, streaming.ItemLayout]
    #: Reads the fields of a job beside its items, as arguments of `Results`; `streaming.no_head` without jobs.
    HEAD: wire.Reader[dict[str, Any]]
    #: Whether a document looks like one of this format.
    sniff: Callable[[Any], bool]
    #: Reads a document.
    decode: wire.Reader[Value]
    #: Writes a fitted value; its other parameters are the options of the format, and ``lossy`` if it asks for that.
    encode: Callable[..., dict[str, Any]]
    #: Says in words of no vendor what the format keeps in ``attributes``; malformed extras make no note.
    notes: NotesOf


def _formatter(format: str) -> _Formatter:
    _check.known("format", format, FORMATS)
    return cast(_Formatter, importlib.import_module(f"{__name__}.{format.replace('-', '_')}.formatter"))


def _decoder(format: str) -> wire.Reader[Value]:
    """Return the reader of a format's documents; ours also checks the attributes of vendors."""
    decode = _formatter(format).decode
    return own.checked(decode, _own) if format == _NATIVE else decode


def _layouts(format: str) -> Mapping[str, streaming.ItemLayout]:
    """Return where a format's documents hold items, whose readers check what `_decoder` checks."""
    layouts = _formatter(format).ITEMS
    return own.checked_layouts(layouts, _own) if format == _NATIVE else layouts


def _own() -> dict[str, own.Own]:
    return {name: _formatter(name).OWN for name in FORMATS if name != _NATIVE}


def fit(value: Value, format: str, *, lossy: bool = False, **options: Any) -> Value:
    """Cut a value down to what a format holds, which is what reading its document gives back.

    Parameters
    ----------
    value, format, lossy, **options
        As for `to_document`.

    Returns
    -------
    Explanation, Results or Record
        A format that knows only jobs makes an explanation a job of one item.
    """
    formatter = _formatter(format)

    options = _with_lossy(formatter, options, lossy)

    def round_trip(value: Value) -> Value:
        return wire.read(formatter.decode, formatter.encode(value, **options), format)

    fitted = fitting.fit(value, formatter.CAPABILITIES, format=format, lossy=lossy, round_trip=round_trip)
    if format != _NATIVE or isinstance(fitted, Record):
        return fitted
    typed, losses = own.cut(fitted, _own())
    if losses and not lossy:
        raise FidelityError(format, group_alike(losses))
    return typed


def to_document(explanation: Value, format: str = "native", *, lossy: bool = False, **options: Any) -> dict[str, Any]:
    """Turn an explanation into a document.

    Parameters
    ----------
    explanation : Explanation, Results or Record
        What to write. Not every format holds the results of a job; a record is written in its own format or in ours.
    format : str
        One of `FORMATS`.
    lossy : bool
        Write what the format can hold, whatever is lost. Metadata (provenance, quality, the name and digest of the
        source, the numbers of labels) does not count as a loss: a vendor's document is a message, not an archive.
    **options
        Options of the format. native: ``quantize`` (8 or 16 bits for each element of a heat map; exact if left out).
        modzy: ``edge``. edge-impulse: ``level``, ``page``, ``project``, ``block``, ``title``, ``created``. Their
        formatters document them.

    Returns
    -------
    dict
        JSON values only; the same explanation gives the same document.

    Raises
    ------
    FidelityError
        If predictions or evidence would be lost; it lists all losses.
    InputError
        If the format cannot hold the task at all, or a free-form value (attributes, quality, options) is no JSON value.
    UnknownNameError
        If there is no such format or option.

    Examples
    --------
    >>> from xplain.explanation import Explanation, Prediction, Source
    >>> explanation = Explanation("image-classification", Source("image"), [Prediction("tabby", 0.5)])
    >>> to_document(explanation, "modzy")["result"]
    {'classPredictions': [{'class': 'tabby', 'score': 0.5}]}
    """
    formatter = _formatter(format)
    if not isinstance(explanation, (Explanation, Results, Record)):
        raise InputError(f"explanation must be an Explanation, Results or Record, got {type(explanation).__name__}")
    lossy = _check.boolean("lossy", lossy)
    known = [name for name in _parameters(formatter)[1:] if name != "lossy"]
    for option in options:
        if option not in known:
            raise UnknownNameError(f"option of format {format!r}", option, known)
    fitted = fit(explanation, format, lossy=lossy, **options)
    return formatter.encode(fitted, **_with_lossy(formatter, options, lossy))


def _parameters(formatter: _Formatter) -> list[str]:
    return list(inspect.signature(formatter.encode).parameters)


def _with_lossy(formatter: _Formatter, options: dict[str, Any], lossy: bool) -> dict[str, Any]:
    """Return the options of a format, and whether losses are accepted if its writer asks."""
    return {**options, "lossy": lossy} if "lossy" in _parameters(formatter) else options


def conversion(value: Value, format: str) -> str:
    """Say what would become of a value in a format.

    Returns
    -------
    str
        ``"equal"`` if reading gives everything back (a format may add ids and thresholds that it requires);
        ``"lossy: "`` and what would be lost, or ``"lossy: metadata: "`` and the metadata that `to_document` leaves out
        without being asked; or ``"refused: "`` and the reason.

    Examples
    --------
    >>> from xplain.explanation import Explanation, Prediction, Source
    >>> cat = Prediction("cat", 0.5, threshold=0.1)
    >>> conversion(Explanation("image-classification", Source("image"), [cat]), "modzy")
    'lossy: predictions[0] has a threshold'
    """
    try:
        back = fit(value, format)
    except FidelityError as error:
        return "lossy: " + "; ".join(error.losses)
    except XplainError as error:
        return f"refused: {error}"
    metadata = group_alike(losses_of(value, back))
    return "lossy: metadata: " + "; ".join(metadata) if metadata else "equal"


def from_document(document: Any, format: str | None = None) -> Value:
    """Turn a document into the explanation, results or record that it holds.

    Parameters
    ----------
    document : dict
        JSON values, as `loads` gives them.
    format : str, optional
        One of `FORMATS`; sniffed if left out.

    Returns
    -------
    Explanation, Results or Record
        What the document holds.

    Raises
    ------
    DocumentError
        If the document does not follow its format (``.path`` is the ``$`` path of the first problem; `validate` lists
        all), or if not exactly one format claims it.

    Examples
    --------
    >>> output = {"data": {"result": {"classPredictions": [{"class": "tabby", "score": "0.5"}]}, "explanation": None}}
    >>> from_document(output).predictions[0].score
    0.5
    """
    format = sniff(document) if format is None else format
    return wire.read(_decoder(format), document, format)


def notes(value: Value) -> Notes:
    """Say what a value's document holds besides the value, in words of no vendor: for renderers.

    Parameters
    ----------
    value : Explanation, Results or Record
        Its ``attributes`` may hold extras of any format, also of several; those of another form make no note.

    Returns
    -------
    xplain.explanation.notes.Notes
        Ground truth, keypoints, readings, outcomes, figures of a job, charts of a record.

    Examples
    --------
    >>> from xplain.explanation import Explanation, Prediction, Source, Span
    >>> order = Prediction("order", 1, region=Span(0, 4), attributes={"formatted_value": "0012", "unscored": True})
    >>> explanation = Explanation("text-classification", Source("text"), [order])
    >>> notes(explanation).of(order).value, notes(explanation).of(order).unscored
    ('0012', True)
    """
    if isinstance(value, Explanation) and not (value.attributes or any(p.attributes for p in value.predictions)):
        return Notes()
    return merge(_formatter(name).notes(value) for name in FORMATS)


def read_items(open: streaming.Open, format: str | None = None) -> Iterator[Item]:
    """Read the items of a job one at a time; a job whose items do not stand in one place is read whole.

    Parameters
    ----------
    open : callable
        Opens the binary file from its start. It is called twice: for what stands beside the items, then for these.
    format : str, optional
        One of `FORMATS`; sniffed if left out.

    Returns
    -------
    iterator of Item
        As `from_document` gives them.

    Raises
    ------
    DocumentError
        At once, if the document is of no format or is no job; while items are read, if one is wrong.
    """
    if streaming.is_object(open):
        found, head = _read_head(open, format)
        if _is_job(found, head):
            return streaming.iterate_items(open, head, _layouts(found), found)
    return iter(_read_whole(open, format).items)


def _read_whole(open: streaming.Open, format: str | None) -> Results:
    """Read a job whose items do not stand in one place of its document."""
    with open() as file:
        document = loads(file.read())
    format = sniff(document) if format is None else format
    value = from_document(document, format)
    if isinstance(value, Results):
        return value
    keys = " or ".join(_formatter(format).ITEMS) or "a job"
    got = f"a record, {value.kind}" if isinstance(value, Record) else "an explanation"
    raise DocumentError(f"must hold items ({keys}) to be read one at a time, got {got}", format=format)


def holds_items(open: streaming.Open, format: str | None = None) -> bool:
    """Whether a document is a job that `read_items` reads; its items themselves are not checked.

    Parameters
    ----------
    open, format
        As for `read_items`.

    Raises
    ------
    DocumentError
        If it is not JSON, or of no format.
    """
    if not streaming.is_object(open):
        return False
    return _is_job(*_read_head(open, format))


def _is_job(format: str, head: dict[str, Any]) -> bool:
    """Whether a document whose head (`_read_head`) is known is a job whose items stand in one place."""
    formatter = _formatter(format)
    lists = (isinstance(head.get(key), dict if layout.named else list) for key, layout in formatter.ITEMS.items())
    return any(lists) and not wire.problems(formatter.HEAD, head)


def read_outline(open: streaming.Open, format: str | None = None) -> Results:
    """Read a job without its explanations: the names, states and times of its items.

    Parameters
    ----------
    open, format
        As for `read_items`; the items are read one at a time.

    Returns
    -------
    Results
        Its items have no explanations and no attributes. Of the job's own attributes, those are kept that do not
        follow from the items.

    Raises
    ------
    DocumentError
        If the document is of no format or holds no items, or if an item or a field of the job is wrong.
    """
    format, head = _read_job_head(open, format)
    formatter = _formatter(format)
    items = tuple(
        replace(item, explanation=None, attributes={})
        for item in streaming.iterate_items(open, head, _layouts(format), format)
    )

    def outline(at: At) -> Results:
        fields = formatter.HEAD(at)
        return at.build(Results, items=items, **fields)

    return wire.read(outline, head, format)


def _read_job_head(open: streaming.Open, format: str | None) -> tuple[str, dict[str, Any]]:
    """Read the head of a document as `_read_head` does; raise DocumentError if the document holds no items."""
    format, head = _read_head(open, format)
    layouts = _formatter(format).ITEMS
    if not layouts.keys() & head.keys():
        keys = " or ".join(layouts) or "none, in this format,"
        raise DocumentError(f"must hold items ({keys}) to be read one at a time, got no such key", format=format)
    return format, head


def _read_head(open: streaming.Open, format: str | None) -> tuple[str, dict[str, Any]]:
    """Return the format of a document, and the document with each list of items cut to its first element."""
    candidates = FORMATS if format is None else [format]
    cut = {key for name in candidates for key in _formatter(name).ITEMS}
    head = streaming.read_head(open, cut)
    format = sniff(head) if format is None else format
    keys = _formatter(format).ITEMS.keys()
    if keys & head.keys() and cut & head.keys() - keys:
        # What was cut under the keys of other formats is no list of items here, but a field that must be read whole.
        head = streaming.read_head(open, keys)
    return format, head


def validate(document: Any, format: str | None = None) -> list[Problem]:
    """List everything that is wrong with a document.

    Parameters
    ----------
    document : dict
        JSON values, as `loads` gives them.
    format : str, optional
        One of `FORMATS`; sniffed if left out.

    Returns
    -------
    list of Problem
        Path and message of each; empty if `from_document` would read it.

    Examples
    --------
    >>> for problem in validate({"xplain": 1, "type": "results", "items": [{"name": "a.jpg", "status": "done"}]}):
    ...     print(problem)
    $.job: must be a string, got nothing
    $.items[0].status: must be one of 'waiting', 'running', 'successful', 'failed', got 'done'
    """
    if format is None:
        try:
            format = sniff(document)
        except DocumentError as error:
            return [Problem(error.path, error.message)]
    return wire.problems(_decoder(format), document)


def validate_text(text: str | bytes, format: str | None = None) -> list[Problem]:
    """List everything that is wrong with JSON text: `loads`, then `validate`."""
    try:
        document = loads(text, format)
    except DocumentError as error:
        return [Problem(error.path, error.message)]
    return validate(document, format)


def sniff(document: Any) -> str:
    """Find the format of a document.

    Returns
    -------
    str
        The one format that claims it.

    Raises
    ------
    DocumentError
        If none claims it, or more than one.
    """
    claims = [name for name in FORMATS if _formatter(name).sniff(document)]
    if len(claims) != 1:
        claimed = " and ".join(claims) or "none"
        raise DocumentError(f"must be of exactly one of the formats {', '.join(FORMATS)}, got {claimed}; pass format=")
    return claims[0]


def schema(format: str = "native") -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a format's documents.

    Parameters
    ----------
    format : str
        A format that has one: native.

    Returns
    -------
    dict
        The schema, a new dict at each call.

    Raises
    ------
    InputError
        If the format has no schema of ours.
    """
    _check.known("format", format, FORMATS)
    resource = importlib.resources.files(__name__) / format / f"{format}.schema.json"
    if not resource.is_file():
        raise InputError(f"format must be one that has a JSON Schema, got {format!r}; its vendor defines it")
    json_schema: dict[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return json_schema
