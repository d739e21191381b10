"""What many tests share."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def refuses(kind: type[Exception], *fragments: str) -> Iterator[None]:
    """Expect an error of a kind whose message holds each fragment."""
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    for fragment in fragments:
        assert re.search(re.escape(fragment), message), f"{fragment!r} is not in {message!r}"
