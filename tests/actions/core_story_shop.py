"""The shop opens, changes its card, closes and opens it; time passes."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
)

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.cards import load_card
from core.actions.expire import expire_due
from core.actions.join import follow, open_card
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
from core.actions.shops import list_shops
from core.actions.signin import logins
from core.rules.types import (
    Design,
    DoubleHours,
    Expiry,
    Limit,
    Reward,
    Spend,
)
from tests.actions.core_model import ModelCard
from tests.actions.core_model_parts import business_day, end_of
from tests.actions.core_story_parts import Parts
from tests.builders import person

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
        referral=draw(st.integers(0, min(goal, 2))),
    )


class Shop(Parts):
    """The shop opens, changes its card, closes and opens it; time passes."""

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
        for number in range(3):
            card_id = self.open_card_of(number)
            self.cards[card_id] = model = ModelCard(design, self.now)
            issued = self.vouchers(card_id)
            earned = model.shown().earned
            assert Counter(earned) == Counter(v.reward_at for v in issued)
            self.note(model, issued, [(at, 0) for at in earned])
            view = self.run(load_card, self.merchant, card_id, self.now)
            self.customers[card_id] = view.customer.id

    def open_card_of(self, number):
        if number == 2:  # who came by a wallet, without LINE
            asked = {"program_key": "coffee", "key": self.key(), "now": self.now}
            return self.run(open_card, merchant_id=self.merchant, **asked)
        told = (self.merchant, person(number), self.key(), self.now)
        return self.run(follow, *told)[0]

    @precondition(lambda self: self.cards)
    @rule(
        design=designs(),
        keep=st.sampled_from(["goal", "expires", "all", "none"]),
        to=st.sampled_from(["move", "move", "keep"]),
    )
    def republish(self, design, keep, to):
        old = self.model(0).newest
        if self.link_told:
            keep = "all"  # see `unlink`
        values = {f: getattr(design, f) for f in design.__slots__}
        if keep in {"goal", "all"}:
            values |= {"goal": old.goal, "rewards": old.rewards, "bonus": old.bonus}
        if keep in {"expires", "all"}:
            values |= {"expires": old.expires}
        values["referral"] = min(values["referral"], values["goal"])
        new = Design(**values)
        self.run(save_draft, self.merchant, self.program, new, None, self.now)
        told = self.run(preview_publish, self.merchant, self.program, to)
        self.run(publish, self.merchant, self.program, None, self.now, to)
        gained = 0
        for who, model in enumerate(self.cards.values()):
            if model.linked is not None:
                model.newest = new
                if to == "move":
                    model.design = new
                    model.promises.append(new)
                continue
            earned = model.publish(new, self.now, moves=to == "move")
            self.note_fresh(who, earned)
            gained += bool(earned)
        n_cards = sum(model.linked is None for model in self.cards.values())
        assert (told.cards, told.gain) == (n_cards, gained)

    @rule(span=SPANS)
    def wait(self, span):
        self.now += span

    @precondition(lambda self: self.cards)
    @rule()
    def the_clock_ends_what_is_over(self):
        while self.run(expire_due, self.now, 3):
            pass
        for model in self.cards.values():
            ends = model.is_expired(self.now) and model.linked is None
            if ends and model.first_stamp_at:
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
        done = [
            m.lengthen(end_of(until), self.now)
            for m in self.cards.values()
            if m.linked is None
        ]
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
