"""Documents: explanations in our own format and in those of vendors.

A dialect is a module with ``CAPABILITIES`` (what it can hold), ``sniff``, ``decode`` (a reader, see `core.wire`)
and ``encode``. It becomes a format by a line in `FORMATS`; the module is named like the format and imported when a
document of it may be at hand.

::

    document = loads(text)
    for problem in validate(document): print(problem)
    value = from_document(document)                 # sniffed: exactly one dialect must claim the document
    text = dumps(to_document(value, "modzy"))       # refuses what would be lost
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
from xplain.formatters.core import fit as fitting
from xplain.formatters.core import streaming, wire
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.losses import differences, grouped
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


class _Dialect(Protocol):
    CAPABILITIES: Mapping[str, Capabilities] | None
    ITEMS: Mapping[str, streaming.Items]
    HEAD: wire.Reader[dict[str, Any]]
    sniff: Callable[[Any], bool]
    decode: wire.Reader[Value]
    encode: Callable[..., dict[str, Any]]


def _dialect(format: str) -> _Dialect:
    _check.known("format", format, FORMATS)
    return cast(_Dialect, importlib.import_module(f"{__name__}.{format.replace('-', '_')}.formatter"))


def fit(value: Value, format: str, *, lossy: bool = False, **options: Any) -> Value:
    """Cut a value down to what a format holds: what reading its document gives back.

    Parameters
    ----------
    value, format, lossy, **options
        As for `to_document`.

    Returns
    -------
    Explanation, Results or Record
        A format that knows only jobs makes an explanation a job of one item.
    """
    dialect = _dialect(format)

    def settle(value: Value) -> Value:
        return wire.read(dialect.decode, dialect.encode(value, **options), format)

    return fitting.fit(value, dialect.CAPABILITIES, format=format, lossy=lossy, settle=settle)


def to_document(explanation: Value, format: str = "native", *, lossy: bool = False, **options: Any) -> dict[str, Any]:
    """Turn an explanation into a document.

    Parameters
    ----------
    explanation : Explanation, Results or Record
        What to write; not every format holds the results of a job, and a record is written in its own format or ours.
    format : str
        One of `FORMATS`.
    lossy : bool
        Write what the format can hold, whatever is lost. Metadata (provenance, quality, names and digests of the
        source, numbers of labels) is no loss for a vendor's format: it is a message, not an archive.
    **options
        Options of the format. native: ``quantize`` (8 or 16 bits an element of a heat map; exact if left out).

    Returns
    -------
    dict
        JSON values only; the same explanation gives the same document.

    Raises
    ------
    FidelityError
        If predictions or evidence would be lost; it lists all losses.
    InputError
        If the format has nothing for such a task, or a free-form value (attributes, quality, options) is no JSON value.
    UnknownNameError
        If there is no such format or option.

    Examples
    --------
    >>> from xplain.explanation import Explanation, Prediction, Source
    >>> explanation = Explanation("image-classification", Source("image"), [Prediction("tabby", 0.5)])
    >>> to_document(explanation, "modzy")["result"]
    {'classPredictions': [{'class': 'tabby', 'score': 0.5}]}
    """
    dialect = _dialect(format)
    if not isinstance(explanation, (Explanation, Results, Record)):
        raise InputError(f"explanation must be an Explanation, Results or Record, got {type(explanation).__name__}")
    lossy = _check.boolean("lossy", lossy)
    known = list(inspect.signature(dialect.encode).parameters)[1:]
    for option in options:
        if option not in known:
            raise UnknownNameError(f"option of format {format!r}", option, known)
    return dialect.encode(fit(explanation, format, lossy=lossy, **options), **options)


def conversion(value: Value, format: str) -> str:
    """Say what would become of a value in a format.

    Returns
    -------
    str
        ``"equal"`` if reading gives everything back (ids and thresholds may be added, where a format must have some);
        ``"lossy: "`` and what would be lost (metadata, which
        `to_document` leaves out without being asked, is said to be that); or ``"refused: "`` and the reason.

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
    metadata = grouped(differences(value, back))
    return "lossy: metadata: " + "; ".join(metadata) if metadata else "equal"


def from_document(document: Any, format: str | None = None) -> Value:
    """Turn a document into the explanation, the results or the record that it holds.

    Parameters
    ----------
    document : dict
        JSON values, as `loads` gives them.
    format : str, optional
        One of `FORMATS`; sniffed if left out.

    Returns
    -------
    Explanation, Results or Record
        What the document says.

    Raises
    ------
    DocumentError
        If the document does not follow its format (``.path`` is the ``$`` path of the first problem; `validate` gives
        all), or if not exactly one format claims it.

    Examples
    --------
    >>> output = {"data": {"result": {"classPredictions": [{"class": "tabby", "score": "0.5"}]}, "explanation": None}}
    >>> from_document(output).predictions[0].score
    0.5
    """
    format = sniff(document) if format is None else format
    return wire.read(_dialect(format).decode, document, format)


def read_items(open: streaming.Open, format: str | None = None) -> Iterator[Item]:
    """Read the items of a job one at a time.

    Parameters
    ----------
    open : callable
        Gives the binary file from its start; what stands beside the items is read in a pass before.
    format : str, optional
        One of `FORMATS`; sniffed if left out.

    Returns
    -------
    iterator of Item
        As `from_document` gives them.

    Raises
    ------
    DocumentError
        At once, if the document is of no format or holds no items; while items are read, if one is wrong.
    """
    format, document = _beside_items(open, format)
    return streaming.items(open, document, _dialect(format).ITEMS, format)


def holds_items(open: streaming.Open, format: str | None = None) -> bool:
    """Whether a document is a job whose items `read_items` reads; its items themselves are not looked at.

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
    format, document, places = _head(open, format)
    lists = (isinstance(document.get(key), dict if place.named else list) for key, place in places.items())
    return any(lists) and not wire.problems(_dialect(format).HEAD, document)


def read_outline(open: streaming.Open, format: str | None = None) -> Results:
    """Read a job without what was found: who its items are and how far each is.

    Parameters
    ----------
    open, format
        As for `read_items`; the items are read one at a time.

    Returns
    -------
    Results
        Its items have no explanations and no attributes, and of its own attributes there are those that say more than
        the items do.

    Raises
    ------
    DocumentError
        If the document is of no format or holds no items, or if an item or what is said of the job is wrong.
    """
    format, document = _beside_items(open, format)
    dialect = _dialect(format)
    found = streaming.items(open, document, dialect.ITEMS, format)
    items = tuple(replace(item, explanation=None, attributes={}) for item in found)

    def outline(at: At) -> Results:
        said = dialect.HEAD(at)
        return at.build(Results, items=items, **said)

    return wire.read(outline, document, format)


def _beside_items(open: streaming.Open, format: str | None) -> tuple[str, dict[str, Any]]:
    """Return the format of a document with items, and the document with one item at most in each place of them."""
    format, document, places = _head(open, format)
    if not places.keys() & document.keys():
        keys = " or ".join(places) or "none, in this format,"
        raise DocumentError(f"must hold items ({keys}) to be read one at a time, got no such key", format=format)
    return format, document


def _head(open: streaming.Open, format: str | None) -> tuple[str, dict[str, Any], Mapping[str, streaming.Items]]:
    """The same for any document, and the places where its format has items."""
    known = FORMATS if format is None else [format]
    places = {name: getattr(_dialect(name), "ITEMS", {}) for name in known}
    cut = {key for own in places.values() for key in own}
    document = streaming.head(open, cut)
    format = sniff(document) if format is None else format
    own = places[format]
    if own.keys() & document.keys() and cut & document.keys() - own.keys():
        document = streaming.head(open, own)
    return format, document, own


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
    return wire.problems(_dialect(format).decode, document)


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
    claims = [name for name in FORMATS if _dialect(name).sniff(document)]
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
        The schema, a new one at each call.
    """
    _dialect(format)
    resource = importlib.resources.files(__name__) / format / f"{format}.schema.json"
    if not resource.is_file():
        raise InputError(f"format must be one that has a JSON Schema, got {format!r}; its vendor defines it")
    found: dict[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return found
