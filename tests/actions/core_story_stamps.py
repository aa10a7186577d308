"""Stamps are given by every way there is, and taken back."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    precondition,
    rule,
)

from core.actions.adjust import adjust_card
from core.actions.claims import approve_claim, make_claim, reject_claim
from core.actions.grant import grant_stamps
from core.actions.paper import migrate_paper
from core.actions.printed import make_printed_code
from core.actions.receipts import make_receipts, receipt_codes
from core.actions.referral import enter_referral, referral_code_of
from core.actions.till import current_window, make_till_code
from core.actions.undo import undo_grant
from core.errors import Invalid
from core.rules.asking import (
    Adjusted,
    Granted,
    Referred,
    Refused,
    StampAsk,
    Undone,
)
from core.rules.redeeming import Redemption
from tests.actions.core_model_parts import business_day, end_of
from tests.actions.core_story_parts import Parts
from tests.builders import person

# What makes a person one who is not new any more.
HAD = {"grant", "claim", "adjust"}
COUNTS = st.integers(1, 3) | st.integers(1, 3) | st.integers(1, 12)


class Stamps(Parts):
    """Stamps are given by every way there is, and taken back."""

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 2), stamps=COUNTS)
    def grant(self, who, stamps):
        told = {"how": "api", "card_id": self.card_id(who), "stamps": stamps}
        self.expect_grant(self.standing(who), stamps, told)

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 2), amount=st.integers(1, 2500))
    def purchase(self, who, amount):
        told = {"how": "api", "card_id": self.card_id(who), "amount": amount}
        who = self.standing(who)
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
        full, design = model.cycle, model.design
        earned = model.give(given, "grant", outcome.entry_id, now, kept)
        assert outcome.completed == (model.cycle > full)
        self.check_issued(who, outcome.vouchers, earned)
        self.grants.append((self.card_id(who), outcome.entry_id))
        if given:
            self.pay_referral(who, design)
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

    @precondition(lambda self: self.cards)
    @rule(who=st.integers(0, 1), stamps=COUNTS)
    def approve_a_claim(self, who, stamps):
        model, now = self.model(who), self.now
        asked = {"person": person(who), "card_id": self.card_id(who), "text": "ない"}
        made = self.ask(make_claim, **asked)
        outcome = self.ask(
            approve_claim, claim_id=made.claim_id, stamps=stamps, by=self.owner
        )
        design = model.design
        if self.check_open(model, outcome):
            earned = model.give(stamps, "claim", outcome.entry_id, now)
            self.check_issued(who, outcome.vouchers, earned)
            self.grants.append((self.card_id(who), outcome.entry_id))
            self.pay_referral(who, design)
        else:
            self.ask(reject_claim, claim_id=made.claim_id, by=self.owner, answer="なし")

    @precondition(lambda self: self.cards)
    @rule()
    def bring_a_friend(self):
        asked = (self.merchant, self.customers[self.card_id(0)], self.now)
        code = self.run(referral_code_of, *asked)
        outcome = self.ask(enter_referral, person=person(1), code=code)
        friend = self.model(1)
        had = [e for who in (friend, *friend.guests) for e in who.story]
        if self.referral or any(
            e.what == "give" and e.how in HAD and e.stamps for e in had
        ):
            assert outcome.why == "not_new"
        else:
            assert isinstance(outcome, Referred), outcome
            self.referral = "entered"

    def pay_referral(self, who, design):
        """After the friend's first stamp both get some, where their cards take them."""
        if who != 1 or self.referral != "entered" or not design.referral:
            return
        self.referral = "paid"
        for each in (1, 0):
            model = self.model(each)
            end = model.would_end_at(self.now)
            if end is not None and end <= self.now:
                continue
            earned = model.give(design.referral, "bonus", "", self.now)
            known = model.tickets
            fresh = [v for v in self.vouchers(self.card_id(each)) if v.id not in known]
            assert [v.reward_at for v in fresh] == [at for at, _ in earned]
            self.note(model, fresh, earned)

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
