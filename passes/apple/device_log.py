"""What phones report to the web service's log: lines from anybody, made harmless.

Typical: "[2026-11-23 15:00:00 +0900] Get pass task (pass type pass.jp.example, serial
number 01J…, if-modified-since (…); with web service url …) encountered error: …".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

MAX_LINES = 20
_LONGEST = 500

_PASS_TYPE = re.compile(r"pass type (pass\.[0-9A-Za-z.-]{1,200})")
_SERIAL = re.compile(r"serial number ([0-9A-Za-z-]{1,64})")
# Who knows a device's id may ask for its passes: it is a secret, as tokens are.
_SECRET = re.compile(r"(?<=device )\S+|\b[0-9A-Za-z_-]{32,}")


def read_lines(lines: Iterable[object]) -> Iterator[dict[str, str]]:
    """`message`, `pass_type` and `serial` ("" where unknown) of the first 20 lines."""
    for position, line in enumerate(lines):
        if position == MAX_LINES:
            return
        if isinstance(line, str):
            yield _read(line[:_LONGEST])


def _read(line: str) -> dict[str, str]:
    pass_type, serial = _PASS_TYPE.search(line), _SERIAL.search(line)
    readable = "".join(c if c.isprintable() else " " for c in line)
    return {
        "message": _SECRET.sub("…", readable),
        "pass_type": pass_type[1] if pass_type else "",
        "serial": serial[1] if serial else "",
    }
