"""Whatever a machine may send, the API answers as its own document says.

Schemathesis reads the document and attacks the service over HTTP from a process of its
own: edge values, random bodies that fit and that do not, and chains along the links.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from core.rules.types import Limit, Reward, Spend
from tests.builders import API_KEY, build_shop, coffee
from tests.webhooks.rooms import serve_rooms

ROOT = Path(__file__).parents[2]
EXAMPLES = 25

# Real names beside one that is nobody's, so that random bodies get past the look-up.
NAMES = {"shop": ["main", "nowhere"], "program": ["coffee", "nothing"]}

# All checks but: no header is required beside the key, and each call is tried without
# that. What OpenAPI cannot say: exactly one parameter of three; a page of this ledger.
CONFIG = """
[checks.missing_required_header]
enabled = false

[[operations]]
include-name = "GET /cards"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "GET /cards/{id}/ledger"
checks.positive_data_acceptance.enabled = false
"""


@pytest.mark.timeout(600)
async def test_the_api_answers_as_its_document_says(
    db, settings, vault, clock, tmp_path
):
    design = coffee(
        goal=3,
        limit=Limit(),
        rewards=(Reward(at=3, name="コーヒー1杯"),),
        spend=Spend(per=100_000),
    )
    await build_shop(db, vault, clock.now(), design=design)
    async with serve_rooms(db, settings, clock) as client:
        answer = await client.get("/api/v1/openapi.json")
        known = with_names(await answer.json())
        (tmp_path / "document.json").write_text(json.dumps(known))
        (tmp_path / "schemathesis.toml").write_text(CONFIG)
        status, said = await attack(tmp_path, str(client.make_url("/api/v1")))

    assert status == 0, said
    for phase in ("Coverage", "Fuzzing", "Stateful"):
        assert f"✅  {phase}" in said or f"✅ {phase}" in said, said


def with_names(document):
    for name in ("NewTillCode", "NewCard", "NewStamps", "NewRedemption"):
        fields = document["components"]["schemas"][name]["properties"]
        for field, names in NAMES.items():
            if field in fields:
                may_be_null = "anyOf" in fields[field]
                fields[field] = {"enum": [*names, *([None] if may_be_null else [])]}
    return document


async def attack(folder: Path, url: str) -> tuple[int, str]:
    """Run Schemathesis on the document in `folder`; its exit status and its report."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        "document.json",
        f"--url={url}",
        f"--header=Authorization: Bearer {API_KEY}",
        f"--max-examples={EXAMPLES}",
        "--generation-deterministic",
        "--phases=coverage,fuzzing,stateful",
        "--no-color",
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.webhooks.fuzz_hooks",
            "NO_PROXY": "*",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode()
