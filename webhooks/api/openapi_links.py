"""The OpenAPI document's links: what can be asked next about what was answered."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# What answers, where the id is in it, and the operations that take it.
_LINKS = (
    ("makeTillCode", "code", "/code", ("showTillCode",)),
    ("addCard", "id", "/id", ("showCard", "addStamps", "showLedger")),
    ("findCards", "id", "/cards/0/id", ("showCard", "addStamps", "showLedger")),
    ("showLedger", "id", "/entries/0/id", ("undoEntry",)),
    ("addStamps", "id", "/entry/id", ("undoEntry",)),
    ("addStamps", "id", "/card/vouchers/0/id", ("redeemVoucher",)),
    ("redeemVoucher", "id", "/id", ("undoRedemption",)),
    ("undoRedemption", "id", "/id", ("redeemVoucher",)),
)


def with_links(paths: Json) -> Json:
    """The paths, each good answer with the calls that it leads to."""
    for operation in (one for path in paths.values() for one in path.values()):
        for source, parameter, place, targets in _LINKS:
            if source != operation["operationId"]:
                continue
            good = next(s for s in operation["responses"] if s.startswith("2"))
            links = operation["responses"][good].setdefault("links", {})
            for target in targets:
                links[target] = {
                    "operationId": target,
                    "parameters": {parameter: f"$response.body#{place}"},
                }
    return paths
