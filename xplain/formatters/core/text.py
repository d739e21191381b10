"""JSON text to documents and back: strict, bounded and deterministic.

Python's `json` accepts more than JSON (NaN) and less than this library needs to say about it (where a key is repeated).
So its decoder is used with hooks that find both, and numbers beyond the largest float, which Python reads as infinity.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from xplain.errors import DocumentError, InputError
from xplain.formatters.core.places import At

_SURROGATE = re.compile("[\ud800-\udfff]")
_INFINITIES = (math.inf, -math.inf)
#: Two code points that, escaped, would be read back as one character.
_SPLIT_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def loads(text: str | bytes, format: str | None = None) -> Any:
    """Turn JSON text into a document.

    Stricter than `json.loads`: NaN and infinity are refused, and so is a key that occurs twice in an object, since
    parsers disagree about which one counts.

    Parameters
    ----------
    text : str or bytes
        JSON; bytes are UTF-8 (UTF-16 and UTF-32 are recognised), with or without a byte order mark. In bytes, a lone
        surrogate must be escaped.
    format : str, optional
        The format that is expected, for messages.

    Returns
    -------
    object
        dict, list, str, int, float, bool or None.

    Raises
    ------
    DocumentError
        If the text is not JSON, is nested too deeply or holds a number of thousands of digits.

    Examples
    --------
    >>> loads(b'{"xplain": 1}')
    {'xplain': 1}
    """
    if not isinstance(text, (str, bytes)):
        raise InputError(f"text must be str or bytes, got {type(text).__name__}")
    try:
        return _parse(text)
    except DocumentError as error:
        raise DocumentError(error.message, path=error.path, format=format) from None


def dumps(document: Any) -> str:
    """Turn a document into compact JSON text: the same document gives the same text.

    Parameters
    ----------
    document : dict
        As `to_document` gives it.

    Returns
    -------
    str
        One line. Every character stands for itself except lone surrogates, which are escaped, so that the text can be
        encoded as UTF-8.

    Raises
    ------
    InputError
        If the document holds something that JSON does not have.

    Examples
    --------
    >>> dumps({"label": ["tabby"], "score": 0.5})
    '{"label":["tabby"],"score":0.5}'
    """
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"document must hold finite JSON values of moderate depth and length, got {error}") from None
    if text.isascii():
        return text
    pair = _SPLIT_PAIR.search(text)
    if pair:
        escaped = ascii(pair[0])
        raise InputError(f"document must hold each character as one code point, got {escaped}; JSON would join the two")
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class StrictDecoder:
    """A JSON decoder that refuses NaN and records repeated keys and infinite numbers, which `check` then refuses.

    A hook of `json` does not know where in the document its value is. So the path of what is wrong is only found
    afterwards, in the whole value.
    """

    def __init__(self) -> None:
        self._repeated: list[tuple[dict[str, Any], str]] = []
        self._has_infinity = False
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self._pairs, parse_float=self._float, parse_constant=_no_constant
        )

    def _pairs(self, members: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(members)
        if len(value) < len(members):
            self._repeated.append((value, Counter(key for key, _ in members).most_common(1)[0][0]))
        return value

    def _float(self, text: str) -> float:
        value = float(text)
        if value in _INFINITIES:
            self._has_infinity = True
        return value

    def check(self, document: Any) -> None:
        """Refuse the value just decoded if it holds an infinite number, or a key occurred twice in an object."""
        if self._repeated:
            raise _repeated_key(document, self._repeated)
        if self._has_infinity:
            for at in _walk(document):
                if isinstance(at.value, float) and math.isinf(at.value):
                    raise DocumentError("must be a finite number, got one beyond the largest float", path=at.path)


def as_document_error(error: Exception) -> DocumentError:
    """Turn an error of a text or JSON decoder into a DocumentError."""
    match error:
        case DocumentError():
            return error
        case RecursionError():
            return DocumentError("must be JSON of moderate depth, got one nested too deeply to read")
        case UnicodeDecodeError():
            return DocumentError(f"must be {error.encoding} text, got {error.reason} at byte {error.start}")
        case json.JSONDecodeError():
            return DocumentError(f"must be JSON, got {error}")
    # Any other ValueError: Python converts no integer of more than 4300 digits.
    return DocumentError("must hold numbers of at most a few thousand digits, got a longer one")


def _parse(text: str | bytes) -> Any:
    strict = StrictDecoder()
    try:
        if isinstance(text, bytes):
            text = text.decode(json.detect_encoding(text))
        document = strict.decoder.decode(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise as_document_error(error) from None
    strict.check(document)
    return document


def _no_constant(name: str) -> NoReturn:
    raise DocumentError(f"must be JSON, got {name}, which JSON does not have")


def _repeated_key(document: Any, repeated: list[tuple[dict[str, Any], str]]) -> DocumentError:
    """Return the error for the first repeated key, with its path."""
    # The first value of a repeated key is gone, with all objects in it. The object that repeats the key is there.
    keys = {id(value): key for value, key in repeated}
    for at in _walk(document):
        if id(at.value) in keys:
            return DocumentError("must be given once, got it twice", path=at[keys[id(at.value)]].path)
    return DocumentError("must hold each key once, got one twice")


def _walk(document: Any) -> Iterator[At]:
    """Yield every place of a document, in its order."""
    stack = [At(document)]
    while stack:
        at = stack.pop()
        yield at
        if isinstance(at.value, dict):
            stack += [at[key] for key in reversed(at.value)]
        elif isinstance(at.value, list):
            stack += [at[i] for i in reversed(range(len(at.value)))]
