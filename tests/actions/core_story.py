"""The stories that are told to the core and to the model at once."""

from __future__ import annotations

from collections import Counter

from hypothesis.stateful import (
    invariant,
)
from sqlalchemy import select

from core.store.tables import card as card_table
from core.store.tables import ledger_entry
from core.store.tables import voucher as voucher_table
from tests.actions.core_story_links import Links
from tests.actions.core_story_shop import Shop
from tests.actions.core_story_stamps import Stamps
from tests.actions.core_story_vouchers import Vouchers


class Story(Shop, Stamps, Vouchers, Links):
    """Two people and a guest collect, buy and redeem; staff undo, correct and approve;
    the shop changes its card, closes and opens it; time passes.
    """

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
                number: (t.state, t.at)
                for number, t in model.tickets.items()
                if not t.elsewhere
            }
            if model.linked is not None:
                continue
            since = [t for t in model.tickets.values() if t.born > model.began]
            kept = Counter(t.at for t in since if t.state != "void")
            assert kept == Counter(shown.earned)

    def check_card(self, held, model, shown):
        assert 0 <= held.balance <= model.design.goal
        assert held.balance == shown.stamps
        assert (held.cycle, held.total) == (model.cycle, model.total)
        assert held.remainder == model.remainder
        if model.linked is not None:
            return
        assert held.first_stamp_at == model.first_stamp_at
        assert held.last_stamp_at == model.last_stamp_at
        assert held.expires_at == model.expires_at


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
