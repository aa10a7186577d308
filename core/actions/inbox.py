"""Keeping LINE events and handing them to the bot, each to one worker at a time."""

from __future__ import annotations

from core.actions.unsend import forget_place, unsend_message
from core.store.inbox import (
    KeptEvent,
    NewEvent,
    finish_event,
    has_written_again,
    keep_events,
    release_inbox,
    retry_event,
    take_events,
)

__all__ = [
    "KeptEvent",
    "NewEvent",
    "finish_event",
    "forget_place",
    "has_written_again",
    "keep_events",
    "release_inbox",
    "retry_event",
    "take_events",
    "unsend_message",
]
