"""Settings of a process, from ``PITSTOP_*`` environment variables. Rooms never read them: ``app``,
``bootstrap`` and the commands do, and hand plain arguments down.
"""

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as ParsingError

from pitstop.errors import SettingsError

__all__ = ["Settings", "load_settings"]

MIB = 1024 * 1024


class Settings(BaseSettings):
    """What can be set from outside; each field is ``PITSTOP_<NAME>``.

    URLs are secrets: they are masked in every ``repr`` and log line.
    """

    model_config = SettingsConfigDict(env_prefix="PITSTOP_", extra="ignore", frozen=True)

    enabled: bool = Field(default=True, description="observe at all; 0 makes every hook a no-op")
    cache_enabled: bool = Field(
        default=True, description="cache at all; 0 calls every cached function, everywhere"
    )
    database_url: SecretStr | None = Field(
        default=None, description="use this PostgreSQL instead of a private one"
    )
    redis_url: SecretStr | None = Field(default=None, description="use this Redis instead of a private one")
    admin_token: SecretStr | None = Field(
        default=None, description="token that a request must carry to change something; none changes nothing"
    )
    store: Path = Field(default=Path(".pitstop"), description="directory of the local record")
    store_max_bytes: int = Field(default=64 * MIB, ge=MIB, description="bound of the local record, bytes")
    slow_request_ms: float = Field(default=500.0, gt=0, description="a request slower than this is a finding")
    slow_statement_ms: float = Field(
        default=100.0,
        gt=0,
        description="a statement slower than this is logged, and a finding if it is so on average",
    )
    n_plus_one_threshold: int = Field(
        default=3, ge=2, description="repeats of one hand-written statement that make an N+1"
    )
    n_plus_one_allow: list[str] = Field(
        default_factory=list,
        description="patterns (fnmatch) of relationships or files whose N+1 are silent",
    )


def load_settings() -> Settings:
    """Read the settings of this process.

    Raises:
        SettingsError: a variable has a value that cannot work; the message names each.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"PITSTOP_{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg'].lower()}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"bad settings: {problems}") from None
    except ParsingError as error:  # a list that is no JSON, told before validation and without its variable
        raise SettingsError(f"bad settings: {error}: write a JSON list, e.g. '[\"Post.author\"]'") from None
