"""Settings: read from the environment, secrets masked, mistakes named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pitstop.errors import SettingsError
from pitstop.settings import MIB, Settings, load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of ours is set."""
    for field in Settings.model_fields:
        monkeypatch.delenv(f"PITSTOP_{field.upper()}", raising=False)


def test_defaults() -> None:
    """With nothing set, Pitstop observes into ./.pitstop and has no server of the user's."""
    settings = load_settings()
    assert (settings.enabled, settings.store, settings.store_max_bytes) == (True, Path(".pitstop"), 64 * MIB)
    assert (settings.database_url, settings.redis_url, settings.n_plus_one_allow) == (None, None, [])


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable sets the field of its name."""
    monkeypatch.setenv("PITSTOP_ENABLED", "0")
    monkeypatch.setenv("PITSTOP_STORE", "/var/lib/shop")
    monkeypatch.setenv("PITSTOP_SLOW_REQUEST_MS", "250.5")
    monkeypatch.setenv("PITSTOP_N_PLUS_ONE_ALLOW", '["Post.author", "*/reports/*.py"]')
    settings = load_settings()
    assert (settings.enabled, settings.store, settings.slow_request_ms) == (
        False,
        Path("/var/lib/shop"),
        250.5,
    )
    assert settings.n_plus_one_allow == ["Post.author", "*/reports/*.py"]


def test_every_setting_is_described() -> None:
    """Each field says what it does."""
    assert all(field.description for field in Settings.model_fields.values())


def test_addresses_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither repr nor str nor a dump shows the password; asking for it does."""
    monkeypatch.setenv("PITSTOP_DATABASE_URL", "postgresql://ann:hunter2@db/shop")
    monkeypatch.setenv("PITSTOP_REDIS_URL", "redis://:hunter2@cache")
    settings = load_settings()
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://ann:hunter2@db/shop"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STORE_MAX_BYTES", "many"),
        ("STORE_MAX_BYTES", "1000"),
        ("SLOW_REQUEST_MS", "0"),
        ("SLOW_STATEMENT_MS", "-1"),
        ("N_PLUS_ONE_THRESHOLD", "1"),
        ("ENABLED", "perhaps"),
        ("N_PLUS_ONE_ALLOW", '{"a": 1}'),
    ],
)
def test_a_value_that_cannot_work_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """The error is ours, on one line, with the name of the variable."""
    monkeypatch.setenv(f"PITSTOP_{name}", value)
    with pytest.raises(SettingsError, match=f"bad settings: PITSTOP_{name}: ") as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wrong variables are mended in one go, and their values are not shown."""
    monkeypatch.setenv("PITSTOP_ENABLED", "hunter2")
    monkeypatch.setenv("PITSTOP_SLOW_REQUEST_MS", "hunter2")
    with pytest.raises(SettingsError, match=r"PITSTOP_ENABLED: .*; PITSTOP_SLOW_REQUEST_MS: ") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_a_list_that_is_no_json_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare pattern instead of a JSON list is an error of ours that shows how to write it."""
    monkeypatch.setenv("PITSTOP_N_PLUS_ONE_ALLOW", "Post.author")
    with pytest.raises(SettingsError, match=r"n_plus_one_allow.*write a JSON list"):
        load_settings()


def test_settings_do_not_change() -> None:
    """What was read stays: a room that was given a value and the settings never differ."""
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().enabled = False  # type: ignore[misc]
