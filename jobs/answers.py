"""How commands answer: text for people, one JSON value with `--json`, an exit code.

0 good, 1 refused or failed, 2 wrong usage (click's own).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

import click

from core.errors import StampcardError

P = ParamSpec("P")
T = TypeVar("T")

_AS_JSON = "stampcard.as_json"


def json_option(command: Callable[P, T]) -> Callable[P, T]:
    """Give a command `--json`; `answer` and `answering` look at it."""
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_note_json,
        help="Print one JSON value.",
    )(command)


def answer(value: Any, *lines: str, empty: str = "") -> None:
    """Print `value` as JSON or `lines` as text (`empty` where there are none)."""
    if _as_json():
        click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
        return
    for line in lines or ([empty] if empty else []):
        click.echo(line)


def answering(command: Callable[P, T]) -> Callable[P, T]:
    """Turn what a command expects to go wrong into its lines and exit code 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        from jobs.logs import set_up_logs  # noqa: PLC0415 -- `--help` must be fast

        set_up_logs("command")
        try:
            return command(*args, **kwargs)
        except Exception as error:
            problems = _problems(error)
            if problems is None:
                raise
        _refuse(problems)

    return run


def _problems(error: Exception) -> list[str] | None:
    """The lines of a failure that can be expected; None for an error of the program."""
    if isinstance(error, StampcardError | OSError):
        problems = getattr(error, "problems", None) or [str(error)]
        return [str(problem) for problem in problems]
    if type(error).__module__.partition(".")[0] in {"sqlalchemy", "sqlite3"}:
        # The lines below the first one hold the statement and its values.
        return [f"the database: {str(error).splitlines()[0]}"]
    return None


def _refuse(problems: list[str]) -> NoReturn:
    if _as_json():
        click.echo(json.dumps({"problems": problems}, ensure_ascii=False, indent=2))
    else:
        for problem in problems:
            click.echo(problem, err=True)
    raise SystemExit(1)


def _as_json() -> bool:
    context = click.get_current_context()
    return bool(context.meta.get(_AS_JSON))


def _note_json(context: click.Context, _option: click.Parameter, value: bool) -> None:
    context.meta[_AS_JSON] = value
