"""Values: frozen, slotted dataclasses whose fields carry their checks, so that a class reads like a table.

attrs has validators and converters by field too, but it would be one more dependency, and `dataclasses.replace`,
`fields` and `asdict` refuse its classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")

put = object.__setattr__
"""Sets a field of a value in its ``__post_init__``, where it is derived from other fields or checked by them."""


def checked(
    check: Callable[..., T],
    *,
    default: Any = MISSING,
    default_factory: Any = MISSING,
    kw_only: bool = False,
    hash: bool | None = None,
    compare: bool = True,
    repr: bool = True,
    **options: Any,
) -> T:
    """Declare a field of a value by its check.

    Parameters
    ----------
    check : callable
        Takes the name of the field, such as ``"Box.x0"``, and what the caller passed; returns what is kept, or raises
        an error that says the name. Most are in `xplain._check`. If the default is None, None is kept unchecked.
    default, default_factory, kw_only, hash, compare, repr
        As for `dataclasses.field`.
    **options
        Further arguments of the check.

    Returns
    -------
    dataclasses.Field
        To type checkers it is what the check returns, so it has to agree with the field's annotation.
    """
    found: Any = field(
        default=default,
        default_factory=default_factory,
        kw_only=kw_only,
        hash=hash,
        compare=compare,
        repr=repr,
        metadata={"check": check, "options": options},
    )
    return found  # type: ignore[no-any-return]


@overload
def value(cls: type[T], /) -> type[T]: ...
@overload
def value(*, eq: bool = True, scope: str | None = None) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(checked, field))
def value(cls: type[T] | None = None, /, *, eq: bool = True, scope: str | None = None) -> Any:
    """Make a class a frozen, slotted dataclass that checks its fields, in their order.

    Parameters
    ----------
    cls : type
        Its fields are declared by `checked`, those without a check as in any dataclass. A ``__post_init__`` holds what
        concerns several fields; it runs after the checks.
    eq : bool
        As for `dataclasses.dataclass`: False if the class defines when its values are equal.
    scope : str, optional
        What stands before the names of fields in messages; the name of the class and a dot if left out.

    Examples
    --------
    >>> from xplain import _check
    >>> @value
    ... class Reading:
    ...     sensor: str = checked(_check.string)
    ...     celsius: float | None = checked(_check.number, default=None)
    >>> Reading("roof", 20)
    Reading(sensor='roof', celsius=20.0)
    >>> Reading("roof", "warm")
    Traceback (most recent call last):
    xplain.errors.InputError: Reading.celsius must be a finite number, got 'warm'
    """

    def make(cls: type[T]) -> type[T]:
        cls.__post_init__ = _post_init(cls, f"{cls.__name__}." if scope is None else scope)  # type: ignore[attr-defined]
        return dataclass(frozen=True, slots=True, eq=eq)(cls)

    return make if cls is None else make(cls)


def _post_init(cls: type, scope: str) -> Callable[[Any], None]:
    """Write the function that runs the checks of a class; dataclasses writes ``__init__`` in the same way.

    A loop over the checks took up to 1.7 times as long as checks by hand, and long documents make many values.
    """
    variables = {"put": put, "rule": getattr(cls, "__post_init__", None)}
    lines = ["def __post_init__(self):"]
    for name, declared in vars(cls).items():
        if not isinstance(declared, Field) or "check" not in declared.metadata:
            continue
        variables[f"check_{name}"] = declared.metadata["check"]
        options = declared.metadata["options"]
        variables |= {f"{name}_{option}": argument for option, argument in options.items()}
        arguments = "".join(f", {option}={name}_{option}" for option in options)
        lines += [
            f"  given = self.{name}",
            "  if given is not None:" if declared.default is None else "  if True:",
            f"    kept = check_{name}('{scope}{name}', given{arguments})",
            f"    if kept is not given: put(self, '{name}', kept)",
        ]
    lines += ["  if rule is not None: rule(self)"]
    exec("\n".join(lines), variables)
    return variables["__post_init__"]  # type: ignore[return-value]
