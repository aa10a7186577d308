"""Chains of cards against one stamp after another, and back again in reverse order."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.undo import undo_grant
from core.rules.asking import Granted, StampAsk, Undone
from core.rules.types import Design, Limit, Reward, Spend
from core.sqlite import writing_engine
from core.store.tables import card, program, voucher
from tests.actions.test_core_machine import OnFile, OnServer
from tests.builders import person
from tests.conftest import START

KEYS = ("a", "b", "c")


@dataclass
class Told:
    """What every card shows, counted one stamp after another."""

    goals: list[int]
    after: list[int | None]
    per: int
    shown: dict[int, int] = field(default_factory=lambda: {0: 0})
    at: int = 0
    rewards: int = 0
    paid: int = 0

    def give(self, stamps: int) -> None:
        for _ in range(stamps):
            if self.shown[self.at] == self.goals[self.at]:
                self.go_on()
            self.shown[self.at] += 1
            self.rewards += self.shown[self.at] == self.goals[self.at]
        if stamps and self.shown[self.at] == self.goals[self.at]:
            self.begin_next()

    def go_on(self) -> None:
        if self.after[self.at] is None:
            self.shown[self.at] = 0
        else:
            self.begin_next()

    def begin_next(self) -> None:
        then = self.after[self.at]
        if then is None:
            return
        if self.shown.get(then) == self.goals[then]:
            self.shown[then] = 0
        self.shown.setdefault(then, 0)
        self.at = then

    def buy(self, amount: int) -> int:
        self.paid += amount
        stamps, self.paid = divmod(self.paid, self.per)
        self.give(stamps)
        return stamps


PLANS = st.sampled_from([(1, 2, None), (1, None, None), (1, 0, None), (1, 2, 0)])
ACTS = st.lists(
    st.tuples(st.sampled_from(["stamps", "amount"]), st.integers(1, 9)),
    min_size=1,
    max_size=8,
)


class Chain:
    """The real thing in one open transaction."""

    def __init__(self, world, goals, after, per):
        self.world, self.count = world, 0
        designs = [
            Design(
                name=key,
                goal=goal,
                rewards=(Reward(at=goal, name=key),),
                limit=Limit(),
                next_program=None if then is None else KEYS[then],
                spend=Spend(per=per),
            )
            for key, goal, then in zip(KEYS, goals, after, strict=True)
        ]
        file = MerchantFile(
            merchant={
                "key": "aozora",
                "name": "a",
                "timezone": "Asia/Tokyo",
                "day_starts_at": 5,
                "contact": "",
                "languages": ["ja"],
            },
            shops=({"key": "main", "name": "本店"},),
            programs=tuple(zip(KEYS, designs, strict=True)),
        )
        self.merchant = world.run(apply_merchant, file, {}, START).merchant_id
        cards = world.run(follow, self.merchant, person(), "follow", START)
        self.card = cards[0]

    def key(self):
        self.count += 1
        return f"key-{self.count}"

    def grant(self, what, n):
        asked = {"stamps": n} if what == "stamps" else {"amount": n * 70}
        ask = StampAsk(
            merchant_id=self.merchant,
            key=self.key(),
            how="api",
            card_id=self.card,
            **asked,
        )
        return self.world.run(grant_stamps, ask, START)

    def undo(self, entry_id):
        return self.world.run(
            undo_grant,
            merchant_id=self.merchant,
            entry_id=entry_id,
            by=None,
            reason="",
            key=self.key(),
            now=START,
        )

    def state(self):
        def read(tx):
            rows = tx.execute(
                select(card, program.c.key).join(
                    program,
                    (program.c.merchant_id == card.c.merchant_id)
                    & (program.c.id == card.c.program_id),
                )
            ).all()
            open_vouchers = tx.execute(
                select(voucher.c.id).where(voucher.c.state == "issued")
            ).all()
            return rows, len(open_vouchers)

        rows, vouchers = self.world.run(read)
        shown = {KEYS.index(r.key): r.balance for r in rows if r.n_entries or r.cycle}
        money = sum(row.remainder for row in rows)
        return {k: n for k, n in shown.items() if n}, money, vouchers


def tell(connect, goals, after, per, acts):
    world = connect()
    try:
        chain = Chain(world, goals, after, per)
        told = Told(list(goals), list(after), per)
        before, granted = [], []
        for what, n in acts:
            before.append(chain.state())
            outcome = chain.grant(what, n)
            assert isinstance(outcome, Granted), outcome
            granted.append(outcome.entry_id)
            given_stamps = n if what == "stamps" else told.buy(n * 70)
            if what == "stamps":
                told.give(n)
            assert outcome.stamps == given_stamps
            shown = {k: balance for k, balance in told.shown.items() if balance}
            assert chain.state() == (shown, told.paid, told.rewards)
        if 0 in after:
            return  # a ring begins its cards anew, which nothing takes back
        for entry_id, state in zip(granted[::-1], before[::-1], strict=True):
            assert isinstance(chain.undo(entry_id), Undone)
            assert chain.state() == state
    finally:
        world.close()


def told_with(connect, examples):
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        goals=st.tuples(*[st.integers(1, 5)] * 3),
        after=PLANS,
        per=st.integers(50, 300),
        acts=ACTS,
    )
    def run(goals, after, per, acts):
        tell(connect, goals, after, per, acts)

    run()


def test_on_sqlite(sqlite_template, tmp_path):
    engine = writing_engine(str(shutil.copy(sqlite_template, tmp_path / "chain.db")))
    told_with(lambda: OnFile(engine), 60)
    engine.dispose()


def test_on_postgresql(postgres):
    url = postgres.fresh()
    told_with(lambda: OnServer(url), 8)
    postgres.drop(url)
