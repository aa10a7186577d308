"""Programs, their published versions and drafts, and the merchant's pictures."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, select

from core.database import Tx
from core.ids import new_id
from core.rules.publishing import design_from_dict, design_to_dict
from core.rules.types import (
    Card,
    Design,
    Expiry,
    MerchantId,
    Program,
    ProgramId,
    ProgramState,
    StaffId,
)
from core.store.tables import picture, program, program_version
from core.store.upsert import put_if_new

_PUBLISHED = select(program, program_version.c.design).join(
    program_version,
    (program_version.c.merchant_id == program.c.merchant_id)
    & (program_version.c.program_id == program.c.id)
    & (program_version.c.version == program.c.version),
)
# Built once: to build a statement costs more than to run it.
_LOAD = _PUBLISHED.where(
    program.c.merchant_id == bindparam("of_merchant"),
    program.c.id == bindparam("of_program"),
)


def list_programs(tx: Tx, merchant_id: MerchantId) -> list[Program]:
    """The merchant's programs in their own order, each with its published design."""
    statement = _programs(merchant_id).order_by(program.c.position, program.c.key)
    return [_program(row) for row in tx.execute(statement)]


def load_program(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId
) -> Program | None:
    """One program by id, or None."""
    mine = {"of_merchant": merchant_id, "of_program": program_id}
    row = tx.execute(_LOAD, mine).first()
    return None if row is None else _program(row)


def find_program(tx: Tx, merchant_id: MerchantId, key: str) -> Program | None:
    """One program by key, or None."""
    row = tx.execute(_programs(merchant_id).where(program.c.key == key)).first()
    return None if row is None else _program(row)


def lock_program(tx: Tx, merchant_id: MerchantId, program_id: ProgramId) -> None:
    """Keep others from publishing this program until the end of the transaction."""
    tx.execute(
        select(program.c.id)
        .where(program.c.merchant_id == merchant_id, program.c.id == program_id)
        .with_for_update()
    )


def load_design(
    tx: Tx, program_id: ProgramId, version: int
) -> tuple[MerchantId, Design] | None:
    """One published version, whoever's it is, or None."""
    table = program_version
    row = tx.execute(
        select(table.c.merchant_id, table.c.design).where(
            table.c.program_id == program_id, table.c.version == version
        )
    ).first()
    if row is None:
        return None
    return row.merchant_id, _published(program_id, version, row.design)


def design_of(tx: Tx, program: Program, version: int) -> Design | None:
    """The design of one version of `program`; most cards are on the present one."""
    if version == program.version:
        return program.design
    found = load_design(tx, program.id, version)
    return None if found is None else found[1]


def promises(tx: Tx, held: Card) -> tuple[Expiry, ...]:
    """The expiries of the versions that a card was on since it last began, newest last.

    Versions that were for new cards only promised it nothing.
    """
    if held.promise_from >= held.version:
        found = load_design(tx, held.program_id, held.version)
        assert found is not None
        return (found[1].expires,)
    table, ends = program_version, (held.promise_from, held.version)
    rows = tx.execute(
        select(table.c.version, table.c.design)
        .where(
            table.c.merchant_id == held.merchant_id,
            table.c.program_id == held.program_id,
            table.c.version.between(*ends),
            table.c.moved_cards | table.c.version.in_(ends),
        )
        .order_by(table.c.version)
    )
    return tuple(_published(held.program_id, r.version, r.design).expires for r in rows)


def designs_between(
    tx: Tx, held: Card, oldest: int, also: Collection[int] = ()
) -> dict[int, Design]:
    """The designs that a card went through from version `oldest` on, by version.

    Those that moved the cards that were out there, `oldest`, the card's own, and any
    of `also`.
    """
    table, own = program_version, {oldest, held.version, *also}
    rows = tx.execute(
        select(table.c.version, table.c.design)
        .where(
            table.c.merchant_id == held.merchant_id,
            table.c.program_id == held.program_id,
            (table.c.version.between(oldest, held.version) & table.c.moved_cards)
            | table.c.version.in_(own),
        )
        .order_by(table.c.version)
    )
    return {r.version: _published(held.program_id, r.version, r.design) for r in rows}


def designs_of(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, versions: Collection[int]
) -> dict[int, Design]:
    """These versions of a program, by version."""
    table = program_version
    rows = tx.execute(
        select(table.c.version, table.c.design).where(
            table.c.merchant_id == merchant_id,
            table.c.program_id == program_id,
            table.c.version.in_(versions),
        )
    )
    return {r.version: _published(program_id, r.version, r.design) for r in rows}


def add_program(
    tx: Tx, merchant_id: MerchantId, key: str, position: int, now: datetime
) -> ProgramId:
    """A new program without a version yet; publish its first one next."""
    program_id = ProgramId(new_id(now))
    tx.execute(
        program.insert().values(
            merchant_id=merchant_id,
            id=program_id,
            key=key,
            state="active",
            version=0,
            position=position,
            created_at=now,
        )
    )
    return program_id


def append_version(
    tx: Tx,
    merchant_id: MerchantId,
    program_id: ProgramId,
    version: int,
    design: Design,
    staff_id: StaffId | None,
    now: datetime,
    *,
    moved_cards: bool = True,
) -> None:
    """Publish `design` as `version`; the draft is used up.

    `moved_cards`: the cards that are out there take it too.
    """
    tx.execute(
        program_version.insert().values(
            merchant_id=merchant_id,
            program_id=program_id,
            version=version,
            design=design_to_dict(design),
            published_at=now,
            published_by=staff_id,
            moved_cards=moved_cards,
        )
    )
    _update(tx, merchant_id, program_id, version=version, draft=None)


def put_draft(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, design: Design | None
) -> None:
    """Keep (or with None, drop) what the merchant is typing."""
    draft = None if design is None else design_to_dict(design)
    _update(tx, merchant_id, program_id, draft=draft)


def put_state(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, state: ProgramState
) -> None:
    """Pause, archive or reopen a program."""
    _update(tx, merchant_id, program_id, state=state)


def put_picture(
    tx: Tx, merchant_id: MerchantId, digest: str, content: bytes, now: datetime
) -> None:
    """Keep a picture under its digest, once."""
    row = {
        "merchant_id": merchant_id,
        "digest": digest,
        "content": content,
        "created_at": now,
    }
    put_if_new(tx, picture, row, "merchant_id", "digest")


def load_picture(tx: Tx, merchant_id: MerchantId, digest: str) -> bytes | None:
    """The picture with this digest, or None."""
    row = tx.execute(
        select(picture.c.content).where(
            picture.c.merchant_id == merchant_id, picture.c.digest == digest
        )
    ).first()
    return None if row is None else bytes(row.content)


def _update(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, **values: Any
) -> None:
    mine = (program.c.merchant_id == merchant_id) & (program.c.id == program_id)
    tx.execute(program.update().where(mine).values(values))


def _programs(merchant_id: MerchantId) -> Select[Any]:
    return _PUBLISHED.where(program.c.merchant_id == merchant_id)


def _program(row: Row[Any]) -> Program:
    return Program(
        id=ProgramId(row.id),
        merchant_id=MerchantId(row.merchant_id),
        key=row.key,
        state=row.state,
        version=row.version,
        design=_published(ProgramId(row.id), row.version, row.design),
        draft=None if row.draft is None else design_from_dict(row.draft),
    )


def _published(program_id: ProgramId, version: int, data: dict[str, Any]) -> Design:
    # A published version never changes, and reading one costs as much as a query.
    known = _DESIGNS.get((program_id, version))
    if known is None:
        if len(_DESIGNS) >= _MAX_DESIGNS:
            _DESIGNS.clear()
        known = _DESIGNS[program_id, version] = design_from_dict(data)
    return known


_DESIGNS: dict[tuple[ProgramId, int], Design] = {}
_MAX_DESIGNS = 5000
