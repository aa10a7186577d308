"""The command line, `stampcard`. Commands import what they need when they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from core.clock import Clock
from core.errors import StampcardError
from jobs.answers import answer, answering, json_option

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="smart-stamp-card")
def main() -> None:
    """Stamp cards in LINE, Apple Wallet and Google Wallet.

    Settings come from STAMPCARD_… variables, their …_FILE variants, and stampcard.toml
    in the data folder.
    """


@main.command()
@click.option("--port", type=click.IntRange(1, 65534), default=8080, show_default=True)
@click.option("--dir", "folder", type=_FOLDER, default=None, help="Keep the data here.")
@answering
def demo(port: int, folder: Path | None) -> None:
    """A whole shop on this machine, with no account anywhere."""
    import tempfile  # noqa: PLC0415 -- this file must load fast

    from jobs.demo.run import main as run_demo  # noqa: PLC0415 -- same
    from jobs.logs import set_up_logs  # noqa: PLC0415 -- same

    set_up_logs("command")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        run_demo(port, folder.resolve())
        return
    with tempfile.TemporaryDirectory(prefix="stampcard-demo-") as scratch:
        run_demo(port, Path(scratch))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option(
    "--role",
    type=click.Choice(["all", "web", "worker"]),
    default="all",
    show_default=True,
    help="web answers requests; worker answers LINE, delivers and runs the jobs.",
)
@answering
def serve(host: str, port: int, role: Literal["all", "web", "worker"]) -> None:
    """Run the service until SIGTERM."""
    from jobs.logs import set_up_logs  # noqa: PLC0415 -- this file must load fast
    from jobs.serve import serve as serve_until_told  # noqa: PLC0415 -- same

    settings = _settings()
    set_up_logs("service")
    serve_until_told(settings, host=host, port=port, role=role)


@main.command()
@json_option
@answering
def migrate() -> None:
    """Bring the database up to date; a SQLite file is backed up first."""
    from jobs.upgrade import upgrade  # noqa: PLC0415 -- this file must load fast

    settings = _settings()
    revision = upgrade(settings, _clock(settings).now())
    answer({"revision": revision}, f"The database is at {revision}.")


@main.command()
@json_option
@answering
def check() -> None:
    """Print the settings and every health check; exit 1 on red."""
    from jobs import operate  # noqa: PLC0415 -- this file must load fast

    settings = _settings()
    found = operate.check(settings, _clock(settings))
    lines = [f"{name} = {value}" for name, value in found["settings"].items()]
    lines += [f"{_MARKS[c['state']]} {c['name']}: {c['text']}" for c in found["checks"]]
    answer(found, *lines)
    if found["red"]:
        raise SystemExit(1)


@main.group()
def merchant() -> None:
    """Merchants: apply a file, list, show."""


@merchant.command("apply")
@click.argument("file", type=_FILE)
@json_option
@answering
def merchant_apply(file: Path) -> None:
    """Create or update a merchant from FILE (TOML)."""
    from jobs import operate  # noqa: PLC0415 -- this file must load fast

    settings = _settings()
    handed = operate.apply(settings, file, _clock(settings))
    answer(handed, *_handed_lines(handed))


@merchant.command("list")
@json_option
@answering
def merchant_list() -> None:
    """List all merchants."""
    from jobs import operate  # noqa: PLC0415 -- this file must load fast

    settings = _settings()
    found = operate.merchants(settings, _clock(settings))
    answer(
        {"merchants": found},
        *(f"{m['key']}\t{m['name']}\t{m['id']}" for m in found),
        empty="No merchants yet: stampcard merchant apply FILE.toml",
    )


@merchant.command("show")
@click.argument("key")
@json_option
@answering
def merchant_show(key: str) -> None:
    """Show one merchant: addresses, programs, shops, staff, connections."""
    from jobs import operate  # noqa: PLC0415 -- this file must load fast

    settings = _settings()
    found = operate.merchant(settings, key, _clock(settings))
    answer(found, *_handed_lines(found))


@main.command()
@json_option
@answering
def backup() -> None:
    """Make a verified backup now."""
    import asyncio  # noqa: PLC0415 -- this file must load fast

    from jobs.backup import back_up  # noqa: PLC0415 -- same

    settings = _settings()
    made = asyncio.run(back_up(settings, _clock(settings).now()))
    rows = sum(made["counts"].values())
    answer(made, f"{made['file']}: {made['size']} bytes, {rows} rows, verified")


@main.command()
@json_option
@answering
def backups() -> None:
    """List the backups; exit 1 where one is damaged."""
    from jobs import operate  # noqa: PLC0415 -- this file must load fast

    settings = _settings()
    found = operate.backups(settings)
    answer(
        {"backups": found},
        *(
            f"{'ok ' if b['verified'] else 'BAD'} {b['made_at'] or '-'} {b['file']}"
            + (f" ({b['problem']})" if b["problem"] else "")
            for b in found
        ),
        empty=f"No backups yet in {settings.backups}",
    )
    if any(b["problem"] for b in found):
        raise SystemExit(1)


@main.command()
@click.argument("file", type=_FILE)
@click.option("--to", "url", default=None, help="The database's URL, if another one.")
@json_option
@answering
def restore(file: Path, url: str | None) -> None:
    """Put a backup back; the present SQLite file is kept beside."""
    from jobs.restore import restore as put_back  # noqa: PLC0415 -- must load fast

    settings = _settings(**({"database_url": url} if url else {}))
    done = put_back(settings, file, _clock(settings).now())
    lines = [f"Restored {done['restored']} to {done['to']}."]
    if done["kept"]:
        lines.append(f"What was there is kept as {done['kept']}.")
    if not done["secrets_open"]:
        lines.append(
            "STAMPCARD_SECRET_KEY is not the one these secrets were sealed with:"
            " merchants must be applied anew."
        )
    answer(done, *lines)


@main.command("run")
@click.argument("job")
@json_option
@answering
def run_job(job: str) -> None:
    """Run one scheduled JOB now."""
    from jobs import operate  # noqa: PLC0415 -- this file must load fast
    from jobs.schedule import JOBS, find_job  # noqa: PLC0415 -- same

    found = find_job(job)
    if found is None:
        known = ", ".join(j.name for j in JOBS)
        raise click.BadParameter(f"no such job: {job}; there are {known}")
    settings = _settings()
    ended = operate.run_job(settings, found, _clock(settings))
    answer(ended, f"{job}: {ended['state']} {ended['result']}")
    if ended["state"] != "done" or ended["result"].get("red"):
        raise SystemExit(1)


@main.command()
@json_option
@answering
def jobs() -> None:
    """When each job last ran, how it ended, and when it is due next."""
    from jobs import operate  # noqa: PLC0415 -- this file must load fast

    settings = _settings()
    found = operate.job_list(settings, _clock(settings))
    answer(
        {"jobs": found},
        *(
            f"{j['name']}\t{j['state'] or 'never'}\t{j['due_at'] or '-'}"
            f"\tnext {j['next_at']}"
            for j in found
        ),
    )


_MARKS = {"green": "ok    ", "yellow": "NOTE  ", "red": "RED   "}


def _settings(**given: Any) -> Any:
    from core.config import load_settings  # noqa: PLC0415 -- must load fast

    return load_settings(**given)


def _clock(settings: Any) -> Clock:
    return Clock(settings.clock_offset)


def _handed_lines(handed: Mapping[str, Any]) -> Sequence[str]:
    merchant = handed["merchant"]
    lines = [
        f"{merchant['name']} ({merchant['key']}) {merchant['id']}",
        f"LINE webhook URL: {handed['line_webhook_url']}",
        f"Google callback URL: {handed['google_callback_url']}",
    ]
    for kind in ("programs", "shops"):
        lines += [f"{kind[:-1]} {x['key']}: {x['id']}" for x in handed[kind]]
    for person in handed["staff"]:
        made = person.get("password")
        lines.append(
            f"staff {person.get('email') or person['name']}"
            + (f", password (shown this once): {made}" if made else "")
        )
    for key in handed["api_keys"]:
        made = key.get("key")
        lines.append(
            f"API key {key['name']}" + (f" (shown this once): {made}" if made else "")
        )
    lines += [f"note: {note}" for note in handed.get("notes", ())]
    return lines


__all__ = ["StampcardError", "main"]
