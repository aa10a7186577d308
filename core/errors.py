"""Failures that a caller cannot expect; refusals are values (`rules.types.Refused`).

StampcardError
├── SettingsError      the configuration is wrong; lists every problem
├── NotFound           no such thing for this merchant
├── Invalid            what was entered cannot be kept; one message per field
├── Unsealable         a sealed value was not made by this key, for this place
└── DeliveryError      a platform did not take what we sent; permanent or not
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class StampcardError(Exception):
    """The root of this project's exceptions."""


class SettingsError(StampcardError):
    """The configuration is wrong. `problems` has one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class NotFound(StampcardError):
    """There is no such `kind` for this merchant; the same as if it never existed."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"no such {kind}")
        self.kind = kind


class Invalid(StampcardError):
    """What was entered cannot be kept.

    `problems` maps a field's name to the wording key of its message and the values for
    its blanks: `{"goal": ("invalid.goal", {"max": 50})}`.
    """

    def __init__(
        self, problems: Mapping[str, tuple[str, Mapping[str, object]]]
    ) -> None:
        super().__init__(", ".join(f"{f}: {key}" for f, (key, _) in problems.items()))
        self.problems = dict(problems)


class Unsealable(StampcardError):
    """A sealed value was not made with this key for this merchant and place."""


class DeliveryError(StampcardError):
    """A platform did not take what we sent.

    `permanent`: the same again would fail again. `retry_after` in seconds, where the
    platform named one. `halts`: the merchant's connection is wrong (certificate,
    permission), so everything else on it would fail the same way.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        halts: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.halts = halts
        self.retry_after = retry_after


class NotConnected(DeliveryError):
    """The merchant has no connection to the platform, or ended it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True, halts=True)
