"""The stories that are told to the core and to the model at once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import select

from core.actions.adjust import adjust_card
from core.actions.apply import MerchantFile, apply_merchant
from core.actions.claims import approve_claim, make_claim, reject_claim
from core.actions.expire import expire_due
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.paper import migrate_paper
from core.actions.printed import make_printed_code
from core.actions.programs import (
    archive_program,
    lengthen_expiry,
    pause_program,
    reopen_program,
)
from core.actions.publish import (
    find_program,
    preview_publish,
    publish,
    save_draft,
)
from core.actions.receipts import make_receipts, receipt_codes
from core.actions.redeem import redeem_voucher, undo_redeem
from core.actions.redemptions import (
    ask_redemption,
    cancel_redemption,
    confirm_redemption,
)
from core.actions.shops import list_shops
from core.actions.signin import logins
from core.actions.till import current_window, make_till_code
from core.actions.undo import undo_grant
from core.errors import Invalid
from core.rules.asking import (
    Adjusted,
    Granted,
    Redeemed,
    Refused,
    StampAsk,
    Undone,
)
from core.rules.redeeming import Redemption
from core.rules.types import (
    Design,
    DoubleHours,
    Expiry,
    Limit,
    Reward,
    Spend,
)
from core.store.cards import lock_card
from core.store.customers import find_customer
from core.store.ledger import all_vouchers
from core.store.tables import card as card_table
from core.store.tables import ledger_entry
from core.store.tables import voucher as voucher_table
from tests.actions.core_model import ModelCard, Ticket, business_day, end_of
from tests.builders import person
from tests.conftest import START

FAR = datetime(2999, 1, 1, tzinfo=UTC)
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
DOUBLE_HOURS = st.tuples(
    st.builds(
        DoubleHours,
        days=st.sets(st.integers(0, 6), min_size=1).map(lambda d: tuple(sorted(d))),
        start=st.integers(0, 1439),
        end=st.integers(0, 1439),
    )
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
        spend=draw(st.none() | st.integers(1, 9).map(lambda n: Spend(per=n * 100))),
        double_hours=draw(st.just(()) | st.just(()) | DOUBLE_HOURS),
        day_cap=draw(st.sampled_from([0, 0, 0, 3, 5])),
    )


class Story(RuleBasedStateMachine):
    """Two people collect, buy and redeem; staff undo, correct and approve; the shop
    changes its card, closes and opens it; time passes.
    """

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
        self.windows = set()
        self.poster = None
        self.poster_uses = set()
        self.brought = set()
        self.asked = {}
        self.customers = {}
        self.state = "active"

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
            staff=(
                {"email": "owner@aozora.jp", "role": "owner", "password_hash": "-"},
            ),
        )
        self.merchant = self.run(apply_merchant, file, {}, self.now).merchant_id
        self.owner = self.run(logins, "owner@aozora.jp")[0].staff
        self.shop = self.run(list_shops, self.merchant)[0]
        self.program = self.run(find_program, self.merchant, "coffee").id
        for number in range(2):
            [card_id] = self.run(
                follow, self.merchant, person(number), self.key(), self.now
            )
            self.cards[card_id] = model = ModelCard(design, self.now)
            issued = self.vouchers(card_id)
            earned = model.shown().earned
            assert Counter(earned) == Counter(v.reward_at for v in issued)
            self.note(model, issued, [(at, 0) for at in earned])
            self.customers[card_id] = self.run(
                find_customer, self.merchant, line_user_id=person(number).user_id
            ).id

    @precondition(lambda self: self.cards)
    @rule(
        design=designs(),
        keep=st.sampled_from(["goal", "expires", "all", "none"]),
        to=st.sampled_from(["move", "move", "keep"]),
    )
    def republish(self, design, keep, to):
        old = self.model(0).newest
        values = {f: getattr(design, f) for f in design.__slots__}
        if keep in {"goal", "all"}:
            values |= {"goal": old.goal, "rewards": old.rewards, "bonus": old.bonus}
        if keep in {"expires", "all"}:
            values |= {"expires": old.expires}
        new = Design(**values)
        self.run(save_draft, self.merchant, self.program, new, None, self.now)
        told = self.run(preview_publish, self.merchant, self.program, to)
        self.run(publish, self.merchant, self.program, None, self.now, to)
        gained = 0
        for card_id, model in self.cards.items():
            earned = model.publish(new, self.now, moves=to == "move")
            known = set(model.tickets)
            fresh = [v for v in self.vouchers(card_id) if v.id not in known]
            assert Counter(earned) == Counter(v.reward_at for v in fresh)
            self.note(model, fresh, [(at, len(model.story) - 1) for at in earned])
            gained += bool(earned)
        assert (told.cards, told.gain) == (len(self.cards), gained)

    @rule(span=SPANS)
    def wait(self, span):
        self.now += span

    @precondition(lambda self: self.cards)
    @rule()
    def the_clock_ends_what_is_over(self):
        while self.run(expire_due, self.now, 3):
            pass
        for model in self.cards.values():
            if model.is_expired(self.now) and model.first_stamp_at:
                model.expire(self.now)
            for ticket in model.tickets.values():
                over = ticket.expires_at is not None and ticket.expires_at <= self.now
                if ticket.state == "issued" and over:
                    ticket.state = "expired"

    @precondition(lambda self: self.cards)
    @rule(days=st.integers(0, 120))
    def lengthen(self, days):
        until = business_day(self.now) + timedelta(days=days)
        told = self.run(
            lengthen_expiry,
            merchant_id=self.merchant,
            program_id=self.program,
            until=until,
            by=None,
            now=self.now,
        )
        done = [m.lengthen(end_of(until), self.now) for m in self.cards.values()]
        assert told == sum(done)

    @precondition(lambda self: self.cards)
    @rule(act=st.sampled_from(["pause", "archive", "reopen", "reopen", "reopen"]))
    def open_or_close(self, act):
        acts = {
            "pause": (pause_program, "paused"),
            "archive": (archive_program, "archived"),
            "reopen": (reopen_program, "active"),
        }
        fn, self.state = acts[act]
        self.run(
            fn,
            merchant_id=self.merchant,
            program_id=self.program,
            by=None,
            now=self.now,
        )

    # --- stamps ------------------------------------------------------------------

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), stamps=COUNTS)
    def grant(self, who, stamps):
        self.expect_grant(
            who, stamps, {"how": "api", "card_id": self.card_id(who), "stamps": stamps}
        )

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), amount=st.integers(1, 2500))
    def purchase(self, who, amount):
        told = {"how": "api", "card_id": self.card_id(who), "amount": amount}
        if self.model(who).design.spend is None:
            ask = StampAsk(merchant_id=self.merchant, key=self.key(), **told)
            with pytest.raises(Invalid):
                self.run(grant_stamps, ask, self.now)
            return
        self.expect_grant(who, 1, told, amount)

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), stamps=COUNTS)
    def grant_by_code(self, who, stamps):
        code = self.run(make_till_code, **self.at_the_till(stamps))
        told = {"how": "line", "code": code.code, "person": person(who)}
        if isinstance(self.expect_grant(who, stamps, told), Granted):
            self.used_codes.append(code.code)

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), stamps=st.integers(1, 2))
    def grant_by_window(self, who, stamps):
        code = self.run(current_window, **self.at_the_till(stamps))
        told = {"how": "line", "code": code.code, "person": person(who)}
        if (code.code, who) in self.windows:
            ask = StampAsk(merchant_id=self.merchant, key=self.key(), **told)
            assert self.run(grant_stamps, ask, self.now).why == "used_code"
        elif isinstance(self.expect_grant(who, stamps, told), Granted):
            self.windows.add((code.code, who))

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), stamps=st.integers(1, 2))
    def grant_by_receipt(self, who, stamps):
        asked = self.at_the_till(stamps) | {"count": 2, "name": "", "until": None}
        del asked["staff_id"]
        batch = self.run(make_receipts, **asked, by=None, key=self.key())
        code = self.run(receipt_codes, self.merchant, batch.id)[0]
        told = {"how": "line", "code": code.code, "person": person(who)}
        if isinstance(self.expect_grant(who, stamps, told), Granted):
            self.used_codes.append(code.code)

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1))
    def grant_by_poster(self, who):
        if self.poster is None:
            asked = self.at_the_till(1) | {"radius_m": None}
            self.poster = self.run(make_printed_code, **asked).code
        told = {"how": "line", "code": self.poster, "person": person(who)}
        use = (business_day(self.now), who)
        if use in self.poster_uses:
            ask = StampAsk(merchant_id=self.merchant, key=self.key(), **told)
            outcome = self.run(grant_stamps, ask, self.now)
            assert (outcome.why, outcome.retry_at) == ("already_today", end_of(use[0]))
        elif isinstance(self.expect_grant(who, 1, told), Granted):
            self.poster_uses.add(use)

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

    def at_the_till(self, stamps):
        return {
            "merchant_id": self.merchant,
            "shop_key": "main",
            "program_key": "coffee",
            "stamps": stamps,
            "staff_id": None,
            "now": self.now,
        }

    def expect_grant(self, who, stamps, told, amount=None):
        model, now = self.model(who), self.now
        ask = StampAsk(merchant_id=self.merchant, key=self.key(), **told)
        outcome = self.run(grant_stamps, ask, now)
        self.done.append((grant_stamps, {"ask": ask, "now": now}, outcome))
        limited = model.limited(now)
        if self.state != "active":
            closed = {"paused": "program_paused", "archived": "card_stopped"}
            assert (outcome.why, outcome.retry_at) == (closed[self.state], None)
            return outcome
        if limited:
            assert (outcome.why, outcome.retry_at) == limited
            self.check_retry(who, stamps, outcome)
            return outcome
        given, kept = model.worth(stamps, amount, now)
        end = model.would_end_at(now, uses=given > 0)
        if end is not None and end <= now:
            assert outcome.why == "expired_card"
            return outcome
        assert isinstance(outcome, Granted), outcome
        assert outcome.stamps == given
        full = model.cycle
        earned = model.give(given, "grant", outcome.entry_id, now, kept)
        assert outcome.completed == (model.cycle > full)
        self.check_issued(who, outcome.vouchers, earned)
        self.grants.append((self.card_id(who), outcome.entry_id))
        return outcome

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), stamps=COUNTS)
    def approve_a_claim(self, who, stamps):
        model, now = self.model(who), self.now
        asked = {"person": person(who), "card_id": self.card_id(who), "text": "ない"}
        made = self.ask(make_claim, **asked)
        outcome = self.ask(
            approve_claim, claim_id=made.claim_id, stamps=stamps, by=self.owner
        )
        if self.check_open(model, outcome):
            earned = model.give(stamps, "claim", outcome.entry_id, now)
            self.check_issued(who, outcome.vouchers, earned)
            self.grants.append((self.card_id(who), outcome.entry_id))
        else:
            self.ask(reject_claim, claim_id=made.claim_id, by=self.owner, answer="なし")

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), stamps=COUNTS)
    def bring_paper(self, who, stamps):
        model, now = self.model(who), self.now
        card_id = self.card_id(who)
        outcome = self.ask(migrate_paper, card_id=card_id, stamps=stamps, by=self.owner)
        if who in self.brought:
            assert outcome.why == "already_migrated"
        elif self.check_open(model, outcome):
            self.brought.add(who)
            earned = model.give(stamps, "adjust", outcome.entry_id, now)
            self.check_issued(who, outcome.vouchers, earned)

    def check_open(self, model, outcome):
        """Does a card take stamps that no limit holds back?"""
        end = model.would_end_at(self.now)
        if self.state == "archived":
            assert outcome.why == "card_stopped"
            return False
        if end is not None and end <= self.now:
            assert outcome.why == "expired_card"
            return False
        assert not isinstance(outcome, Refused), outcome
        return True

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
        again = self.run(fn, **(asked | {"now": self.now}))
        if isinstance(outcome, Redemption):
            # The same request, whatever became of it meanwhile.
            outcome, again = outcome.id, again.id
        assert outcome == again

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), stamps=st.integers(1, 3), down=st.booleans())
    def adjust(self, who, stamps, down):
        model, now = self.model(who), self.now
        signed = -stamps if down else stamps
        outcome = self.ask(
            adjust_card, card_id=self.card_id(who), stamps=signed, reason="手", by=None
        )
        expired = model.is_expired(now)
        if not down:
            if self.check_open(model, outcome):
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
        why = self.why_not(ticket)
        if why:
            assert outcome.why == why
        else:
            assert isinstance(outcome, Redeemed), outcome
            ticket.state, ticket.redeemed_at = "redeemed", self.now
            self.settle(ticket_id)

    def why_not(self, ticket):
        late = ticket.expires_at is not None and ticket.expires_at <= self.now
        whys = {
            "redeemed": "already_used",
            "void": "void_voucher",
            "expired": "expired_voucher",
        }
        return whys.get(ticket.state, "expired_voucher" if late else None)

    def settle(self, ticket_id):
        for asked in self.asked.values():
            if asked["ticket"] == ticket_id and asked["state"] == "waiting":
                over = asked["until"] <= self.now
                asked["state"] = "expired" if over else "done"

    @precondition(lambda self: any(m.tickets for m in self.cards.values()))
    @rule(data=st.data())
    def ask_to_redeem(self, data):
        ticket_id, ticket = data.draw(st.sampled_from(self.tickets()))
        [holder] = [c for c, m in self.cards.items() if ticket_id in m.tickets]
        outcome = self.ask(
            ask_redemption, voucher_id=ticket_id, customer_id=self.customers[holder]
        )
        why = self.why_not(ticket)
        if why:
            assert outcome.why == why
            return
        waiting = [
            number
            for number, asked in self.asked.items()
            if (asked["ticket"], asked["state"]) == (ticket_id, "waiting")
            and asked["until"] > self.now
        ]
        assert [outcome.id] == (waiting or [outcome.id])
        if not waiting:
            assert outcome.id not in self.asked
            until = min(self.now + timedelta(minutes=5), ticket.expires_at or FAR)
            assert outcome.expires_at == until
            self.asked[outcome.id] = {
                "ticket": ticket_id,
                "until": until,
                "state": "waiting",
            }

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), cancels=st.booleans())
    def answer_a_request(self, data, cancels):
        number = data.draw(st.sampled_from(list(self.asked)[-4:]))
        asked = self.asked[number]
        ticket = dict(self.tickets())[asked["ticket"]]
        state = asked["state"]
        if state == "waiting" and asked["until"] <= self.now:
            state = "expired"
        if cancels:
            outcome = self.run(
                cancel_redemption,
                merchant_id=self.merchant,
                redemption_id=number,
                now=self.now,
            )
            whys = {"done": "already_used", "expired": "expired_request"}
            if state in whys:
                assert outcome.why == whys[state]
            else:
                assert outcome.state == "cancelled"
                asked["state"] = "cancelled"
            return
        outcome = self.ask(confirm_redemption, redemption_id=number, by=self.owner)
        whys = {
            "done": "already_used",
            "expired": "expired_request",
            "cancelled": "expired_request",
        }
        why = whys.get(state) or self.why_not(ticket)
        if why:
            assert outcome.why == why
        else:
            assert isinstance(outcome, Redeemed), outcome
            ticket.state, ticket.redeemed_at = "redeemed", self.now
            asked["state"] = "done"

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
        assert held.remainder == model.remainder

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
        assert [v.reward_at for v in issued] == [at for at, _ in earned]
        self.note(model, issued, earned)

    def note(self, model, vouchers, earned):
        born_at = {
            at: [born for each, born in earned if each == at] for at, _ in earned
        }
        for voucher in vouchers:
            born = born_at[voucher.reward_at].pop(0)
            design = model.story[born].design if model.story else model.design
            [reward] = [r for r in design.rewards if r.at == voucher.reward_at]
            assert voucher.expires_at == voucher_end(reward.valid, self.now)
            model.tickets[voucher.id] = Ticket(
                at=voucher.reward_at,
                entry=model.story[born].entry or voucher.entry_id,
                born=born,
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
