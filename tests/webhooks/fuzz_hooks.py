"""Loaded by Schemathesis, in its own process: what a client of the API would heed."""

from __future__ import annotations

import re
from uuid import uuid4

import schemathesis

KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(context, case, kwargs):
    """A good key is a fresh one: the same for another question is rightly refused."""
    given = case.headers.get(KEY) if case.headers else None
    if isinstance(given, str) and re.fullmatch(r"[\x21-\x7e]{1,128}", given):
        case.headers[KEY] = str(uuid4())
