"""The webhook bodies that LINE's SDK is tested with, from its source distribution.

Taken from the package index once and kept in pytest's cache: the files are Apache-2.0,
but ours are the only ones in this repository. https://pypi.org/project/line-bot-sdk/
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

_INSIDE = "tests/v3/text/webhook.json"


def official_events(cache: Path) -> list[dict[str, Any]]:
    """The events of the installed SDK's own test. Fails when they cannot be had."""
    kept = cache / f"line-bot-sdk-{version('line-bot-sdk')}-webhook.json"
    if not kept.is_file():
        _fetch(kept)
    events: list[dict[str, Any]] = json.loads(kept.read_text("utf-8"))["events"]
    return events


def _fetch(kept: Path) -> None:
    folder = kept.parent
    folder.mkdir(parents=True, exist_ok=True)
    wanted = f"line-bot-sdk=={version('line-bot-sdk')}"
    command = f"-m pip download --quiet --no-deps --no-binary line-bot-sdk {wanted}"
    done = subprocess.run(
        [sys.executable, *command.split(), "--dest", str(folder)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    found = sorted(folder.glob("line_bot_sdk-*.tar.gz"))
    if done.returncode or not found:
        raise RuntimeError(f"cannot download {wanted}: {done.stderr[-2000:]}")
    with tarfile.open(found[-1]) as archive:
        name = next(n for n in archive.getnames() if n.endswith(_INSIDE))
        stream = archive.extractfile(name)
        assert stream is not None
        content = stream.read()
    # Written whole or not at all: two test runs may come at once.
    half = kept.with_suffix(".half")
    half.write_bytes(content)
    half.replace(kept)
