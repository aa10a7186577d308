"""A shop whose stamps run out, with customers to remind, and its notices."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from core.actions.passes import hold_pass, mark_installed, register_device
from core.actions.pushes import save_plan
from core.actions.telling import settle_news, take_news
from core.rules.types import Expiry, Gift, Limit, Reward
from core.store.tables import notice, outbox
from jobs import remind
from jobs.parts import Parts
from tests.actions.people import People
from tests.builders import build_shop, coffee, person

TOKYO = ZoneInfo("Asia/Tokyo")
DESIGN = {
    "limit": Limit(),
    "expires": Expiry(kind="after_last", months=1),
    "remind_days": (14, 3),
    "rewards": (Reward(at=10, name="コーヒー1杯", valid="30d"),),
    "birthday": Gift(name="ケーキ", valid="30d"),
}


class NoticeHouse(People):
    """Runs the hourly job, and looks at what became of each notice."""

    def __init__(self, db, shop, clock, settings, vault):
        super().__init__(db, shop, clock)
        self.parts = Parts(settings=settings, db=db, vault=vault)

    @classmethod
    async def build(cls, db, vault, clock, settings, **design):
        """A stamp of 23 November is good until 23 December."""
        made = coffee(**(DESIGN | design))
        shop = await build_shop(db, vault, clock.now(), design=made)
        return cls(db, shop, clock, settings, vault)

    def at(self, month, day, hour=12, minute=0, year=2026):
        self.clock.at = datetime(
            year, month, day, hour, minute, tzinfo=TOKYO
        ).astimezone(UTC)

    async def run(self):
        result = await remind.run(self.parts, self.clock.now())
        assert result.pop("red") == []
        return {k: v for k, v in result.items() if v}

    async def guest(self, number=1, stamps=7):
        card_id = await self.join(number)
        if stamps:
            await self.stamp(card_id, stamps)
        return card_id

    async def rows(self):
        """Every notice, oldest first."""
        query = select(notice).order_by(notice.c.made_at, notice.c.kind)
        return await self.db.read(lambda tx: tx.execute(query).all())

    async def states(self):
        return [(row.kind, row.state, row.route) for row in await self.rows()]

    async def allow(self, *, ceiling=None, quiet=(21, 9), is_allowed=True):
        return await self.db.write(
            save_plan,
            self.merchant_id,
            is_allowed=is_allowed,
            ceiling=ceiling,
            quiet_from=quiet[0],
            quiet_to=quiet[1],
            by=self.shop.owner,
            now=self.clock.now(),
        )

    async def hear(self, number=1, event="e1", *, is_told=True):
        """The customer writes: what the answer tells besides."""
        user_id, now = person(number).user_id, self.clock.now()
        news = await self.db.write(take_news, self.merchant_id, user_id, event, now)
        await self.db.write(
            settle_news, self.merchant_id, user_id, event, is_told=is_told, now=now
        )
        return news

    async def install(self, card_id, issuer):
        """The card's pass, on somebody's phone."""
        where, now = (self.merchant_id, card_id), self.clock.now()
        held = await self.db.write(hold_pass, *where, issuer, now)
        if issuer == "apple":
            await self.db.write(register_device, held.id, "phone", "token", now)
        else:
            await self.db.write(mark_installed, held.id, installed=True, now=now)
        return held

    async def behind(self, kind):
        """The topics of this kind that somebody has to be told of."""
        query = select(outbox.c.topic).where(outbox.c.wanted > outbox.c.done)
        rows = await self.db.read(lambda tx: tx.execute(query).all())
        return [row.topic for row in rows if row.topic.startswith(f"{kind}:")]
