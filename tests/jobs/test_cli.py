"""The commands, as a script would use them: text or JSON, and the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from jobs.logs import HIDDEN, hide_secrets

FILE = """
[merchant]
key = "aozora"
name = "あおぞら珈琲"
[[program]]
key = "coffee"
name = "コーヒーカード"
goal = 10
[[shop]]
key = "main"
name = "本店"
[[staff]]
email = "owner@example.jp"
role = "owner"
[[api_key]]
name = "pos"
"""


@pytest.fixture
def stampcard(tmp_path):
    def run(*args, **variables):
        return subprocess.run(
            [sys.executable, "-c", "from jobs.cli import main; main()", *args],
            env={
                **os.environ,
                "STAMPCARD_DATA_DIR": str(tmp_path / "var"),
                "PYTHONIOENCODING": "utf-8",
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def shop_file(tmp_path):
    file = tmp_path / "shop.toml"
    file.write_text(FILE, encoding="utf-8")
    return str(file)


def test_a_shop_s_life_on_the_command_line(stampcard, shop_file, tmp_path):
    applied = stampcard("merchant", "apply", shop_file, "--json")
    assert (applied.returncode, applied.stderr) == (0, "")
    told = json.loads(applied.stdout)
    assert told["staff"][0]["password"]
    assert told["api_keys"][0]["key"].startswith("sk_")

    again = json.loads(stampcard("merchant", "apply", shop_file, "--json").stdout)
    assert "password" not in again["staff"][0]
    assert again["programs"] == told["programs"]

    listed = json.loads(stampcard("merchant", "list", "--json").stdout)
    assert [m["key"] for m in listed["merchants"]] == ["aozora"]

    shown = json.loads(stampcard("merchant", "show", "aozora", "--json").stdout)
    assert shown["merchant"]["name"] == "あおぞら珈琲"
    assert shown["line"] is None

    made = json.loads(stampcard("backup", "--json").stdout)
    assert made["verified"] is True
    kept = json.loads(stampcard("backups", "--json").stdout)["backups"]
    assert [b["file"] for b in kept] == [made["file"]]

    done = stampcard("restore", made["file"], "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["counts"]["merchant"] == 1
    elsewhere = tmp_path / "elsewhere.db"
    url = f"sqlite:///{elsewhere}"
    assert stampcard("restore", made["file"], "--to", url).returncode == 0
    assert elsewhere.exists()

    ended = json.loads(stampcard("run", "audit", "--json").stdout)
    assert (ended["state"], ended["result"]["wrong"]) == ("done", [])
    jobs = json.loads(stampcard("jobs", "--json").stdout)["jobs"]
    assert {j["name"]: j["state"] for j in jobs}["audit"] == "done"


def test_check_masks_secrets_and_exits_1_only_on_red(stampcard):
    stampcard("migrate")
    good = stampcard("check", "--json", STAMPCARD_SECRET_KEY="top secret" * 4)
    assert good.returncode == 0
    found = json.loads(good.stdout)
    assert "top secret" not in good.stdout
    assert {c["name"] for c in found["checks"]} >= {"database", "migrations", "clock"}
    assert found["red"] is False

    drill = stampcard("check", STAMPCARD_CLOCK_OFFSET="+36h")
    assert drill.returncode == 1
    assert "RED    clock: moved by 1 day, 12:00:00" in drill.stdout

    old = stampcard("check", "--json", STAMPCARD_CLOCK_OFFSET="+36h")
    assert json.loads(old.stdout)["red"] is True


def test_check_hides_the_password_of_the_database(stampcard):
    url = "postgresql+asyncpg://stamps:hunter2hunter2@127.0.0.1:1/x"
    done = stampcard("check", STAMPCARD_DATABASE_URL=url)
    assert done.returncode == 1
    assert "RED    database" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def test_a_database_that_is_away_is_one_line_and_exit_1(stampcard):
    url = "postgresql+asyncpg://stamps:hunter2hunter2@127.0.0.1:1/x"
    done = stampcard("merchant", "list", STAMPCARD_DATABASE_URL=url)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stderr


def test_every_problem_of_the_settings_is_told_at_once(stampcard):
    wrong = {
        "STAMPCARD_LOG_DAYS": "many",
        "STAMPCARD_PUBLIC_URL": "ftp://x",
        "STAMPCARD_BACKUP_GENERATIONS": "0",
        "STAMPCARD_CLOCK_OFFSET": "later",
    }
    done = stampcard("check", **wrong)
    assert done.returncode == 1
    assert {line.split(":")[0] for line in done.stderr.splitlines()} == set(wrong)

    told = stampcard("jobs", "--json", **wrong)
    assert told.returncode == 1
    assert len(json.loads(told.stdout)["problems"]) == 4


def test_what_is_refused_exits_1_with_its_reason(stampcard, tmp_path):
    done = stampcard("merchant", "show", "nobody")
    assert (done.returncode, done.stderr) == (1, "no such merchant\n")

    bad = tmp_path / "bad.toml"
    bad.write_text("[merchant]\nkey = 'A'\n")
    done = stampcard("merchant", "apply", str(bad), "--json")
    assert done.returncode == 1
    assert len(json.loads(done.stdout)["problems"]) == 2

    done = stampcard("restore", str(tmp_path / "none.db.gz"))
    assert (done.returncode, "no file" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    "args",
    [
        ["nonsense"],
        ["run", "nonsense"],
        ["merchant", "apply"],
        ["serve", "--port", "x"],
        ["serve", "--role", "king"],
        ["backup", "--nonsense"],
    ],
)
def test_wrong_usage_exits_2(stampcard, args):
    assert stampcard(*args).returncode == 2


def test_a_damaged_backup_makes_the_list_exit_1(stampcard):
    stampcard("migrate")
    made = json.loads(stampcard("backup", "--json").stdout)
    with open(made["file"], "ab") as stream:  # noqa: PTH123 -- a path in a result
        stream.write(b"x")
    done = stampcard("backups")
    assert done.returncode == 1
    assert done.stdout.startswith("BAD ")


def test_help_loads_neither_the_web_nor_the_sdk():
    code = (
        "import sys; from jobs.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'aiohttp','linebot','sqlalchemy','PIL'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_logs_hide_what_sounds_like_a_secret_however_deep():
    event = {
        "event": "x",
        "merchant": "m1",
        "push_token": "a",
        "headers": {"Authorization": "b", "Accept": "ok"},
        "list": [{"password": "c"}],
    }
    assert hide_secrets(None, "info", event) == {
        "event": "x",
        "merchant": "m1",
        "push_token": HIDDEN,
        "headers": {"Authorization": HIDDEN, "Accept": "ok"},
        "list": [{"password": HIDDEN}],
    }
