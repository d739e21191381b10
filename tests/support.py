"""What many tests share."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, settings


@contextmanager
def refuses(kind: type[Exception], *fragments: str) -> Iterator[None]:
    """Expect an error of a kind whose message holds each fragment."""
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    for fragment in fragments:
        assert re.search(re.escape(fragment), message), f"{fragment!r} is not in {message!r}"


def examples(percent: int = 100) -> settings:
    """Settings of a law: a share of the profile's examples, however long they take to make and to check."""
    count = settings().max_examples * percent // 100
    return settings(max_examples=max(1, count), suppress_health_check=list(HealthCheck))
