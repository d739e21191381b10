"""A model behind a network: a function that asks a server, called as often as one may and no more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from xplain import _check
from xplain.errors import AttributionError, InputError
from xplain.models import outputs


class Endpoint:
    """A function that asks a server for predictions, as a black box for a model of xplain.

    Large batches are cut to what the server takes at once, failed calls are repeated, and calls are counted.

    Parameters
    ----------
    function : callable
        Takes a part of a batch (an array, or a list of strings) and returns an answer for each of its inputs: an array,
        or a list. It sends the request, with the client, the address and the key that are yours.
    most : int
        Inputs in one call.
    retries : int
        How often a failed call is repeated.
    retry_on : type or tuple of type
        Exceptions that may pass. The default is OSError: connections and time-outs of `urllib` and of `requests`. Any
        other exception ends the explanation at once.
    wait : float
        Seconds before the first repetition; doubled each time.
    budget : int, optional
        Calls in all, repetitions included, over the life of this object; no limit if left out.
    name : str, optional
        The model's name in documents; that of the function if left out.

    Attributes
    ----------
    calls : int
        How often the function was called so far.

    Raises
    ------
    AttributionError
        By a call, if the server keeps failing or the budget is used up.
    InputError
        By a call, if the server does not answer each input.

    Examples
    --------
    >>> import xplain
    >>> def ask(images):  # requests.post(URL, json=images.tolist()).json()
    ...     return [[1 - image.mean() / 255, image.mean() / 255] for image in images]
    >>> endpoint = Endpoint(ask, most=8, budget=20)
    >>> model = xplain.ImageClassifier(endpoint, labels=["dark", "bright"], output="probability")
    >>> explanation = xplain.explain(model, np.full((8, 8, 3), 255, np.uint8), "occlusion", window=2, stride=2)
    >>> endpoint.calls
    3
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        *,
        most: int = 64,
        retries: int = 2,
        retry_on: type[Exception] | tuple[type[Exception], ...] = OSError,
        wait: float = 1.0,
        budget: int | None = None,
        name: str | None = None,
    ) -> None:
        self.function = _check.function("function", function)
        self.most = _check.integer("most", most, least=1)
        self.retries = _check.integer("retries", retries, least=0)
        kinds = retry_on if isinstance(retry_on, tuple) else (retry_on,)
        if not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
            raise _check.wrong("retry_on", "a type of exception or a tuple of them", retry_on)
        self.retry_on = kinds
        self.wait = _check.number("wait", wait)
        if self.wait < 0:
            raise _check.wrong("wait", "a number >= 0", wait)
        self.budget = None if budget is None else _check.integer("budget", budget, least=1)
        given = None if name is None else _check.string("name", name)
        self.__name__: str = given or getattr(function, "__name__", None) or type(function).__name__
        self.calls = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        limit = "" if self.budget is None else f" of {self.budget}"
        return f"Endpoint({self.__name__}, {self.calls}{limit} calls)"

    def __call__(self, batch: Any) -> Any:
        """Return the answers to a batch: an array if the server gives numbers, else a list."""
        answers = [self._answered(batch[start : start + self.most]) for start in range(0, len(batch), self.most)]
        if all(isinstance(answer, list) for answer in answers):
            return _array_of([one for answer in answers for one in answer])
        return np.concatenate([outputs.as_numpy(answer) for answer in answers])

    def _answered(self, part: Any) -> Any:
        """Return an array or a list with an answer for each input of one call."""
        answer = self._asked(part)
        if isinstance(answer, tuple):
            answer = list(answer)
        count = len(answer) if hasattr(answer, "__len__") else None
        if count != len(part) or isinstance(answer, (str, bytes, dict)):
            got = type(answer).__name__ if count is None or isinstance(answer, (str, bytes, dict)) else count
            raise InputError(f"endpoint must return an answer for each of {len(part)} inputs, got {got}")
        return answer

    def _asked(self, part: Any) -> Any:
        failure: Exception | None = None
        for pause in self._pauses():
            time.sleep(pause)
            self._count(failure)
            try:
                return self.function(part)
            except self.retry_on as error:
                failure = error
        raise AttributionError(
            f"endpoint must answer within {self.retries + 1} calls, got {type(failure).__name__}: {failure}"
        ) from failure

    def _pauses(self) -> Iterator[float]:
        yield 0.0
        for repetition in range(self.retries):
            yield self.wait * 2**repetition

    def _count(self, failure: Exception | None) -> None:
        with self._lock:  # several threads may explain one model
            if self.budget is not None and self.calls >= self.budget:
                raise AttributionError(
                    f"budget must cover all calls of the endpoint, got {self.budget}, which are used up; raise it, or "
                    "ask the method for fewer evaluations"
                ) from failure
            self.calls += 1


def _array_of(answers: list[Any]) -> Any:
    """Return answers as an array where they are numbers of one shape; detections, say, are not."""
    try:
        array = np.asarray(answers)
    except ValueError:
        return answers
    return array if array.dtype.kind in "biuf" else answers
