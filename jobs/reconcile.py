"""Each night: who really holds a Google pass, and do Apple's certificates still last?

Google's callbacks have been silent for months at a time, so it is asked. The asking
itself is left to the pump, which goes at Google's pace and tries again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.actions.passes import ask_who_holds
from jobs.check_channels import check_channels
from jobs.parts import Parts


async def run(parts: Parts, now: datetime) -> dict[str, Any]:
    """Have every program's passes asked for; `red` says whose wallet does not work."""
    count = await parts.db.write(ask_who_holds, now)
    wallets = [
        finding
        for finding in await check_channels(parts, now)
        if finding.name.startswith(("apple ", "google "))
    ]
    return {
        "programs": count,
        "red": [f"{f.name}: {f.text}" for f in wallets if f.state != "green"],
    }
