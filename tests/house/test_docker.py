"""The container files, as far as they can be checked where no container can run."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Awaitable, Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from core.config import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
COMPOSE = ["compose.yaml", "compose.scale.yaml"]
PACKAGES = ["core", "bot", "passes", "webhooks", "jobs"]


def instructions(name: str) -> list[str]:
    """What follows each `name` instruction, continued lines joined."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{name} +(.+)$", joined, re.MULTILINE)


def services(file: str) -> dict[str, str]:
    """Each service of a compose file with its lines."""
    text = (DOCKER / file).read_text()
    block = re.split(r"^\w[\w-]*:", text.split("\nservices:\n")[1], flags=re.MULTILINE)
    parts = re.split(r"^  (\w+):\n", block[0], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


# --- the image ------------------------------------------------------------------


def test_the_image_runs_as_nobody_with_one_port() -> None:
    final = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    user = re.findall(r"^USER (\d+):(\d+)$", final, re.MULTILINE)
    assert len(user) == 1
    assert all(int(number) > 0 for number in user[0])
    assert final.index("USER ") > final.rindex("\nRUN ")
    assert instructions("EXPOSE") == ["8080"]


def test_every_image_has_an_exact_version() -> None:
    bases = [line.split()[0] for line in instructions("FROM")]
    for file in COMPOSE:
        bases += re.findall(r"image: (\S+)", (DOCKER / file).read_text())
    assert len(bases) >= 6
    for base in bases:
        assert re.fullmatch(r"[a-z-]+:\d[\w.-]*", base), base


def test_only_locked_and_hashed_packages_are_installed() -> None:
    installs = [line for line in instructions("RUN") if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert installs[0].endswith("-r requirements.lock")
    assert "--no-deps --no-build-isolation" in installs[1]
    lock = (ROOT / "requirements.lock").read_text()
    assert re.search(r"^setuptools==", lock, re.MULTILINE)


def test_everything_that_is_copied_exists_and_is_let_through() -> None:
    ignore = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert next(line for line in ignore if not line.startswith("#")) == "*"
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    copied = set()
    for line in instructions("COPY"):
        if not line.startswith("--from"):
            copied |= set(line.split()[:-1])
    assert copied == allowed
    assert copied >= set(PACKAGES)
    missing = [path for path in copied if not (ROOT / path).exists()]
    assert not missing


def test_the_package_brings_its_texts_pages_and_migrations() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    files = [
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    ]
    assert files
    left_out = [p for p in files if not any(fnmatch(p.name, m) for m in patterns)]
    assert not left_out


def test_the_commands_of_the_image_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["stampcard"]
    assert "stampcard" in project["project"]["scripts"]
    command, *options = json.loads(instructions("CMD")[-1])
    assert command == "serve"
    assert options == ["--host", "0.0.0.0", "--port", "8080"]


@pytest.mark.parametrize(("status", "is_healthy"), [(200, True), (503, False)])
async def test_the_health_check_tells_a_live_service_from_a_dead_one(
    status: int,
    is_healthy: bool,
    aiohttp_server: Callable[..., Awaitable[TestServer]],
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/healthz", answer)
    server = await aiohttp_server(app)
    found = re.search(r"CMD (\[.+\])$", instructions("HEALTHCHECK")[0])
    assert found is not None
    python, option, code = json.loads(found[1])
    assert python == "python"
    assert "127.0.0.1:8080" in code
    assert await run(code.replace("8080", str(server.port)), option) == is_healthy
    await server.close()
    assert not await run(code.replace("8080", str(server.port)), option)


async def run(code: str, option: str) -> bool:
    process = await asyncio.create_subprocess_exec(
        sys.executable, option, code, stderr=subprocess.DEVNULL
    )
    return await process.wait() == 0


# --- compose --------------------------------------------------------------------


@pytest.mark.parametrize("file", COMPOSE)
def test_every_service_is_hardened(file: str) -> None:
    text = (DOCKER / file).read_text()
    hardened = text.split("x-hardened:")[1].split("\n\n")[0]
    for line in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"):
        assert line in hardened
    assert "<<: *hardened" in text.split("x-stampcard:")[1].split("\n\n")[0]
    found = services(file)
    assert {"app", "migrate", "proxy"} <= set(found)
    for name, lines in found.items():
        assert re.match(r"    <<: \*(hardened|stampcard)\n", lines), name
        for undone in ("read_only:", "cap_drop:", "security_opt:", "privileged:"):
            assert undone not in lines, f"{name} weakens {undone}"
        added = re.findall(r"cap_add: (.+)", lines)
        assert added == (["[NET_BIND_SERVICE]"] if name == "proxy" else [])
        # Only the proxy is reached from outside.
        assert ("ports:" in lines) == (name == "proxy")


@pytest.mark.parametrize("file", COMPOSE)
def test_every_variable_is_a_setting_and_every_secret_a_file(file: str) -> None:
    text = (DOCKER / file).read_text()
    names = set(re.findall(rf"^    {PREFIX}(\w+):", text, re.MULTILINE))
    assert {"PUBLIC_URL", "SECRET_KEY_FILE"} <= names
    for name in names:
        assert name.removesuffix("_FILE").lower() in Settings.model_fields, name
    for field in ("SECRET_KEY", "METRICS_TOKEN", "SMTP_URL", "DATABASE_URL"):
        assert field not in names, f"{field} belongs in a file"
    secrets = set(re.findall(r"/run/secrets/(\w+)", text))
    declared = dict(re.findall(r"^  (\w+): \{file: (\S+)\}", text, re.MULTILINE))
    assert secrets == set(declared)
    kept_out = (DOCKER / ".gitignore").read_text().splitlines()
    assert all(path.startswith("./secrets/") for path in declared.values())
    assert {"secrets/", ".env"} <= set(kept_out)


def test_the_example_names_what_compose_asks_for() -> None:
    text = "".join((DOCKER / file).read_text() for file in COMPOSE)
    asked = set(re.findall(r"\$\{(\w+)", text))
    example = (DOCKER / ".env.example").read_text()
    assert asked == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_sqlite_has_one_process_and_postgresql_many() -> None:
    assert "replicas" not in (DOCKER / "compose.yaml").read_text()
    scaled = services("compose.scale.yaml")
    assert "replicas: ${STAMPCARD_APPS:-4}" in scaled["app"]
    assert "synchronous_commit=off" not in scaled["database"]
    assert "networks: [back]" in scaled["database"]


@pytest.mark.parametrize("file", COMPOSE)
def test_docker_compose_itself_accepts_the_file(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_compose():
        pytest.skip("NO `docker compose` HERE: the compose files were not parsed by it")
    monkeypatch.setenv("STAMPCARD_PUBLIC_URL", "https://stamps.example.jp")
    command = ["docker", "compose", "-f", str(DOCKER / file), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def has_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    command = ["docker", "compose", "version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


# --- the proxy ------------------------------------------------------------------


def test_the_proxy_has_deadlines_and_limits_and_forwards_to_the_app() -> None:
    text = (DOCKER / "Caddyfile").read_text()
    for line in ("read_header 10s", "read_body 30s", "max_size 1MiB", "name app"):
        assert line in text
    assert f"port {instructions('EXPOSE')[0]}\n" in text
    assert "{$STAMPCARD_PUBLIC_URL} {" in text
    # Addresses carry tokens: neither in a request log nor in errors.
    assert "request>uri delete" in text
    assert text.count("{") == text.count("}")


def test_caddy_itself_accepts_the_file() -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("NO caddy HERE: the Caddyfile was not parsed by it")
    done = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", "Caddyfile"],
        cwd=DOCKER,
        env={
            "STAMPCARD_PUBLIC_URL": "https://stamps.example.jp",
            "HOME": "/nonexistent",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
