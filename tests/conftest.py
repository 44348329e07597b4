"""Fixtures: a migrated database of each kind for each test, copied from a template; settings; the sample data."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import binaries, running_postgres
from sqlalchemy import create_engine, text

from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.lineage.index import GraphIndex
from assetgraph.settings import Settings

DATA = Path(__file__).parent / "data"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running PostgreSQL with a migrated template database."""
    if binaries() is None:
        pytest.skip("no PostgreSQL binaries (initdb, pg_ctl) on this machine; .ci/run installs Debian's")
    with running_postgres(tmp_path_factory.mktemp("postgres")) as address:
        admin = create_engine(f"{address}/postgres", isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("CREATE DATABASE template_assetgraph"))
        migrate.upgrade(f"{address}/template_assetgraph")
        admin.dispose()
        yield address


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, migrated PostgreSQL database."""
    name = f"test_{next(_numbers)}"
    admin = create_engine(f"{postgres_server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template_assetgraph"))
    yield f"{postgres_server}/{name}"
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite database."""
    path = tmp_path / "home" / "assetgraph.db"
    path.parent.mkdir()
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Every test that asks for it runs on both databases."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def scratch(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database that many examples of random graphs share: one each would cost more than the example."""
    path = tmp_path_factory.mktemp("scratch") / "a.db"
    shutil.copyfile(sqlite_template, path)
    opened = Database(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def shared() -> GraphIndex:
    """One lineage index that follows all examples in `scratch`."""
    return GraphIndex()


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """An allow-listed folder for files to scan."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(database_url: str, tmp_path: Path, incoming: Path) -> Settings:
    """Settings of a service on the test's database, quick to notice dead workers."""
    home = tmp_path / "home"
    return Settings(
        database_url=database_url, home=home, scan_roots=(incoming,), lease_seconds=2, poll_seconds=0.1,
        log_level="ERROR",
    )  # fmt: skip


@pytest.fixture
def retail() -> Path:
    """The real Online Retail files."""
    return DATA / "online_retail"
