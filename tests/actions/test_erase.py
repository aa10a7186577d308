"""Leaving: nothing that names a person is left, and who comes back is somebody new."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from core.actions.cards import card_by_code, find_cards
from core.actions.claims import list_claims, make_claim
from core.actions.erase import Erased, erase_customer, what_we_know
from core.actions.grant import grant_stamps
from core.actions.inbox import NewEvent, keep_events, take_events
from core.actions.join import follow, open_card
from core.actions.passes import hold_pass, load_pass, register_device
from core.actions.redemptions import ask_redemption, waiting_redemptions
from core.actions.till import till_code_state
from core.errors import NotFound
from core.rules.asking import LinePerson, Refused, StampAsk
from core.rules.types import Why
from core.store.customers import find_customer, update_customer
from core.store.erasing import forget_devices
from core.store.tables import hook_delivery, metadata
from jobs.audit import wrong_cards
from tests.actions.test_link import Two, drain, two_of

# What must be nowhere afterwards; each is put where the service would put it.
NAME, OTHER_NAME = "カナリア花子", "カナリア太郎"
LINE_ID = "Ucanary0000000000000000000000001"
POS_ID = "canary-pos-1"
CLAIMED = "カナリアの分がついていません"
SAID = "カナリアと書いた"
TYPED = "CANARYAA"
REFERRAL = "CANARYRF"
BIRTHDAY = "02-29"
CANARIES = (
    NAME,
    OTHER_NAME,
    LINE_ID,
    POS_ID,
    CLAIMED,
    SAID,
    TYPED,
    REFERRAL,
    BIRTHDAY,
)


class Leaving(Two):
    """Somebody of whom everything is known, in LINE and in a wallet."""

    person = LinePerson(user_id=LINE_ID, name=NAME, language="ja")

    async def open(self):
        merchant_id, now = self.merchant_id, self.clock.now()
        [self.yours] = await self.db.write(
            follow, merchant_id, self.person, self.key(), now
        )
        self.theirs = await self.db.write(
            open_card,
            merchant_id=merchant_id,
            program_key="coffee",
            key=self.key(),
            now=now,
            name=OTHER_NAME,
            external_id=POS_ID,
        )
        self.id = await self.customer_of(self.yours)
        self.other_id = await self.customer_of(self.theirs)
        await self.stamp(self.yours, 10)
        await self.stamp(self.theirs, 6)
        self.held = await self.db.write(
            hold_pass, merchant_id, self.theirs, "apple", now
        )
        await self.db.write(register_device, self.held.id, "device", "token", now)
        await self.leave_traces()
        await self.know_more()
        return self

    async def leave_traces(self):
        merchant_id, now = self.merchant_id, self.clock.now()
        asked = StampAsk(
            merchant_id=merchant_id,
            key=self.key(),
            how="line",
            code=TYPED,
            person=self.person,
        )
        assert (await self.db.write(grant_stamps, asked, now)).why == Why.unknown_code
        await self.db.write(
            make_claim,
            merchant_id=merchant_id,
            customer_id=self.id,
            card_id=self.yours,
            text=CLAIMED,
            key=self.key(),
            now=now,
        )
        voucher = (await self.face(self.yours)).vouchers[0]
        await self.db.write(
            ask_redemption,
            merchant_id=merchant_id,
            voucher_id=voucher.id,
            customer_id=self.id,
            key=self.key(),
            now=now,
        )
        event = NewEvent(
            event_id="e1",
            person=LINE_ID,
            happened_at=now,
            reply_deadline=now,
            body=json.dumps({"userId": LINE_ID, "text": SAID}, ensure_ascii=False),
        )
        await self.db.write(keep_events, merchant_id, [event], now)

    async def know_more(self):
        def write(tx):
            for customer_id, code in ((self.id, REFERRAL), (self.other_id, None)):
                update_customer(
                    tx,
                    self.merchant_id,
                    customer_id,
                    birthday=BIRTHDAY,
                    birthday_told_at=self.clock.now(),
                    referral_code=code,
                )
            sent = {"customer": {"name": OTHER_NAME, "external_id": POS_ID}}
            tx.execute(
                hook_delivery.insert().values(
                    merchant_id=self.merchant_id,
                    id="h1",
                    hook_id="h",
                    event_id="e",
                    type="card.issued",
                    data={"card": self.theirs},
                    body=json.dumps(sent, ensure_ascii=False),
                    state="delivered",
                    made_at=self.clock.now(),
                )
            )

        await self.db.write(write)

    async def erase(self, customer_id=None, by="owner", reason="left"):
        return await self.db.write(
            erase_customer,
            merchant_id=self.merchant_id,
            customer_id=customer_id or self.id,
            by=None if by is None else await self.staff(by),
            reason_code=reason,
            now=self.clock.now(),
        )

    async def known(self, customer_id=None):
        return await self.db.read(
            what_we_know, self.merchant_id, customer_id or self.id
        )

    async def rows(self):
        """Every row of every table, as text."""

        def read(tx):
            return {
                table.name: [str(tuple(row)) for row in tx.execute(select(table))]
                for table in metadata.sorted_tables
            }

        return await self.db.read(read)

    async def found(self, words):
        """Which of the words are in which table."""
        return {
            (word, table)
            for table, rows in (await self.rows()).items()
            for word in words
            if any(word in row for row in rows)
        }


@pytest.fixture
async def leaving(db, vault, clock):
    two = await two_of(db, vault, clock)
    return await Leaving(db, two.shop, clock).open()


async def names_of(leaving):
    """What a person could have written down of themself: numbers and codes."""
    faces = [await leaving.face(leaving.yours), await leaving.face(leaving.theirs)]
    return [text for face in faces for text in (face.code, face.member_no)]


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "apart"])
async def test_nothing_that_names_them_is_left_in_any_table(leaving, linked):
    code = await leaving.code(leaving.theirs)
    words = [*CANARIES, code, *await names_of(leaving)]
    assert {word for word, _ in await leaving.found(words)} == set(words)
    if linked:
        await leaving.link_at_counter(leaving.other_id, leaving.id)

    await leaving.erase()
    if not linked:
        await leaving.erase(leaving.other_id)

    assert await leaving.found(words) == set()
    assert await leaving.db.read(wrong_cards) == []


async def test_the_ledger_stays(leaving):
    before = await leaving.lines(leaving.yours)

    await leaving.erase()

    assert await leaving.lines(leaving.yours) == before
    assert (await leaving.very(leaving.yours)).balance == 10


async def test_cards_stop_vouchers_are_void_and_passes_are_told(leaving):
    await leaving.link_at_counter(leaving.other_id, leaving.id)
    vouchers = (await leaving.face(leaving.yours)).vouchers
    assert len(vouchers) == 3
    code = (await leaving.face(leaving.yours)).code
    await drain(leaving)

    outcome = await leaving.erase(leaving.other_id, by=None)

    assert isinstance(outcome, Erased)
    assert set(outcome.cards) == {leaving.yours, leaving.theirs}
    assert outcome.customer_id == leaving.id
    now = leaving.clock.now()
    view = await leaving.db.read(load_pass, leaving.held.id, now)
    assert (view.face.state, view.face.stop_reason) == ("stopped", "退会")
    assert view.face.vouchers == ()
    assert f"pass:{leaving.held.id}" in await drain(leaving)
    assert await leaving.db.read(card_by_code, code, now) is None
    for voucher in vouchers:
        assert (await leaving.redeem(voucher.id)).why == Why.void_voucher
    assert (await leaving.ask(leaving.yours)).why == Why.card_stopped


async def test_nothing_waits_for_them_any_more(leaving):
    now = leaving.clock.now()
    await leaving.erase()

    merchant_id = leaving.merchant_id
    assert await leaving.db.read(waiting_redemptions, merchant_id, now) == []
    assert await leaving.db.read(list_claims, merchant_id) == []
    assert await leaving.db.write(take_events, 10, 60.0, now) == []


async def test_who_comes_back_is_somebody_new_with_a_new_card(leaving):
    await leaving.erase()

    [card_id] = await leaving.db.write(
        follow, leaving.merchant_id, leaving.person, "again", leaving.clock.now()
    )

    assert card_id != leaving.yours
    assert await leaving.customer_of(card_id) != leaving.id
    face = await leaving.face(card_id)
    assert (face.balance, face.state) == (0, "active")
    by = {"line_user_id": LINE_ID}
    views = await leaving.db.read(
        find_cards, leaving.merchant_id, leaving.clock.now(), **by
    )
    assert [view.card.id for view in views] == [card_id]


async def test_erasing_again_changes_nothing(leaving):
    first = await leaving.erase()
    before = await leaving.rows()
    leaving.clock.move(days=1)

    assert await leaving.erase() == first
    assert await leaving.rows() == before


async def test_only_owners_managers_and_the_person_may(leaving):
    for role in ("viewer", "clerk"):
        assert await leaving.erase(by=role) == Refused(why=Why.not_allowed)
    assert await leaving.found([NAME])
    with pytest.raises(NotFound):
        await leaving.erase("nobody")
    assert isinstance(await leaving.erase(by="manager", reason="removed"), Erased)
    assert (await leaving.face(leaving.yours)).stop_reason == "お店による削除"


async def test_others_keep_theirs(leaving):
    stranger = await leaving.line(4, who=2)
    before = await leaving.state(stranger)

    await leaving.link_at_counter(leaving.other_id, leaving.id)
    await leaving.erase()

    assert await leaving.state(stranger) == before
    assert (await leaving.view(stranger)).customer.name == "花子"


async def test_a_till_that_showed_their_name_shows_none(leaving):
    code = await leaving.shop.till_code(leaving.clock.now())
    asked = StampAsk(
        merchant_id=leaving.merchant_id,
        key="till",
        how="line",
        code=code.code,
        person=leaving.person,
    )
    await leaving.db.write(grant_stamps, asked, leaving.clock.now())
    args = (leaving.merchant_id, code.code, leaving.clock.now())
    assert (await leaving.db.read(till_code_state, *args)).customer_name == NAME

    await leaving.erase()

    assert (await leaving.db.read(till_code_state, *args)).customer_name == ""


async def test_after_erasing_a_linking_cannot_be_taken_back(leaving):
    link = await leaving.link_at_counter(leaving.other_id, leaving.id)
    await leaving.erase()

    assert (await leaving.unlink(link.link_id)).why == Why.too_late
    with pytest.raises(NotFound):
        await leaving.code(leaving.theirs)
    with pytest.raises(NotFound):
        await leaving.link_at_counter(leaving.other_id, leaving.id)


async def test_their_phones_are_forgotten_once_they_had_time_to_hear(leaving):
    stranger = await leaving.line(1, who=2)
    now = leaving.clock.now()
    args = (leaving.merchant_id, stranger, "apple", now)
    other = await leaving.db.write(hold_pass, *args)
    await leaving.db.write(register_device, other.id, "other", "token", now)
    await leaving.erase(leaving.other_id)

    assert await leaving.db.write(forget_devices, now, 10) == 0
    later = leaving.clock.move(days=30)
    assert await leaving.db.write(forget_devices, later, 10) == 1
    assert await leaving.db.write(forget_devices, later, 10) == 0
    assert [row for row in (await leaving.rows())["pass_device"] if "other" in row]


# --- see my data ------------------------------------------------------------------


async def test_everything_that_is_held_about_them_can_be_shown(leaving):
    await leaving.code(leaving.theirs)
    await leaving.link_at_counter(leaving.other_id, leaving.id)

    known = await leaving.known()

    assert known == await leaving.known(leaving.other_id)
    told = json.dumps(known, ensure_ascii=False)
    assert [word for word in CANARIES if word not in told] == []
    assert "token" not in [d.get("push_token") for d in known["pass_device"]]
    assert {row["id"] for row in known["card"]} == {leaving.yours, leaving.theirs}
    assert sum(row["stamps"] for row in known["ledger_entry"]) == 16 - 10
    for table in ("voucher", "held_pass", "refusal", "claim", "redemption", "link"):
        assert known[table], table
    actions = {row["action"] for row in known["journal"]}
    assert {"card.issued", "stamp.granted"} <= actions


async def test_what_is_shown_is_of_nobody_else(leaving):
    stranger = await leaving.line(1, who=2)

    told = json.dumps(await leaving.known(), ensure_ascii=False)

    assert stranger not in told
    assert OTHER_NAME not in told
    with pytest.raises(NotFound):
        await leaving.known("nobody")


async def test_of_who_left_only_what_names_nobody_is_held(leaving):
    await leaving.erase()

    known = await leaving.known()

    assert known["refusal"] == known["inbox"] == known["link_code"] == []
    [customer] = known["customer"]
    assert names_in(customer) == {"", None}
    row = await leaving.db.read(
        lambda tx: find_customer(tx, leaving.merchant_id, own=True, id=leaving.id)
    )
    assert row.erased_at == leaving.clock.now()


def names_in(customer):
    fields = ("name", "line_user_id", "external_id", "birthday", "referral_code")
    return {customer[field] for field in fields}
