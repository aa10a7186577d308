"""Which callbacks were heard already: Google repeats them, sometimes out of order."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

from passes.google.callback import PassEvent

_MOST = 10_000


class HeardEvents:
    """The last some thousand events of this process. What it forgets does no harm:
    saving what is saved changes nothing.
    """

    def __init__(self) -> None:
        self._nonces: OrderedDict[str, None] = OrderedDict()
        self._latest: OrderedDict[str, datetime] = OrderedDict()

    def is_news(self, event: PassEvent) -> bool:
        """Neither heard before nor older than what was heard of the same pass."""
        latest = self._latest.get(event.object_id)
        is_late = latest is not None and event.expires_at < latest
        return event.nonce not in self._nonces and not is_late

    def add(self, event: PassEvent) -> None:
        """It has been acted on; call it only after that is durable."""
        self._nonces[event.nonce] = None
        self._latest[event.object_id] = event.expires_at
        for kept in (self._nonces, self._latest):
            while len(kept) > _MOST:
                kept.popitem(last=False)
