"""A model behind a server, as a callable: requests of a limited size, retries, and a budget of calls.

xplain sends nothing itself: the function that does, with its client, address and key, is the caller's.
"""

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

    Large batches are divided into what the server takes at once, failed calls are repeated, and calls are counted.

    Parameters
    ----------
    function : callable
        Takes a part of a batch (an array, or a list of strings) and returns an answer for each of its inputs: an array,
        or a list. It sends the request, with your client, address and key.
    most : int
        Largest number of inputs in one call.
    retries : int
        How often a failed call is repeated.
    retry_on : type or tuple of type
        Exceptions after which a call is repeated. The default is OSError: failed connections and time-outs of `urllib`
        and `requests`. Any other exception ends the explanation at once.
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
    >>> endpoint.calls  # 4 of them check once that the model answers alike
    7
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
        checked_name = None if name is None else _check.string("name", name)
        self.__name__: str = checked_name or getattr(function, "__name__", None) or type(function).__name__
        self.calls = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        limit = "" if self.budget is None else f" of {self.budget}"
        return f"Endpoint({self.__name__}, {self.calls}{limit} calls)"

    def __call__(self, batch: Any) -> Any:
        """Return the answers to a batch: an array if the server gives numbers, else a list."""
        parts = [self._answer_part(batch[start : start + self.most]) for start in range(0, len(batch), self.most)]
        if all(isinstance(answers, list) for answers in parts):
            return _to_array([answer for answers in parts for answer in answers])
        return np.concatenate([outputs.as_numpy(answers) for answers in parts])

    def _answer_part(self, part: Any) -> Any:
        """Return an array or a list with an answer for each input of one call."""
        answers = self._call_with_retries(part)
        if isinstance(answers, tuple):
            answers = list(answers)
        count = len(answers) if hasattr(answers, "__len__") else None
        if count != len(part) or isinstance(answers, (str, bytes, dict)):
            got = type(answers).__name__ if count is None or isinstance(answers, (str, bytes, dict)) else count
            raise InputError(f"endpoint must return an answer for each of {len(part)} inputs, got {got}")
        return answers

    def _call_with_retries(self, part: Any) -> Any:
        failure: Exception | None = None
        for pause in self._pauses():
            time.sleep(pause)
            self._count_call(failure)
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

    def _count_call(self, failure: Exception | None) -> None:
        """Count a call, or raise if the budget is used up; ``failure`` is that of the call before."""
        with self._lock:  # several threads may explain one model
            if self.budget is not None and self.calls >= self.budget:
                raise AttributionError(
                    f"budget must cover all calls of the endpoint, got {self.budget}, which are used up; raise it, or "
                    "ask the method for fewer evaluations"
                ) from failure
            self.calls += 1


def _to_array(answers: list[Any]) -> Any:
    """Return answers as an array if they are numbers of one shape, else as they are: detections, for example."""
    try:
        array = np.asarray(answers)
    except ValueError:
        return answers
    return array if array.dtype.kind in "biuf" else answers
