"""Settings, read once from the environment (ASSETGRAPH_*) and frozen."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that an operator can set; each field is the variable ASSETGRAPH_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="ASSETGRAPH_", frozen=True, extra="ignore")

    home: Path = Field(default=Path("~/.assetgraph"), description="folder of the embedded database, artifacts, exports")
    database_url: str = Field(default="", description="SQLAlchemy URL; empty: SQLite in ASSETGRAPH_HOME")
    scan_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="folders that sources may lie in, separated by ':'; everything else is refused"
    )
    scan_urls: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        description="buckets that sources may lie in, separated by spaces: URL prefixes such as s3://lake/raw, each "
        "with '=env:NAME' or '=file:/path' where its store's options and credentials are not the environment's own",
    )
    scan_databases: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        description="databases that may be scanned, separated by spaces: name=env:NAME or name=file:/path, where the "
        "variable or file holds the URL",
    )
    scan_inflated_bytes: int = Field(
        default=8 << 30, gt=0, description="bytes that a dataset may come to when it is inflated, rewritten or fetched"
    )
    scan_memory_bytes: int = Field(
        default=8 << 30, ge=256 << 20, description="memory that reading a dataset may add; more makes it a finding"
    )
    scan_stall_seconds: float = Field(
        default=1800, gt=0, description="a dataset that is read this long without progress becomes a finding"
    )
    scan_parallel: int = Field(default=2, ge=1, le=64, description="files of a dataset that a scan reads at once")
    host: str = Field(default="127.0.0.1", description="address that serve binds")
    port: int = Field(default=8000, ge=0, le=65535, description="port that serve binds")
    lease_seconds: float = Field(default=15.0, gt=0, description="a job whose worker is silent this long is taken over")
    poll_seconds: float = Field(default=0.5, gt=0, description="how often an idle worker looks for a job")
    max_attempts: int = Field(default=3, ge=1, description="attempts before a job whose worker dies counts as failed")
    edge_ttl_days: int = Field(
        default=0, ge=0, le=36_500, description="edges that nobody says for this many days close; 0: never"
    )
    openlineage_url: str = Field(
        default="", description="full URL that events of the service's own runs are POSTed to; empty: nowhere"
    )
    openlineage_api_key: str = Field(default="", repr=False, description="sent there as a bearer token; empty: none")
    openlineage_file: str = Field(default="", description="file that such events are appended to, one JSON a line")
    proposal_url: str = Field(
        default="", description="base URL of an OpenAI-compatible endpoint that proposals ask, .../v1; empty: none"
    )
    proposal_model: str = Field(default="", description="the model that it is asked for")
    proposal_api_key: str = Field(
        default="", description="env:NAME or file:/path where its key is, sent as a bearer token; empty: none"
    )
    proposal_values: bool = Field(
        default=False, description="also send frequent values of columns without personal data"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", description="least severe level that is logged"
    )
    log_json: bool = Field(default=False, description="log one JSON object per line instead of text for people")

    @field_validator("scan_roots", mode="before")
    @classmethod
    def _split_roots(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(Path(part) for part in value.split(":") if part.strip())
        return value

    @field_validator("scan_urls", "scan_databases", mode="before")
    @classmethod
    def _split_references(cls, value: object) -> object:
        if isinstance(value, str):
            pairs = [part.partition("=") for part in value.split()]
            return {name: reference for name, _, reference in pairs}
        return value

    @field_validator("scan_urls")
    @classmethod
    def _check_urls(cls, value: dict[str, str]) -> dict[str, str]:
        for prefix, reference in value.items():
            if not prefix.startswith(("s3://", "gs://", "az://")) or "@" in prefix:
                raise ValueError("write prefixes like s3://bucket/folder, without credentials")
            if reference and not reference.startswith(("env:", "file:")):
                raise ValueError("refer to credentials by env:NAME or file:/path; never write them here")
        return value

    @field_validator("scan_databases")
    @classmethod
    def _check_databases(cls, value: dict[str, str]) -> dict[str, str]:
        for name, reference in value.items():
            if not name or "/" in name or not reference.startswith(("env:", "file:")):
                raise ValueError("write databases like shop=env:SHOP_DATABASE_URL; never write a URL here")
        return value

    @field_validator("proposal_api_key")
    @classmethod
    def _check_key(cls, value: str) -> str:
        if value and not value.startswith(("env:", "file:")):
            raise ValueError("refer to the key by env:NAME or file:/path; never write it here")
        return value

    @field_validator("proposal_url")
    @classmethod
    def _check_endpoint(cls, value: str) -> str:
        if value and (not value.startswith(("http://", "https://")) or "@" in value or "?" in value):
            raise ValueError("write the base URL of the endpoint like https://host/v1, without credentials")
        return value

    @field_validator("openlineage_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("write the full URL of the endpoint, http://... or https://...")
        return value

    @field_validator("home")
    @classmethod
    def _expand_home(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @property
    def url(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.home / 'assetgraph.db'}"

    @property
    def embedded(self) -> bool:
        """Whether the database is SQLite in a file: one machine, a worker beside the server."""
        return self.url.startswith("sqlite")

    @property
    def artifacts(self) -> Path:
        """Folder of the model artifacts."""
        return self.home / "artifacts"

    @property
    def exports(self) -> Path:
        """Folder of the datasets that the service itself writes."""
        return self.home / "exports"

    @property
    def prepared(self) -> Path:
        """Folder of the datasets that preparations write."""
        return self.home / "prepared"
