"""CSV as shops open it: in Excel, with a double click."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from aiohttp import web

# Without this mark Excel takes UTF-8 for the letters of the machine's country.
_BOM = "\ufeff"
# A cell that begins so is a formula, also for those who only look.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """The file's text: lines end with CR LF, cells that look like formulas do not."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([harmless(cell) for cell in header])
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return _BOM + stream.getvalue()


def harmless(cell: str | int) -> str | int:
    """The cell, with an apostrophe before what a spreadsheet would calculate."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return cell


def csv_response(text: str, name: str) -> web.Response:
    """A download; `name` is of plain letters."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(
        body=text.encode(), content_type="text/csv", charset="utf-8", headers=headers
    )
