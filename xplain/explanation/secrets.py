"""Secrets in documents (access keys, tokens, passwords), which are never drawn.

They are recognised by the name of their field alone: it is better to hide a harmless field than to show a key.
"""

from __future__ import annotations

from typing import Any

# Modzy has submittedByKey, Edge Impulse has signatureKey; the others are common elsewhere.
_ENDINGS = ("key", "token", "secret", "password")


def is_secret(name: str) -> bool:
    """Whether a field with this name may hold a secret.

    Examples
    --------
    >>> [is_secret(name) for name in ("submittedByKey", "api_token", "PASSWORD", "keyword")]
    [True, True, True, False]
    """
    return name.casefold().endswith(_ENDINGS)


def without_secrets(value: Any) -> Any:
    """Return a JSON value without the fields that may hold secrets, at any depth.

    Examples
    --------
    >>> without_secrets({"sample": [{"name": "a", "signatureKey": "x"}], "accessToken": {"id": 1}})
    {'sample': [{'name': 'a'}]}
    """
    if isinstance(value, dict):
        return {key: without_secrets(field) for key, field in value.items() if not is_secret(key)}
    return [without_secrets(element) for element in value] if isinstance(value, list) else value
