"""The core against a plain second telling of its rules, in long random stories.

Each story is one transaction that is rolled back in the end: thousands of steps a
second on SQLite, and a shorter run on PostgreSQL.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from datetime import date, datetime, timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from core.actions.adjust import adjust_card
from core.actions.apply import MerchantFile, apply_merchant
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.publish import find_program, publish, save_draft
from core.actions.redeem import redeem_voucher, undo_redeem
from core.actions.shops import list_shops
from core.actions.till import make_till_code
from core.actions.undo import undo_grant
from core.database import Tx, writing_engine
from core.rules.asking import (
    Adjusted,
    Granted,
    Redeemed,
    Refused,
    StampAsk,
    Undone,
)
from core.rules.types import (
    Design,
    Expiry,
    Limit,
    Reward,
)
from core.store.cards import lock_card
from core.store.ledger import all_vouchers
from core.store.tables import card as card_table
from core.store.tables import ledger_entry
from core.store.tables import voucher as voucher_table
from tests.actions.core_model import ModelCard, Ticket, business_day, end_of
from tests.builders import person
from tests.conftest import START

EXPIRES = (
    st.just(Expiry())
    | st.just(Expiry())
    | st.integers(1, 3).map(lambda n: Expiry(kind="after_last", months=n))
    | st.integers(1, 3).map(lambda n: Expiry(kind="after_first", months=n))
    | st.integers(0, 90).map(
        lambda n: Expiry(kind="on", on=date(2026, 11, 25) + timedelta(days=n))
    )
)
LIMITS = (
    st.just(Limit())
    | st.just(Limit())
    | st.just(Limit())
    | st.just(Limit(kind="day"))
    | st.integers(1, 72).map(lambda n: Limit(kind="hours", n=n))
    | st.integers(1, 3).map(lambda n: Limit(kind="per_day", n=n))
)
COUNTS = st.integers(1, 3) | st.integers(1, 3) | st.integers(1, 12)
SPANS = st.sampled_from(
    [
        timedelta(minutes=1),
        timedelta(minutes=9),
        timedelta(minutes=11),
        timedelta(hours=2),
        timedelta(hours=13),
        timedelta(days=1),
        timedelta(days=1),
        timedelta(days=3),
        timedelta(days=25),
        timedelta(days=70),
    ]
)


@st.composite
def designs(draw):
    goal = draw(st.integers(1, 8))
    ats = draw(st.sets(st.integers(1, goal), max_size=2)) | {goal}
    valid = st.sampled_from([None, "1m", "10d"])
    return Design(
        name="カード",
        goal=goal,
        rewards=tuple(
            Reward(at=at, name=f"特典{at}", valid=draw(valid)) for at in sorted(ats)
        ),
        bonus=draw(st.integers(0, min(goal - 1, 2))),
        limit=draw(LIMITS),
        expires=draw(EXPIRES),
    )


class Story(RuleBasedStateMachine):
    """Two people collect; staff undo, redeem and adjust; the shop republishes."""

    connect = None  # set by the test: () -> a `OnFile` or `OnServer`

    def __init__(self):
        super().__init__()
        self.world = type(self).connect()
        self.now = START
        self.count = 0
        self.done = []  # what was asked with which key, and its answer
        self.cards = {}
        self.grants = []  # (card id, entry id)
        self.used_codes = []

    def teardown(self):
        self.world.close()

    def run(self, fn, /, *args, **more):
        return self.world.run(fn, *args, **more)

    def probe(self, fn, /, *args, **more):
        """What `fn` would answer, without doing it."""
        return self.world.run(fn, *args, undo=True, **more)

    def key(self):
        self.count += 1
        return f"key-{self.count}"

    def ask(self, fn, kind=None, **asked):
        """Do it with a key of its own, and remember the answer."""
        asked |= {"key": self.key(), "now": self.now, "merchant_id": self.merchant}
        outcome = self.run(fn, **asked)
        self.done.append((fn, asked, outcome))
        return outcome

    # --- the shop ----------------------------------------------------------------

    @initialize(design=designs())
    def open_shop(self, design):
        file = MerchantFile(
            merchant={
                "key": "aozora",
                "name": "あおぞら珈琲",
                "timezone": "Asia/Tokyo",
                "day_starts_at": 5,
                "contact": "",
                "languages": ["ja"],
            },
            shops=({"key": "main", "name": "本店"},),
            programs=(("coffee", design),),
        )
        self.merchant = self.run(apply_merchant, file, {}, self.now).merchant_id
        self.shop = self.run(list_shops, self.merchant)[0]
        self.program = self.run(find_program, self.merchant, "coffee").id
        for number in range(2):
            [card_id] = self.run(
                follow, self.merchant, person(number), self.key(), self.now
            )
            self.cards[card_id] = model = ModelCard(design, self.now)
            issued = self.vouchers(card_id)
            assert Counter(model.shown().earned) == Counter(v.reward_at for v in issued)
            self.note(model, issued)

    @precondition(lambda self: self.cards)
    @rule(design=designs(), keep=st.sampled_from(["goal", "expires", "all", "none"]))
    def republish(self, design, keep):
        old = self.model(0).design
        values = {f: getattr(design, f) for f in design.__slots__}
        if keep in {"goal", "all"}:
            values |= {"goal": old.goal, "rewards": old.rewards, "bonus": old.bonus}
        if keep in {"expires", "all"}:
            values |= {"expires": old.expires}
        new = Design(**values)
        self.run(save_draft, self.merchant, self.program, new, None, self.now)
        self.run(publish, self.merchant, self.program, None, self.now)
        for card_id, model in self.cards.items():
            earned = model.publish(new, self.now)
            known = set(model.tickets)
            fresh = [v for v in self.vouchers(card_id) if v.id not in known]
            assert Counter(earned) == Counter(v.reward_at for v in fresh)
            self.note(model, fresh)

    @rule(span=SPANS)
    def wait(self, span):
        self.now += span

    # --- stamps ------------------------------------------------------------------

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), stamps=COUNTS)
    def grant(self, who, stamps):
        self.expect_grant(
            who, stamps, {"how": "api", "card_id": self.card_id(who), "stamps": stamps}
        )

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), stamps=COUNTS)
    def grant_by_code(self, who, stamps):
        code = self.run(
            make_till_code,
            merchant_id=self.merchant,
            shop_key="main",
            program_key="coffee",
            stamps=stamps,
            staff_id=None,
            now=self.now,
        )
        told = {"how": "line", "code": code.code, "person": person(who)}
        if isinstance(self.expect_grant(who, stamps, told), Granted):
            self.used_codes.append(code.code)

    @precondition(lambda self: self.used_codes)
    @rule(who=st.integers(0, 1), data=st.data())
    def use_a_code_again(self, who, data):
        code = data.draw(st.sampled_from(self.used_codes))
        ask = StampAsk(
            merchant_id=self.merchant,
            key=self.key(),
            how="line",
            code=code,
            person=person(who),
        )
        assert self.run(grant_stamps, ask, self.now).why == "used_code"

    def expect_grant(self, who, stamps, told):
        model, now = self.model(who), self.now
        ask = StampAsk(merchant_id=self.merchant, key=self.key(), **told)
        outcome = self.run(grant_stamps, ask, now)
        self.done.append((grant_stamps, {"ask": ask, "now": now}, outcome))
        limited, end = model.limited(now), model.would_end_at(now)
        if limited:
            assert (outcome.why, outcome.retry_at) == limited
            self.check_retry(who, stamps, outcome)
        elif end is not None and end <= now:
            assert outcome.why == "expired_card"
        else:
            assert isinstance(outcome, Granted), outcome
            full = model.shown().full if not model.is_expired(now) else 0
            earned = model.give(stamps, "grant", outcome.entry_id, now)
            assert outcome.completed == (model.shown().full > full)
            self.check_issued(who, outcome.vouchers, earned)
            self.grants.append((self.card_id(who), outcome.entry_id))
        return outcome

    def check_retry(self, who, stamps, outcome):
        for at, works in (
            (outcome.retry_at, True),
            (outcome.retry_at - timedelta(seconds=1), False),
        ):
            ask = StampAsk(
                merchant_id=self.merchant,
                key="never",
                how="api",
                card_id=self.card_id(who),
                stamps=stamps,
            )
            answer = self.probe(grant_stamps, ask, at)
            if works and isinstance(answer, Refused):
                assert answer.why == "expired_card"
                assert self.model(who).would_end_at(at) <= at
            else:
                assert works == isinstance(answer, Granted)

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def same_key_again(self, data):
        fn, asked, outcome = data.draw(st.sampled_from(self.done[-6:]))
        assert outcome == self.run(fn, **(asked | {"now": self.now}))

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), stamps=st.integers(1, 3), down=st.booleans())
    def adjust(self, who, stamps, down):
        model, now = self.model(who), self.now
        signed = -stamps if down else stamps
        outcome = self.ask(
            adjust_card, card_id=self.card_id(who), stamps=signed, reason="手", by=None
        )
        expired, end = model.is_expired(now), model.would_end_at(now)
        if not down and end is not None and end <= now:
            assert outcome.why == "expired_card"
        elif not down:
            assert isinstance(outcome, Adjusted), outcome
            earned = model.give(stamps, "adjust", outcome.entry_id, now)
            self.check_issued(who, outcome.vouchers, earned)
        elif expired or stamps > model.balance:
            assert outcome.why == "not_enough"
        elif not model.has_unused(lost := Counter(model.lost_by_taking(stamps))):
            assert outcome.why == "already_used"
        else:
            assert isinstance(outcome, Adjusted), outcome
            self.check_void(model, outcome.vouchers, lost)
            model.take(stamps, outcome.entry_id, now)

    @precondition(lambda self: self.grants)
    @rule(data=st.data(), again=st.sampled_from([False, False, False, True]))
    def undo(self, data, again):
        kept = [g for g in self.grants if g[1] not in self.cards[g[0]].undone]
        card_id, entry = data.draw(
            st.sampled_from(self.grants if again or not kept else kept)
        )
        model = self.cards[card_id]
        outcome = self.ask(undo_grant, entry_id=entry, by=None, reason="")
        lost = model.undo(entry)
        if isinstance(lost, str):
            assert outcome.why == lost
        else:
            assert isinstance(outcome, Undone), outcome
            self.check_void(model, outcome.vouchers, lost)
            model.mark_undone(entry)

    # --- vouchers ----------------------------------------------------------------

    @precondition(lambda self: any(m.tickets for m in self.cards.values()))
    @rule(data=st.data())
    def redeem(self, data):
        ticket_id, ticket = data.draw(st.sampled_from(self.tickets()))
        outcome = self.ask(redeem_voucher, voucher_id=ticket_id, by=None)
        late = ticket.expires_at is not None and ticket.expires_at <= self.now
        whys = {"redeemed": "already_used", "void": "void_voucher"}
        if ticket.state in whys:
            assert outcome.why == whys[ticket.state]
        elif late:
            assert outcome.why == "expired_voucher"
        else:
            assert isinstance(outcome, Redeemed), outcome
            ticket.state, ticket.redeemed_at = "redeemed", self.now

    @precondition(lambda self: any(m.tickets for m in self.cards.values()))
    @rule(data=st.data())
    def take_redemption_back(self, data):
        ticket_id, ticket = data.draw(st.sampled_from(self.tickets()))
        outcome = self.ask(undo_redeem, voucher_id=ticket_id, by=None)
        if ticket.state != "redeemed":
            assert outcome.why == "unused_voucher"
        elif self.now - ticket.redeemed_at > timedelta(minutes=10):
            assert outcome.why == "too_late"
        else:
            assert isinstance(outcome, Undone), outcome
            ticket.state = "issued"

    # --- what must hold after each step ------------------------------------------

    @invariant()
    def everything_is_as_told(self):
        cards, entries, vouchers = self.run(read_all)
        assert set(cards) == set(self.cards)
        for card_id, model in self.cards.items():
            shown = model.shown()
            self.check_card(cards[card_id], model, shown)
            check_ledger(cards[card_id], [e for e in entries if e.card_id == card_id])
            mine = [v for v in vouchers if v.card_id == card_id]
            assert {v.id: (v.state, v.reward_at) for v in mine} == {
                number: (t.state, t.at) for number, t in model.tickets.items()
            }
            since = [t for t in model.tickets.values() if t.born > model.began]
            kept = Counter(t.at for t in since if t.state != "void")
            assert kept == Counter(shown.earned)

    def check_card(self, held, model, shown):
        assert 0 <= held.balance <= model.design.goal
        assert held.balance == shown.stamps
        assert (held.cycle, held.total) == (model.cycle, model.total)
        assert held.first_stamp_at == model.first_stamp_at
        assert held.last_stamp_at == model.last_stamp_at
        assert held.expires_at == model.expires_at

    # --- parts -------------------------------------------------------------------

    def card_id(self, who):
        return list(self.cards)[who]

    def model(self, who) -> ModelCard:
        return self.cards[self.card_id(who)]

    def tickets(self):
        return [pair for m in self.cards.values() for pair in m.tickets.items()]

    def vouchers(self, card_id):
        def read(tx):
            held = lock_card(tx, self.merchant, card_id)
            return all_vouchers(tx, held)

        return self.run(read)

    def check_issued(self, who, voucher_ids, earned):
        model = self.model(who)
        by_id = {v.id: v for v in self.vouchers(self.card_id(who))}
        issued = [by_id[voucher_id] for voucher_id in voucher_ids]
        assert [v.reward_at for v in issued] == earned
        self.note(model, issued)

    def note(self, model, vouchers):
        valid = {reward.at: reward.valid for reward in model.design.rewards}
        for voucher in vouchers:
            assert voucher.expires_at == voucher_end(valid[voucher.reward_at], self.now)
            model.tickets[voucher.id] = Ticket(
                at=voucher.reward_at,
                entry=voucher.entry_id,
                born=len(model.story) - 1,
                expires_at=voucher.expires_at,
            )

    def check_void(self, model, voucher_ids, lost):
        unused = model.unused()
        assert lost == Counter(unused[voucher_id].at for voucher_id in voucher_ids)
        for voucher_id in voucher_ids:
            model.tickets[voucher_id].state = "void"


def read_all(tx):
    return (
        {row.id: row for row in tx.execute(select(card_table))},
        tx.execute(select(ledger_entry).order_by(ledger_entry.c.seq)).all(),
        tx.execute(select(voucher_table)).all(),
    )


def check_ledger(held, entries):
    balance = 0
    for seq, entry in enumerate(entries, start=1):
        balance += entry.stamps
        assert (entry.seq, entry.balance) == (seq, balance)
        assert balance >= 0
    assert (held.n_entries, held.balance) == (len(entries), balance)


def voucher_end(valid: str | None, now: datetime) -> datetime | None:
    if valid is None:
        return None
    day = business_day(now)
    if valid == "10d":
        return end_of(day + timedelta(days=10))
    assert valid == "1m"
    after = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    last = (after + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return end_of(after.replace(day=min(day.day, last.day)))


class OnFile:
    """One open transaction on a SQLite file."""

    def __init__(self, engine):
        self.connection = engine.connect()
        self.outer = self.connection.begin()

    def run(self, fn, /, *args, undo=False, **more):
        return in_savepoint(self.connection, fn, args, more, undo=undo)

    def close(self):
        self.outer.rollback()
        self.connection.close()


class OnServer:
    """One open transaction on PostgreSQL, from a loop of its own."""

    def __init__(self, url):
        self.runner = asyncio.Runner()
        self.engine = create_async_engine(url, poolclass=NullPool)
        self.connection = self.runner.run(self._open())

    async def _open(self):
        connection = await self.engine.connect()
        await connection.begin()
        return connection

    def run(self, fn, /, *args, undo=False, **more):
        return self.runner.run(
            self.connection.run_sync(
                lambda c: in_savepoint(c, fn, args, more, undo=undo)
            )
        )

    def close(self):
        async def end():
            await self.connection.rollback()
            await self.connection.close()
            await self.engine.dispose()

        self.runner.run(end())
        self.runner.close()


def in_savepoint(connection, fn, args, more, *, undo):
    with connection.begin_nested() as savepoint:
        answer = fn(Tx(connection), *args, **more)
        if undo:
            savepoint.rollback()
    return answer


def tell_stories(connect, *, stories, steps, derandomize=True):
    machine = type("Story", (Story,), {"connect": staticmethod(connect)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=stories,
            stateful_step_count=steps,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            database=None,
            derandomize=derandomize,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_stories_on_sqlite_come_out_as_told(sqlite_template, tmp_path):
    file = shutil.copy(sqlite_template, tmp_path / "stories.db")
    engine = writing_engine(str(file))
    tell_stories(lambda: OnFile(engine), stories=20, steps=50)
    engine.dispose()


def test_stories_on_postgresql_come_out_as_told(postgres):
    url = postgres.fresh()
    tell_stories(lambda: OnServer(url), stories=3, steps=30)
    postgres.drop(url)
