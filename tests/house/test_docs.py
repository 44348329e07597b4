"""Docs that cannot lie: what is there is documented, and what is documented is there and runs."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main
from assetgraph_server import cli, demo
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from assetgraph_server.schema import schema
from graphql import OperationDefinitionNode, parse, validate
from graphql.execution import get_variable_values
from serving import serving

from assetgraph.catalog import tokens
from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.inventory.discover import REASONS
from assetgraph.jobs.worker import Worker
from assetgraph.settings import Settings

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split("\n")[:-1]
PAGES = {name: (ROOT / name).read_text() for name in TRACKED if name.endswith(".md") and not name.startswith("tests/")}
README = PAGES["README.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of one language."""
    return [body for name, body in BLOCK.findall(page) if name == language]


def commands(page: str) -> Iterator[list[str]]:
    """Yield the `assetgraph` commands of a page's shell blocks, as argument lists."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if "assetgraph" in words:
                yield words[words.index("assetgraph") + 1 :]


def leaves(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Return the commands that do something, by their words."""
    if not hasattr(command, "commands"):
        return {path: command}
    found: dict[tuple[str, ...], Any] = {}
    for name, below in command.commands.items():
        found |= leaves(below, (*path, name))
    return found


COMMANDS = leaves(typer.main.get_command(cli.app))


def test_every_command_is_documented() -> None:
    """Each appears as it is typed."""
    text = "\n".join(PAGES.values())
    shown = {path: " ".join(path).replace("lineage show", "lineage") for path in COMMANDS}
    assert [path for path, words in shown.items() if f"assetgraph {words}" not in text] == []


def test_every_documented_command_and_option_exists() -> None:
    """Shell blocks of all pages."""
    wrong, seen = [], 0
    for name, page in PAGES.items():
        for typed in commands(page):
            # `lineage URN` means `lineage show URN`.
            shorthand = typed[0] == "lineage" and tuple(typed[:2]) not in COMMANDS
            words = ["lineage", "show", *typed[1:]] if shorthand else typed
            found = [path for path in COMMANDS if tuple(words[: len(path)]) == path]
            if not found:
                wrong.append(f"{name}: assetgraph {' '.join(words)}")
                continue
            seen += 1
            options = {flag for one in COMMANDS[found[0]].params for flag in (*one.opts, *one.secondary_opts)}
            used = {word.partition("=")[0] for word in words if word.startswith("--")}
            wrong += [f"{name}: {' '.join(found[0])} has no {flag}" for flag in used - options - {"--help"}]
    assert wrong == []
    assert seen >= 8


def test_every_setting_stands_in_the_table_with_its_default() -> None:
    """And the table names none that does not exist."""
    rows = dict(re.findall(r"^\| `(ASSETGRAPH_\w+)` \| (.+?) \|", README, re.MULTILINE))
    assert set(rows) == {f"ASSETGRAPH_{name.upper()}" for name in Settings.model_fields}
    spoken = {"ASSETGRAPH_HOME": "`~/.assetgraph`", "ASSETGRAPH_DATABASE_URL": "SQLite in `ASSETGRAPH_HOME`",
              "ASSETGRAPH_SCAN_ROOTS": "none", "ASSETGRAPH_SCAN_URLS": "none", "ASSETGRAPH_SCAN_DATABASES": "none",
              "ASSETGRAPH_OPENLINEAGE_URL": "none",
              "ASSETGRAPH_OPENLINEAGE_API_KEY": "none", "ASSETGRAPH_OPENLINEAGE_FILE": "none",
              "ASSETGRAPH_PROPOSAL_URL": "none", "ASSETGRAPH_PROPOSAL_MODEL": "none",
              "ASSETGRAPH_PROPOSAL_API_KEY": "none"}  # fmt: skip
    for name, field in Settings.model_fields.items():
        variable = f"ASSETGRAPH_{name.upper()}"
        assert rows[variable] == spoken.get(variable, f"`{field.default}`")


def test_every_code_of_a_finding_is_explained() -> None:
    """On the page about sources, and no other."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|", PAGES["docs/howto/sources.md"], re.MULTILINE)
    assert set(rows) == {*REASONS, "INVALID"}


def test_no_page_names_a_setting_that_does_not_exist() -> None:
    """Also in the how-tos."""
    known = {f"ASSETGRAPH_{name.upper()}" for name in Settings.model_fields} | {"ASSETGRAPH_URL"}
    wrong = {found for page in PAGES.values() for found in re.findall(r"\bASSETGRAPH_[A-Z_]+\b", page)} - known
    assert wrong == set()


def test_every_metric_is_documented(tmp_path: Path) -> None:
    """Each family that /metrics shows, on the page for operators."""
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'a.db'}", home=tmp_path)
    migrate.upgrade(settings.url)
    database = Database(settings.url)
    with database.transaction("test") as session:
        _, token = tokens.create(session, "t", tokens.Role.READER)
    with serving(create_app(settings, database)) as address:
        text = httpx.get(f"http://{address}/metrics", headers={"Authorization": f"Bearer {token}"}).text
    families = [name for name in re.findall(r"^# HELP (\w+)", text, re.MULTILINE) if not name.endswith("_created")]
    assert len(families) >= 3
    assert [name for name in families if f"`{name}`" not in PAGES["docs/howto/operations.md"]] == []


def test_every_graphql_example_is_valid() -> None:
    """All pages, against the schema that is served."""
    wrong, seen = [], 0
    for name, page in PAGES.items():
        for block in blocks(page, "graphql"):
            seen += 1
            wrong += [f"{name}: {error.message}" for error in validate(schema._schema, parse(block))]
    assert wrong == []
    assert seen >= 10


def test_the_variables_beside_an_example_fit_it() -> None:
    """A json block right after a graphql block holds its variables; on howto pages."""
    pattern = re.compile(r"^```graphql\n((?:(?!```).)*)^```\n+```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    wrong, seen = [], 0
    for name, page in PAGES.items():
        for query, variables in pattern.findall(page) if name.startswith("docs/howto/") else ():
            [operation] = parse(query).definitions
            assert isinstance(operation, OperationDefinitionNode)
            found = get_variable_values(schema._schema, operation.variable_definitions or (), json.loads(variables))
            wrong += [f"{name}: {error.message}" for error in found] if isinstance(found, list) else []
            seen += 1
    assert wrong == []
    assert seen >= 5


def test_the_python_examples_run(tmp_path: Path) -> None:
    """Each block by itself, beside the sample data."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    seen = 0
    for page in PAGES.values():
        for block in blocks(page, "python"):
            done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert done.stdout
            seen += 1
    assert seen >= 2


def test_links_between_pages_lead_somewhere() -> None:
    """Relative ones; no network is asked."""
    wrong = []
    for name, page in PAGES.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", page):
            if "://" not in target and not target.startswith("#"):
                there = ROOT / Path(name).parent / target.partition("#")[0]
                wrong += [] if there.exists() else [f"{name}: {target}"]
    assert wrong == []


def test_no_registry_and_no_machine_is_named() -> None:
    """Whoever builds this has registries and folders of their own."""
    # Written so that it does not find itself.
    banned = re.compile(r"index[-]url|pypi[.]org|python[h]osted|registry[.]npmjs|deb[.]debian|/[w]ork/|/[r]oot/")
    wrong = []
    for name in TRACKED:
        path = ROOT / name
        if name.startswith("server/assetgraph_server/web/graphiql/"):
            continue  # built from sources that other people wrote
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        wrong += [f"{name}: {found.group()}" for found in banned.finditer(text)]
    assert wrong == []


def plain(text: str) -> list[str]:
    """Return lines without what differs from run to run or with the width of the screen."""
    masked = re.sub(r"\b[0-9a-f]{8}\b", "#", re.sub(r"\d+\.\d+", "N", text))
    return [re.sub(r"[─━]+|\s+", " ", line).strip() for line in masked.splitlines() if line.strip()]


def test_the_screen_in_the_readme_is_what_the_demo_prints(tmp_path: Path) -> None:
    """Each line, in the order shown; numbers with a fraction may differ."""
    command = [sys.executable, "-m", "assetgraph_server.cli", "demo", "--once"]
    environment = {**os.environ, "HOME": str(tmp_path), "NO_COLOR": "1"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    printed = iter(plain(done.stdout))
    [screen] = [block for block in blocks(README, "text") if "Schema drift" in block]
    assert [line for line in plain(screen) if line not in printed] == []
    chain = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("   -> ")]
    assert chain == ["source", "dataset", "dataset", "run", "dataset", "run", "model", "recommendation", "feedback",
                     "run", "dataset", "run", "model"]  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A service in which the demo's loop was run; gives its address and a token."""
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'a.db'}", home=tmp_path / "home", scan_roots=(incoming,),
        poll_seconds=0.1, log_level="ERROR",
    )  # fmt: skip
    migrate.upgrade(settings.url)
    database = Database(settings.url)
    with database.transaction("test") as session:
        _, token = tokens.create(session, "t", tokens.Role.ADMIN)
    stop = threading.Event()
    thread = threading.Thread(target=Worker(settings).run, args=(stop,))
    thread.start()
    with serving(create_app(settings, database)) as address:
        client = Client(f"http://{address}", token)
        demo.Demo(client, incoming).run()
        client.close()
        yield f"http://{address}", token
    stop.set()
    thread.join()


def test_the_readme_s_query_has_the_answer_shown_and_its_curl_works(shop: tuple[str, str]) -> None:
    """On the demo's data, over HTTP."""
    address, token = shop
    client = Client(address, token)
    [query], [answer] = blocks(README, "graphql"), blocks(README, "json")
    assert client.execute(query) == json.loads(answer)
    client.close()
    [curl] = [block for block in blocks(README, "sh") if "curl" in block]
    environment = {**os.environ, "ASSETGRAPH_URL": address, "TOKEN": token}
    said = subprocess.run(["bash", "-euc", curl], env=environment, check=True, capture_output=True, text=True).stdout
    assert json.loads(said) == {"data": {"viewer": {"name": "t", "roles": ["admin"]}}}


def test_the_readme_s_commands_run(tmp_path: Path) -> None:
    """The block of commands that need no server, in the checkout."""
    [block] = [block for block in blocks(README, "sh") if "assetgraph scan" in block]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "ASSETGRAPH_HOME": str(tmp_path), "PATH": path}
    done = subprocess.run(["bash", "-euc", block], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "ndcg@10" in done.stdout
    assert "HAND WARMER" in done.stdout
