"""What all stories are told with: the world, the models, and comparing the two."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from hypothesis.stateful import (
    RuleBasedStateMachine,
)

from core.rules.asking import (
    Refused,
)
from core.store.cards import lock_card
from core.store.vouchers import all_vouchers
from tests.actions.core_model import ModelCard
from tests.actions.core_model_parts import Ticket, business_day, end_of
from tests.conftest import START


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


class Parts(RuleBasedStateMachine):
    """What all stories are told with: the world, the models, and comparing the two."""

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
        self.link_told = None
        self.referral = ""  # then "entered", then "paid"

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

    def card_id(self, who):
        return list(self.cards)[who]

    def model(self, who) -> ModelCard:
        return self.cards[self.card_id(who)]

    def standing(self, who):
        linked = self.model(who).linked
        return who if linked is None else list(self.cards.values()).index(linked)

    def tickets(self):
        pairs = [pair for m in self.cards.values() for pair in m.tickets.items()]
        return [(number, ticket) for number, ticket in pairs if not ticket.elsewhere]

    def vouchers(self, card_id):
        def read(tx):
            held = lock_card(tx, self.merchant, card_id, own=True)
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

    def note_fresh(self, who, earned):
        """A new version brought these rewards: there is a new voucher for each."""
        model, card_id = self.model(who), self.card_id(who)
        fresh = [v for v in self.vouchers(card_id) if v.id not in model.tickets]
        assert Counter(earned) == Counter(v.reward_at for v in fresh)
        self.note(model, fresh, [(at, len(model.story) - 1) for at in earned])

    def check_void(self, model, voucher_ids, lost):
        unused = model.unused()
        void = Counter(unused[voucher_id].at for voucher_id in voucher_ids)
        assert not void - lost
        for voucher_id in voucher_ids:
            model.tickets[voucher_id].state = "void"
        # What is not void was no voucher: the stamps had earned it elsewhere.
        for at, count in (lost - void).items():
            names = [n for n, t in unused.items() if t.elsewhere and t.at == at]
            for name in names[-count:]:
                del model.tickets[name]
            assert len(names) >= count

    def at_the_till(self, stamps):
        return {
            "merchant_id": self.merchant,
            "shop_key": "main",
            "program_key": "coffee",
            "stamps": stamps,
            "staff_id": None,
            "now": self.now,
        }

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
