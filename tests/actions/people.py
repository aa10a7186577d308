"""A shop with customers who are known by name, for what customers ask for."""

from __future__ import annotations

from core.actions.cards import ledger, load_card
from core.actions.grant import grant_stamps
from core.actions.join import follow, know_person
from core.actions.publish import publish, save_draft
from core.actions.signin import logins
from core.actions.undo import undo_grant
from core.rules.asking import Granted, StampAsk
from core.store.tables import journal, ledger_entry
from tests.builders import build_shop, coffee, person


class People:
    """Customers of one shop by number; every act has a key of its own."""

    def __init__(self, db, shop, clock):
        self.db, self.shop, self.clock = db, shop, clock
        self.merchant_id = shop.merchant.id
        self.keys = 0

    def key(self):
        self.keys += 1
        return f"key-{self.keys}"

    async def join(self, number=1, name="花子"):
        """A new friend's first card."""
        return (await self.join_all(number, name))[0]

    async def join_all(self, number=1, name="花子"):
        return await self.db.write(
            follow, self.merchant_id, person(number, name), self.key(), self.clock.now()
        )

    async def customer(self, number=1):
        user_id = person(number).user_id
        return await self.db.read(know_person, self.merchant_id, user_id)

    async def customer_id(self, number=1):
        return (await self.customer(number)).id

    async def stamp(self, card_id, stamps=1):
        """A stamp by the till, for a card that is there."""
        outcome = await self.db.write(
            grant_stamps, self.ask(card_id, stamps), self.clock.now()
        )
        assert isinstance(outcome, Granted), outcome
        return outcome

    def ask(self, card_id, stamps=1):
        return StampAsk(
            merchant_id=self.merchant_id,
            key=self.key(),
            how="till",
            card_id=card_id,
            stamps=stamps,
            shop_id=self.shop.shop.id,
            staff_id=self.shop.owner.id,
        )

    async def claim_code(self, code, number=1):
        """The customer sends a till code in the chat."""
        ask = StampAsk(
            merchant_id=self.merchant_id,
            key=self.key(),
            how="line",
            code=code,
            person=person(number),
        )
        return await self.db.write(grant_stamps, ask, self.clock.now())

    async def undo(self, entry_id, reason="まちがえました"):
        return await self.db.write(
            undo_grant,
            merchant_id=self.merchant_id,
            entry_id=entry_id,
            by=self.shop.owner,
            reason=reason,
            key=self.key(),
            now=self.clock.now(),
        )

    async def staff(self, role):
        [login] = await self.db.read(logins, f"{role}@aozora.jp")
        return login.staff

    async def publish(self, design):
        ids = (self.merchant_id, self.shop.program.id)
        now = self.clock.now()
        await self.db.write(save_draft, *ids, design, self.shop.owner.id, now)
        await self.db.write(publish, *ids, self.shop.owner.id, now)

    async def view(self, card_id):
        now = self.clock.now()
        return await self.db.read(load_card, self.merchant_id, card_id, now)

    async def card(self, card_id):
        return (await self.view(card_id)).card

    async def balance(self, card_id):
        return (await self.card(card_id)).balance

    async def vouchers(self, card_id):
        return [v.name for v in (await self.view(card_id)).face.vouchers]

    async def entries(self, card_id):
        """Oldest first; their sum is what the card shows."""
        found = await self.db.read(ledger, self.merchant_id, card_id)
        assert sum(e.stamps for e in found) == await self.balance(card_id)
        return found[::-1]

    async def written(self):
        """All that the ledger and the log say, as one text."""
        rows = await self.db.read(
            lambda tx: [
                *tx.execute(ledger_entry.select()).all(),
                *tx.execute(journal.select()).all(),
            ]
        )
        return str(rows)

    async def log(self, action):
        rows = await self.db.read(
            lambda tx: tx.execute(
                journal.select().where(journal.c.action == action)
            ).all()
        )
        return list(rows)


async def open_people(db, vault, clock, **design):
    shop = await build_shop(db, vault, clock.now(), design=coffee(**design))
    return People(db, shop, clock)
