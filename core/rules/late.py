"""At which instant a stamp counts that a till could not send at once: pure."""

from __future__ import annotations

from datetime import datetime, timedelta

# A till that was without network for longer than this has to live with the limits of
# the moment at which it is heard again. It also bounds what a wrong clock can do, and
# how far back staff could reach to get round a limit of one stamp a day.
LATEST = timedelta(hours=24)


def scanned_at(age: timedelta | None, now: datetime) -> datetime:
    """When it was scanned: `age` before `now`, by the till's own clock.

    The till sends how long ago it was, not when: a clock that is wrong by hours, but
    steadily, then does no harm. What cannot be (the future, days ago, unknown) is a
    clock that was put right meanwhile: then only now is certain.
    """
    if age is None or not timedelta() <= age <= LATEST:
        return now
    return now - age


def counts_at(scanned: datetime, last_entry_at: datetime, now: datetime) -> datetime:
    """The instant at which the limits are asked and the entry is written.

    A card's history stays in the order of its time. Where something came on the card
    after the scan, the earliest instant that keeps it so is that entry's own: nearer to
    the truth than now, and never worse for the customer.
    """
    return min(max(scanned, last_entry_at), now)
