"""What a scheduled job is given besides the time."""

from __future__ import annotations

from dataclasses import dataclass

from core.config import Settings
from core.database import Database
from core.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that jobs and checks work with."""

    settings: Settings
    db: Database
    vault: Vault
