"""What is never drawn: keys that open doors."""

from __future__ import annotations

from typing import Any

# Modzy's submittedByKey and Edge Impulse's signatureKey, and whatever else is named so.
_ENDINGS = ("key", "token", "secret", "password")


def is_secret(name: str) -> bool:
    """Whether what stands under a name may be a secret.

    Examples
    --------
    >>> [is_secret(name) for name in ("submittedByKey", "api_token", "PASSWORD", "keyword")]
    [True, True, True, False]
    """
    return name.casefold().endswith(_ENDINGS)


def without_secrets(value: Any) -> Any:
    """Return JSON without what may be secret, at any depth.

    Examples
    --------
    >>> without_secrets({"sample": [{"name": "a", "signatureKey": "x"}], "accessToken": {"id": 1}})
    {'sample': [{'name': 'a'}]}
    """
    if isinstance(value, dict):
        return {key: without_secrets(one) for key, one in value.items() if not is_secret(key)}
    return [without_secrets(one) for one in value] if isinstance(value, list) else value
