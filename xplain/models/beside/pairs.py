"""Pairs of sentences, such as a premise and a hypothesis, or a question and a passage: a model reads both at once.

To a document a pair is one text of two named parts, with a blank line between: a word has its position in the whole,
and `xplain.explanation.parts.in_part` its place in its sentence. To the model it stays two strings.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Part
from xplain.explanation.parts import join

Pair = tuple[str, str]
#: Of one window ids, spans in the whole text, and kinds of tokens if the tokenizer knows any.
Tokens = tuple[npt.NDArray[np.int64], tuple[tuple[int, int] | None, ...], npt.NDArray[np.int64] | None]

NAMES = ("first", "second")
_OVERLAP = 4  # a window shares this fraction, 1 / 4, of its tokens of the second sentence with the one before


def checked(text: Any) -> Pair:
    """Return a pair of sentences that hold a word each, or raise InputError."""
    if not isinstance(text, tuple) or len(text) != 2 or not all(isinstance(each, str) for each in text):
        raise InputError(f"text must be a str, a Comment, or a tuple of two str, a pair of sentences, got {text!r:.80}")
    for name, each in zip(NAMES, text, strict=True):
        if not each.strip():
            raise InputError(f"text must hold a word in each of two sentences, got {each[:40]!r} as the {name}")
    return text


def joined(pair: Pair) -> tuple[str, tuple[Part, ...]]:
    """Return a pair as one text, and where each sentence is in it."""
    return join(zip(NAMES, pair, strict=True))


def of_words(words: Sequence[Any], parts: Sequence[Part]) -> npt.NDArray[np.intp]:
    """Return which part each word lies in, by its start."""
    return np.searchsorted([part.start for part in parts], [word.start for word in words], side="right") - 1


def tokens_of(pair: Pair, tokenizer: Any, max_length: int | None) -> list[Tokens]:
    """Tokenise both sentences; in windows, each with all of the first, where they are longer than the model reads."""
    starts = [part.start for part in joined(pair)[1]]
    if not hasattr(tokenizer, "is_fast"):  # not a tokenizer of transformers
        return [_by_function(pair, starts, tokenizer, max_length)]
    limits: dict[str, Any] = {}
    if max_length is not None:
        needed = len(tokenizer(pair[0], add_special_tokens=False)["input_ids"])
        room = max_length - needed - tokenizer.num_special_tokens_to_add(pair=True)
        if room < 1:
            raise InputError(
                f"text must leave room for the second sentence within {max_length} tokens, got a first of {needed}; "
                "shorten it"
            )
        limits = {"truncation": "only_second", "max_length": max_length, "stride": room // _OVERLAP}
    encoded = tokenizer(*pair, return_offsets_mapping=True, return_overflowing_tokens=True, **limits)
    windows = []
    for i, (ids, offsets) in enumerate(zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)):
        sentences = encoded.sequence_ids(i)
        spans = _in_whole(offsets, sentences, starts)
        kinds = np.array(encoded["token_type_ids"][i], np.int64) if "token_type_ids" in encoded else None
        windows.append((np.array(ids, np.int64), spans, kinds))
    return windows


def _in_whole(
    spans: Sequence[Any], sentences: Sequence[int | None], starts: Sequence[int]
) -> tuple[tuple[int, int] | None, ...]:
    """Return spans in the whole text of spans in sentences; None for special tokens."""
    return tuple(
        None if number is None or span is None else (starts[number] + span[0], starts[number] + span[1])
        for span, number in zip(spans, sentences, strict=True)
    )


def _by_function(pair: Pair, starts: Sequence[int], tokenizer: Callable[..., Any], max_length: int | None) -> Tokens:
    """Call a tokenizer that is a plain function of both sentences, and check what it returns."""
    form = "tokenizer(first, second) -> ids, spans in each sentence, and numbers of the sentences, 0, 1 or None"
    try:
        inspect.signature(tokenizer).bind(*pair)
    except TypeError:
        raise InputError(f"tokenizer must take both sentences of a pair, {form}, got one of a single text") from None
    except ValueError:
        pass
    try:
        ids, spans, sentences = tokenizer(*pair)
        array = np.array([_check.integer("token id", i, least=0) for i in ids], np.int64)
        numbers = [None if each is None else _check.integer("sentence", each, least=0) for each in sentences]
        whole = _in_whole([None if span is None else (int(span[0]), int(span[1])) for span in spans], numbers, starts)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise InputError(f"tokenizer must return what a pair needs, {form}, got an error: {error}") from error
    ends = [start + len(each) for start, each in zip(starts, pair, strict=True)]
    for span, number in zip(whole, numbers, strict=True):
        if span is not None and number is not None and not starts[number] <= span[0] <= span[1] <= ends[number]:
            start, stop = (position - starts[number] for position in span)
            raise InputError(f"span must lie in sentence {number} of the pair, got {start}..{stop}")
    if len(array) != len(whole):
        raise InputError(f"tokenizer must return as many spans as ids, got {len(array)} ids and {len(whole)} spans")
    if max_length is not None and len(array) > max_length:
        raise InputError(f"text must be at most {max_length} tokens in both sentences, got {len(array)}; shorten it")
    return array, whole, np.array([each or 0 for each in numbers], np.int64)
