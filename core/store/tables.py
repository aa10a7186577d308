"""The tables. Every one has `merchant_id` first in its key or an index, so that a
distributed PostgreSQL can place rows by merchant.
"""

from __future__ import annotations

from core.store.columns import metadata
from core.store.tables_asked import (
    claim,
    code_use,
    link,
    link_code,
    receipt_batch,
    redemption,
)
from core.store.tables_card import (
    answered,
    card,
    customer,
    ledger_entry,
    old_code,
    refusal,
    till_code,
    voucher,
)
from core.store.tables_merchant import (
    api_key,
    apple_credentials,
    device,
    google_credentials,
    line_channel,
    merchant,
    picture,
    pin_lock,
    program,
    program_version,
    session,
    shop,
    staff,
)
from core.store.tables_outside import (
    held_pass,
    hook,
    hook_delivery,
    inbox,
    job_run,
    journal,
    notice,
    outbox,
    pass_device,
    push_plan,
)

__all__ = [
    "answered",
    "api_key",
    "apple_credentials",
    "card",
    "claim",
    "code_use",
    "customer",
    "device",
    "google_credentials",
    "held_pass",
    "hook",
    "hook_delivery",
    "inbox",
    "job_run",
    "journal",
    "ledger_entry",
    "line_channel",
    "link",
    "link_code",
    "merchant",
    "metadata",
    "notice",
    "old_code",
    "outbox",
    "pass_device",
    "picture",
    "pin_lock",
    "program",
    "program_version",
    "push_plan",
    "receipt_batch",
    "redemption",
    "refusal",
    "session",
    "shop",
    "staff",
    "till_code",
    "voucher",
]
