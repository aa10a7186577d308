"""Whole things for tests, built through the same actions as in life."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.actions.apply import MerchantFile, apply_channel, apply_merchant
from core.actions.channels import LINE_SECRET
from core.actions.merchants import load_merchant
from core.actions.publish import find_program
from core.actions.shops import list_shops
from core.actions.signin import logins
from core.actions.till import make_till_code
from core.database import Database
from core.rules.asking import LinePerson
from core.rules.types import (
    Design,
    Limit,
    Merchant,
    Program,
    Reward,
    Shop,
    Staff,
    TillCode,
)
from core.vault import Vault, hash_password, hash_token

PASSWORD = "きょうは朝から雨でした2026"
API_KEY = "sk_tests_only_0123456789"
CHANNEL_SECRET = "8c570fa6dd201bb328f1c1eac23a96d8"
BOT_USER_ID = "U8e742f61d673b39c7fff3cecb7536ef0"

_HASH: list[str] = []


@dataclass(frozen=True, kw_only=True)
class BuiltShop:
    """A merchant with all that a test reaches for."""

    db: Database
    merchant: Merchant
    program: Program
    shop: Shop
    owner: Staff
    password: str = PASSWORD
    api_key: str = API_KEY
    channel_secret: str = CHANNEL_SECRET
    extra: dict[str, Any] = field(default_factory=dict)

    async def till_code(self, now: datetime, stamps: int = 1) -> TillCode:
        """A fresh code as the till makes it."""
        return await self.db.write(
            make_till_code,
            merchant_id=self.merchant.id,
            shop_key=self.shop.key,
            program_key=self.program.key,
            stamps=stamps,
            staff_id=self.owner.id,
            now=now,
        )


def coffee(**changes: Any) -> Design:
    """A coffee card: ten stamps, one a business day, a coffee at the end."""
    values: dict[str, Any] = {
        "name": "コーヒーカード",
        "goal": 10,
        "rewards": (Reward(at=10, name="コーヒー1杯", valid="3m"),),
        "limit": Limit(kind="day"),
    }
    return Design(**(values | changes))


def person(number: int = 1, name: str = "花子") -> LinePerson:
    """A LINE user."""
    return LinePerson(user_id=f"U{number:032x}", name=name, language="ja")


async def build_shop(
    db: Database,
    vault: Vault,
    now: datetime,
    *,
    key: str = "aozora",
    design: Design | None = None,
    api_key: str = API_KEY,
    channel_secret: str = CHANNEL_SECRET,
) -> BuiltShop:
    """Apply a merchant as `stampcard merchant apply` would."""
    if not _HASH:
        _HASH.append(hash_password(PASSWORD))
    staff = [
        {"email": f"{role}@{key}.jp", "role": role, "password_hash": _HASH[0]}
        for role in ("owner", "manager", "clerk", "viewer")
    ]
    file = MerchantFile(
        merchant={
            "key": key,
            "name": "あおぞら珈琲",
            "timezone": "Asia/Tokyo",
            "day_starts_at": 5,
            "contact": "info@example.jp",
            "languages": ["ja", "en"],
        },
        shops=(
            {"key": "main", "name": "本店", "latitude": 35.68, "longitude": 139.76},
        ),
        programs=(("coffee", design or coffee()),),
        staff=tuple(staff),
        api_keys=("pos",),
    )
    applied = await db.write(apply_merchant, file, {"pos": hash_token(api_key)}, now)
    merchant_id = applied.merchant_id
    channel = {
        "channel_id": "1234567890",
        "sealed_secret": vault.seal(channel_secret, merchant_id, LINE_SECRET),
        "sealed_previous_secret": None,
        "bot_user_id": BOT_USER_ID,
        "basic_id": f"@{key}",
    }
    await db.write(apply_channel, merchant_id, "line", channel, now)
    owner = await db.read(logins, f"owner@{key}.jp")
    return BuiltShop(
        db=db,
        merchant=await db.read(load_merchant, merchant_id),
        program=await db.read(find_program, merchant_id, "coffee"),
        shop=(await db.read(list_shops, merchant_id))[0],
        owner=owner[0].staff,
        api_key=api_key,
        channel_secret=channel_secret,
    )
