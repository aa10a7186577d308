"""Vouchers are asked for, used, and given back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import (
    precondition,
    rule,
)

from core.actions.redeem import redeem_voucher, undo_redeem
from core.actions.redemptions import (
    ask_redemption,
    cancel_redemption,
    confirm_redemption,
)
from core.rules.asking import (
    Redeemed,
    Undone,
)
from tests.actions.core_story_parts import Parts

FAR = datetime(2999, 1, 1, tzinfo=UTC)


class Vouchers(Parts):
    """Vouchers are asked for, used, and given back."""

    @precondition(lambda self: self.tickets())
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

    @precondition(lambda self: self.tickets())
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

    @precondition(lambda self: self.tickets())
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
