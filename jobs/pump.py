"""Delivers what the outbox says is behind: many at once, again after failures.

A handler sends the present state of its topic, so delivering twice is harmless and ten
quick changes are one delivery.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import structlog

from core.actions.outbox import (
    Delivery,
    Place,
    deliver_done,
    deliver_failed,
    look_at_leisure,
    take_at_leisure,
    take_deliveries,
)
from core.clock import Clock
from core.database import Database
from core.errors import DeliveryError
from core.rules.types import MerchantId
from core.signals import Watch

# Brings `topic` of a merchant up to date. Raises DeliveryError.
Handler = Callable[[Delivery, datetime], Awaitable[None]]

AT_ONCE = 32
# One merchant's redesign of ten thousand passes leaves a quarter to all others.
SHARE = 24
# Of the slow lane (a redesign of ten thousand passes) so many at once.
LEISURE_AT_ONCE = 4
_STEP = 8
# So many places of the slow lane are looked up at once.
_LOOK = 64
# Others than a merchant that has its share, or anybody in the slow lane: where nobody
# was, it is looked again after so many seconds.
_OTHERS, _OTHERS_SECONDS = "others", 0.2
_LEISURE, _LEISURE_SECONDS = "leisure", 1.0
# The lease outlives a delivery, so that no second worker takes a topic in between.
DELIVERY_SECONDS = 45.0
LEASE_SECONDS = 60.0
STOP_SECONDS = 8.0
_TOLD = 1000
HALTED = timedelta(minutes=15)
BACK_OFF = tuple(
    timedelta(seconds=seconds)
    for seconds in (1, 2, 4, 8, 15, 30, 60, 120, 300, 600, 1800, 3600)
) + tuple(timedelta(hours=hours) for hours in (3, 6, 12, 24))

log = structlog.get_logger()


class Pump:
    """Takes due deliveries and hands each to the handler of its topic's prefix.

    `handlers` maps what stands before the colon of a topic ("pass:01J…") to its
    handler. `only` and `never` name one of them that has a pump to itself.
    """

    def __init__(
        self,
        db: Database,
        handlers: Mapping[str, Handler],
        clock: Clock,
        *,
        only: str | None = None,
        never: str | None = None,
    ) -> None:
        self._db = db
        self._only = only
        self._never = never
        self._handlers = handlers
        self._clock = clock
        self._running: dict[asyncio.Task[None], Delivery] = {}
        self._told: set[tuple[str, str]] = set()
        self._watch: Watch | None = None
        self._places: deque[Place] = deque()
        self._look_after: dict[str, float] = {}
        self._may_be_more = False
        self._stopping = False

    async def run(self) -> None:
        """Deliver until `stop`; woken by announcements, else looking each second."""
        try:
            with self._db.watch({"outbox"}) as self._watch:
                while not self._stopping:
                    await self._fill()
                    await self._watch.wait(1.0)
        finally:
            self._watch = None
            await self._end()

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is under way has ended."""
        self._stopping = True
        if self._watch is not None:
            self._watch.wake()

    async def drain(self) -> int:
        """Deliver all that is due until nothing is; how many deliveries there were."""
        self._look_after.clear()
        count = 0
        while (taken := await self._fill()) or self._running:
            count += taken
            if self._running:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        return count

    async def _fill(self) -> int:
        return await self._fill_urgent() + await self._fill_at_leisure()

    async def _fill_urgent(self) -> int:
        count = 0
        while (free := AT_ONCE - len(self._running)) and not self._stopping:
            full, limit = self._full(), min(free, _STEP)
            if full and not self._may_look(_OTHERS):
                break
            taken = await self._db.write(
                take_deliveries,
                limit,
                LEASE_SECONDS,
                self._clock.now(),
                full,
                only=self._only,
                never=self._never,
                at_leisure=False,
            )
            self._begin(taken)
            count += len(taken)
            self._may_be_more = bool(full) or len(taken) == limit
            if len(taken) < limit:
                if full:
                    self._rest(_OTHERS, _OTHERS_SECONDS)
                break
        return count

    async def _fill_at_leisure(self) -> int:
        """Take the next of very many, looked up a few dozen at a time."""
        count = 0
        while (slots := self._slow_slots()) > 0 and not self._stopping:
            now = self._clock.now()
            if not self._places and not await self._look_at_leisure(now):
                break
            places = [
                self._places.popleft() for _ in range(min(slots, len(self._places)))
            ]
            taken = await self._db.write(take_at_leisure, places, LEASE_SECONDS, now)
            self._begin(taken)
            count += len(taken)
        return count

    async def _look_at_leisure(self, now: datetime) -> bool:
        if not self._may_look(_LEISURE):
            return False
        full = self._full()
        self._places.extend(await self._db.read(look_at_leisure, _LOOK, now, full))
        if not self._places:
            self._rest(_LEISURE, _LEISURE_SECONDS)
        return bool(self._places)

    def _begin(self, taken: list[Delivery]) -> None:
        for delivery in taken:
            task = asyncio.create_task(self._deliver(delivery))
            self._running[task] = delivery
            task.add_done_callback(self._ended)

    def _full(self) -> list[MerchantId]:
        busy = Counter(delivery.merchant_id for delivery in self._running.values())
        return [merchant for merchant, n in busy.items() if n >= SHARE]

    def _slow_slots(self) -> int:
        if self._only is not None:
            return 0
        slow = sum(each.at_leisure for each in self._running.values())
        return min(LEISURE_AT_ONCE - slow, AT_ONCE - len(self._running))

    def _may_look(self, where: str) -> bool:
        return asyncio.get_running_loop().time() >= self._look_after.get(where, 0.0)

    def _rest(self, where: str, seconds: float) -> None:
        """Nobody was there: look again after a while, since looking is not cheap."""
        self._look_after[where] = asyncio.get_running_loop().time() + seconds

    async def _end(self) -> None:
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=STOP_SECONDS)
        for task in late:
            # Its outcome is unknown. Its lease runs out, then it is sent again.
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        ended = self._running.pop(task)
        # A place in the slow lane is free, and somebody may want it.
        if (self._may_be_more or ended.at_leisure) and self._watch is not None:
            self._watch.wake()
        if not task.cancelled() and task.exception() is not None:
            # Not even the outcome could be kept: the lease runs out, then again.
            log.error("delivery_not_noted", exc_info=task.exception())

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                await self._handler(delivery)(delivery, self._clock.now())
        except DeliveryError as error:
            await self._note_failure(delivery, error)
        except TimeoutError:
            late = DeliveryError(f"no end after {DELIVERY_SECONDS:.0f} s")
            await self._note_failure(delivery, late)
        except Exception as error:
            log.exception("delivery_crashed", topic=delivery.topic)
            failure = DeliveryError(f"error in the service: {type(error).__name__}")
            await self._note_failure(delivery, failure)
        else:
            await self._db.write(deliver_done, delivery, self._clock.now())

    def _handler(self, delivery: Delivery) -> Handler:
        prefix = delivery.topic.partition(":")[0]
        if prefix not in self._handlers:
            # A newer version's topic, while processes are being replaced one by one.
            raise DeliveryError(f"nobody here delivers {prefix!r}")
        return self._handlers[prefix]

    async def _note_failure(self, delivery: Delivery, error: DeliveryError) -> None:
        wait = wait_after(delivery.attempts, error)
        is_dead = wait is None
        now = self._clock.now()
        due_at = now + (wait or timedelta())
        await self._db.write(
            deliver_failed,
            delivery,
            error=str(error),
            due_at=due_at,
            now=now,
            dead=is_dead,
            halts=error.halts,
        )
        if error.halts and not self._is_new(delivery, error):
            return
        log.warning(
            "delivery_dead" if is_dead else "delivery_failed",
            merchant=delivery.merchant_id,
            topic=delivery.topic,
            attempts=delivery.attempts + 1,
            halts=error.halts,
            error=str(error),
        )

    def _is_new(self, delivery: Delivery, error: DeliveryError) -> bool:
        # A wrong certificate fails every pass of a merchant: one line is enough.
        key = (delivery.merchant_id, str(error))
        is_new = key not in self._told
        if len(self._told) >= _TOLD:
            self._told.clear()
        self._told.add(key)
        return is_new


def wait_after(attempts: int, error: DeliveryError) -> timedelta | None:
    """How long to wait after one more failure than `attempts`; None: never again."""
    if error.halts:
        return HALTED
    if error.permanent or attempts >= len(BACK_OFF):
        return None
    asked = timedelta(seconds=error.retry_after or 0)
    wait = max(BACK_OFF[attempts], min(asked, BACK_OFF[-1]))
    # Up to a fifth more: what failed together must not come back together.
    return wait * (1 + secrets.randbelow(200) / 1000)
