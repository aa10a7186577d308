"""Settings: environment, `<NAME>_FILE` for secrets, then the data folder's toml.

The only place that reads the environment.
"""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from core.clock import parse_offset
from core.errors import SettingsError

PREFIX = "STAMPCARD_"


class Settings(BaseSettings):
    """Every setting of the service; CONTRACT names are `STAMPCARD_` + upper case."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = Path("var")
    database_url: str = ""
    public_url: str = "http://localhost:8080"
    secret_key: SecretStr = SecretStr("")
    line_api_url: str = "https://api.line.me"
    line_data_api_url: str = "https://api-data.line.me"
    apns_url: str = "https://api.push.apple.com"
    apns_ca_file: Path | None = None
    google_wallet_url: str = "https://walletobjects.googleapis.com"
    google_token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105
    google_callback_keys_url: str = "https://pay.google.com/gp/m/issuer/keys"
    smtp_url: SecretStr = SecretStr("")
    backup_dir: Path | None = None
    backup_generations: int = Field(default=7, ge=1, le=365)
    log_days: int = Field(default=365, ge=1, le=3650)
    metrics_token: SecretStr = SecretStr("")
    clock_offset: Annotated[timedelta, NoDecode] = timedelta()

    @field_validator("clock_offset", mode="before")
    @classmethod
    def _read_offset(cls, value: object) -> object:
        return parse_offset(value) if isinstance(value, str) else value

    @field_validator("public_url", "line_api_url", "apns_url", "google_wallet_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            msg = "must begin with https:// or http://"
            raise ValueError(msg)
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql+asyncpg://")):
            msg = "must begin with postgresql+asyncpg:// or sqlite:///"
            raise ValueError(msg)
        return value

    @property
    def sqlite_file(self) -> Path:
        """Where the database is kept while no `database_url` names another."""
        return self.data_dir / "stampcard.db"

    @property
    def backups(self) -> Path:
        """The folder of the backup generations."""
        return self.backup_dir or self.data_dir / "backups"

    @property
    def is_https(self) -> bool:
        """True where people reach the service over TLS."""
        return self.public_url.startswith("https://")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over environment, over `_FILE`s, over the toml file."""
        del dotenv_settings, file_secret_settings
        toml = InitSettingsSource(settings_cls, _read_toml(init_settings()))
        files = InitSettingsSource(settings_cls, _read_named_files(settings_cls))
        return init_settings, env_settings, files, toml


def load_settings(**given: Any) -> Settings:
    """Read all settings; `SettingsError` names every problem at once.

    Makes the data folder, and on first start a secret key in it with mode 0600.
    """
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError([_one_line(e) for e in error.errors()]) from None
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if settings.secret_key.get_secret_value():
        return settings
    return settings.model_copy(update={"secret_key": _own_key(settings.data_dir)})


def masked(settings: Settings) -> dict[str, str]:
    """Every setting as text for people, secrets replaced."""
    return {name: str(getattr(settings, name)) for name in Settings.model_fields}


def _own_key(folder: Path) -> SecretStr:
    file = folder / "secret.key"
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return SecretStr(file.read_text().strip())
    with os.fdopen(handle, "w") as stream:
        stream.write(secrets.token_urlsafe(48) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return SecretStr(file.read_text().strip())


def _read_toml(given: dict[str, Any]) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 -- only where a file is there

    folder = Path(given.get("data_dir") or os.environ.get(PREFIX + "DATA_DIR") or "var")
    file = folder / "stampcard.toml"
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{file}: {error}"]) from None


def _read_named_files(settings: type[BaseSettings]) -> dict[str, str]:
    found, problems = {}, []
    for name in settings.model_fields:
        variable = f"{PREFIX}{name.upper()}_FILE"
        path = os.environ.get(variable)
        if not path or name.endswith("_file"):
            continue
        try:
            found[name] = Path(path).read_text().strip()
        except OSError as error:
            problems.append(f"{variable}: cannot read {path}: {error.strerror}")
    if problems:
        raise SettingsError(problems)
    return found


def _one_line(error: Any) -> str:
    name = PREFIX + "_".join(str(part) for part in error["loc"]).upper()
    return f"{name}: {error['msg']}"
