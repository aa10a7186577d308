"""A guest without LINE is linked to somebody, and taken apart again."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import (
    precondition,
    rule,
)

from core.actions.link import link_people, make_link_code
from core.actions.unlink import links_of, unlink_people
from core.rules.linking import Linked, Unlinked
from tests.actions.core_model_parts import Ticket
from tests.actions.core_story_parts import Parts
from tests.builders import person


class Links(Parts):
    """A guest without LINE is linked to somebody, and taken apart again."""

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1))
    def link(self, who):
        guest, to, now = self.model(2), self.model(who), self.now
        if guest.linked is not None or self.state == "archived":
            return
        code = self.run(make_link_code, self.merchant, self.card_id(2), now).code
        before = copy.deepcopy(to)
        stamps, money = guest.what_moves(now)
        spend = to.design.spend
        until, per = guest.expires_at, spend.per if spend else 0
        promised = to.extended_to
        is_over = to.is_expired(now)
        kept = 0 if is_over else to.remainder
        extra, rest = divmod(kept + money, per) if per else (0, kept + money)
        is_fresh = to.first_stamp_at is None and not to.balance
        kept_until = to.keep_promise(until) if stamps and is_fresh else None
        moves = [n for n in (stamps, extra) if n]
        moves += [0] if rest != kept else []
        end = to.would_end_at(now, uses=moves[0] > 0) if moves else None
        outcome = self.ask(link_people, code=code, person=person(who))
        if end is not None and end <= now:
            assert outcome.why == "expired_card"
            self.models_back(to, before)
            return
        assert isinstance(outcome, Linked), outcome
        [link] = self.run(
            links_of, self.merchant, self.customers[self.card_id(who)], now
        )
        [moved] = link.moved
        assert (moved.stamps, moved.remainder) == (stamps, money)
        issued = list(outcome.vouchers)
        for n, entry, passed in (
            (stamps, moved.gave, stamps),
            (extra, moved.extra, 0),
        ):
            if n:
                earned = to.give(n, "merge", entry, now)
                issued = self.note_moved(who, entry, issued, earned, passed)
        if rest != kept:
            to.give(0, "merge", moved.paid, now, rest - kept)
        assert not issued
        if stamps:
            kept_until = to.keep_promise(until) or kept_until
        guest.lead_to(to, now)
        self.link_told = {
            "link": link,
            "moved": moved,
            "per": per,
            "kept_until": kept_until,
            "promised": promised,
            "at": now,
            "design": guest.design,
        }

    def note_moved(self, who, entry, issued, earned, passed):
        """Notes the vouchers of one giving, and the rewards that were had elsewhere."""
        model = self.model(who)
        by_id = {v.id: v for v in self.vouchers(self.card_id(who))}
        real = [
            (at, born)
            for at, born in earned
            if at > passed or at >= model.story[born].design.goal
        ]
        mine, issued = issued[: len(real)], issued[len(real) :]
        vouchers = [by_id[voucher_id] for voucher_id in mine]
        assert [v.reward_at for v in vouchers] == [at for at, _ in real]
        self.note(model, vouchers, real)
        for at, born in earned:
            if (at, born) not in real:
                name = f"elsewhere-{self.key()}"
                ticket = Ticket(at=at, entry=entry, born=born, elsewhere=True)
                model.tickets[name] = ticket
        return issued

    def models_back(self, model, before):
        for name, value in vars(before).items():
            setattr(model, name, value)

    @precondition(lambda self: self.link_told)
    @rule()
    def unlink(self):
        told, now = self.link_told, self.now
        guest, moved = self.model(2), told["moved"]
        to = guest.linked
        outcome = self.ask(unlink_people, link_id=told["link"].id, by=self.owner)
        if now - told["at"] > timedelta(days=7):
            assert outcome.why == "too_late"
            return
        breaks = to.remainder < moved.remainder and moved.extra is not None
        grants = [moved.gave] if moved.gave else []
        grants += [moved.extra] if breaks else []
        lost = to.undo(*grants) if grants else Counter()
        if isinstance(lost, str):
            assert outcome.why == lost
            return
        assert isinstance(outcome, Unlinked), outcome
        change = told["per"] - moved.remainder if breaks else None
        if change is None:
            change = -min(to.remainder, moved.remainder)
        if told["kept_until"] and to.extended_to == told["kept_until"]:
            to.extended_to = told["promised"]
        if grants:
            self.drop(to, lost)
            to.mark_undone(*grants)
        to.remainder += change
        guest.lead_back(moved.stamps, moved.remainder, now)
        if guest.design is not told["design"]:
            newest, guest.design = guest.design, told["design"]
            self.note_fresh(2, guest.move(newest, now))
        self.link_told = None

    def drop(self, model, lost):
        """Takes the vouchers that are void now, and what was had elsewhere, away."""
        holder = next(c for c, m in self.cards.items() if m is model)
        states = {v.id: v.state for v in self.vouchers(holder)}
        void = [
            number
            for number, ticket in model.unused().items()
            if states.get(number) == "void"
        ]
        self.check_void(model, void, lost)
