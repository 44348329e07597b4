"""The command line as people and programs use it: tables or JSON, one clear line on errors, exit codes."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from assetgraph_server.launch import environment, free_port

from assetgraph.settings import Settings

Done = subprocess.CompletedProcess[str]


class Cli:
    """Runs commands on one database."""

    def __init__(self, settings: Settings) -> None:
        self.environment = {**environment(settings), "COLUMNS": "160", "NO_COLOR": "1"}

    def run(self, *arguments: str) -> Done:
        """Run a command to its end."""
        command = [sys.executable, "-m", "assetgraph_server.cli", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120)

    def json(self, *arguments: str) -> Any:
        """Run a command that prints JSON, and nothing else, on standard output."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def cli(settings: Settings) -> Cli:
    """The command line on the test's database."""
    return Cli(settings)


def test_scan_train_recommend_and_lineage_from_the_shell(cli: Cli, incoming: Path, retail: Path) -> None:
    """The loop's commands, each in a process of its own, with JSON for programs and a table for people."""
    shutil.copyfile(retail / "online_retail_full_no_invoice.parquet", incoming / "retail.parquet")
    (incoming / "broken.csv").write_bytes(b"")
    [scanned] = cli.json("scan", str(incoming), "--namespace", "shop")
    assert (scanned["dataset"], scanned["rows"]) == ("retail@1", 541_909)
    again = cli.run("scan", str(incoming), "--namespace", "shop")
    assert "retail@1" in again.stdout
    assert "broken: 'broken.csv' is empty" in again.stderr

    columns = ("--user", "CustomerID", "--item", "Description", "--value", "Quantity")
    trained = cli.json("train", "retail", "--namespace", "shop", "--model", "m", *columns, "--iterations", "4")
    assert {one["metric"] for one in trained} >= {"ndcg@10", "popularity_ndcg@10"}
    items = cli.json("recommend", "m", "--namespace", "shop", "--user", "17850", "--first", "3")
    assert [one["rank"] for one in items] == [1, 2, 3]
    assert "17850" in cli.run("recommend", "m", "--namespace", "shop", "--user", "17850").stdout

    urn = "urn:assetgraph:model_version:shop:m@1"
    walked = cli.json("lineage", urn)
    assert walked["nodes"][0]["kind"] == "MODEL_VERSION"
    assert {node["kind"] for node in walked["nodes"]} >= {"SOURCE", "DATASET", "DATASET_VERSION", "RUN", "MODEL"}
    assert walked["truncated"] is False
    [checked] = cli.json("lineage", "check")
    assert checked["differing"] == 0
    assert checked["walked"] >= 8
    tree = cli.run("lineage", urn, "--depth", "2").stdout
    assert tree.splitlines()[0] == f"MODEL_VERSION {urn}"
    assert "DATASET_VERSION urn:assetgraph:dataset_version:shop:retail@1" in tree


def test_prepare_from_the_shell(cli: Cli, incoming: Path) -> None:
    """Rules as options; the counts come back, the parts are datasets that training reads."""
    rows = [f"u{number % 9},i{number % 7},{number},2026-01-{number % 28 + 1:02}" for number in range(400)]
    (incoming / "orders.csv").write_text("user,item,n,day\n" + "\n".join([*rows, "u1,,1,2026-01-01", rows[5]]) + "\n")
    cli.json("scan", str(incoming), "--namespace", "shop")
    options = (
        "--text", "item=upper", "--time", "day", "--required", "item", "--exclude", "user=^u8$", "--positive", "n",
        "--outlier", "n=0:0.99", "--unique-by", "user", "--unique-by", "n", "--user", "user", "--item", "item",
        "--split", "time=day", "--scale", "n=z-score",
    )  # fmt: skip
    shown = cli.json("prepare", "orders", "--namespace", "shop", *options)
    metrics = {(one["metric"], one["field"]): one["value"] for one in shown}
    dropped = {name: value for name, value in metrics.items() if name[0].startswith("dropped_") and value}
    assert dropped == {
        ("dropped_null", "item"): 1, ("dropped_pattern", "user"): 44, ("dropped_not_positive", "n"): 1,
        ("dropped_outlier", "n"): 3, ("dropped_duplicate", None): 1,
    }  # fmt: skip
    assert metrics["rows_kept", None] + sum(dropped.values()) == metrics["rows_in", None] == 402
    table = cli.run("prepare", "orders", "--namespace", "shop", *options)
    assert "352 of 402 rows of orders stay" in table.stdout
    model = ("--model", "m", "--user", "user_index", "--item", "item_index", "--iterations", "2", "--factors", "2")
    assert cli.json("train", "orders/train", "--namespace", "shop", *model)
    wrong = cli.run("prepare", "orders", "--namespace", "shop", "--outlier", "n=much")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "--outlier takes COLUMN=LOW:HIGH or COLUMN=MAD:BOUND, not 'n=much'" in wrong.stderr


def test_relate_from_the_shell(cli: Cli, incoming: Path) -> None:
    """Relations as rows, the surest first."""
    (incoming / "customers.csv").write_text("id\n" + "\n".join(f"C{number}" for number in range(50)) + "\n")
    (incoming / "orders.csv").write_text("customer,n\n" + "\n".join(f"C{n % 50},{n % 7}" for n in range(300)) + "\n")
    cli.json("scan", str(incoming), "--namespace", "shop")
    [found] = cli.json("relate", "--namespace", "shop")
    assert (found["kind"], found["from"], found["to"], found["status"]) == (
        "FOREIGN_KEY", "orders.customer", "customers.id", "PROPOSED"
    )  # fmt: skip
    assert "1 relations among 2 datasets" in cli.run("relate", "--namespace", "shop").stdout
    assert "no dataset in namespace 'nothing'" in cli.run("relate", "--namespace", "nothing").stderr


def test_tokens_are_made_listed_and_revoked(cli: Cli) -> None:
    """The token is printed alone and once; the list never shows it."""
    token = cli.run("token", "create", "pipeline", "--role", "producer", "--expires-days", "1").stdout.strip()
    assert token.startswith("ag_")
    [row] = cli.json("token", "list")
    assert (row["name"], row["role"], row["revoked_at"]) == ("pipeline", "producer", None)
    assert token not in cli.run("token", "list").stdout
    assert cli.run("token", "revoke", str(row["id"])).returncode == 0
    assert cli.json("token", "list")[0]["revoked_at"] is not None
    again = cli.run("token", "revoke", str(row["id"]))
    assert again.returncode == 1
    assert again.stderr.startswith("error (NOT_FOUND)")


def test_the_change_log_is_verified_from_the_shell(cli: Cli) -> None:
    """It counts the changes that hold."""
    cli.run("token", "create", "a", "--role", "reader")
    [found] = cli.json("changes", "verify")
    assert (found["checked"], found["broken_at"]) == (1, None)
    assert "Change log" in cli.run("changes", "verify").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["recommend", "nothing", "--namespace", "shop"], 1, "error (NOT_FOUND): no model 'nothing'"),
        (["lineage", "bogus"], 1, "error (INVALID): 'bogus' is not a urn"),
        (["lineage", "urn:assetgraph:dataset:a:b"], 1, "error (NOT_FOUND)"),
        (["scan", "/nowhere", "--namespace", "shop"], 1, "error (NOT_FOUND): '/nowhere' does not exist"),
        (["train", "x", "--namespace", "a", "--model", "m", "--user", "u", "--item", "i"], 1, "error (NOT_FOUND)"),
        (["token", "create", "a", "--role", "king"], 2, "Invalid value for '--role'"),
        (["db", "upgrade", "--database-url", "mysql://u:hush@h/d"], 1, "error (INVALID): 'mysql' is no database"),
        (["db", "current", "--database-url", "postgresql://u:hush@127.0.0.1:1/d"], 1, "error (UNAVAILABLE)"),
    ],
)
def test_errors_are_one_clear_line_and_an_exit_code(
    sqlite_url: str, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    """No traceback, no secret."""
    done = Cli(Settings(database_url=sqlite_url, home=tmp_path / "home")).run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stderr
    assert code == 2 or len(done.stderr.strip().splitlines()) == 1


def test_a_wrong_setting_is_named(sqlite_url: str, tmp_path: Path) -> None:
    """The variable, and what is allowed."""
    cli = Cli(Settings(database_url=sqlite_url, home=tmp_path))
    cli.environment["ASSETGRAPH_LOG_LEVEL"] = "LOUD"
    done = cli.run("token", "list")
    assert done.returncode == 1
    assert "ASSETGRAPH_LOG_LEVEL: Input should be 'DEBUG', 'INFO'" in done.stderr


def test_schema_and_revision_are_printed(cli: Cli) -> None:
    """The schema is that of the file in the tree."""
    root = Path(__file__).parents[2]
    assert cli.run("schema").stdout.strip() == (root / "schema.graphql").read_text().strip()
    current, newest = cli.run("db", "current").stdout.removesuffix(")\n").split(" (newest: ")
    assert cli.run("db", "upgrade").stdout.strip() == current == newest
    assert cli.run("version").stdout.strip().count(".") == 2


def test_serve_makes_one_admin_token_and_ends_with_its_worker(settings: Settings) -> None:
    """Printed once, kept with mode 0600; SIGTERM ends server and worker; the second start prints none."""
    serving = settings.model_copy(update={"port": free_port()})
    command = [sys.executable, "-m", "assetgraph_server.cli", "serve", "--workers", "1"]
    printed = []
    for _ in range(2):
        process = subprocess.Popen(
            command, env=environment(serving), stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert process.stdout is not None
        wait_until_healthy(serving.port)
        workers = children_of(process.pid)
        assert workers
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        printed.append(process.stdout.read())
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    kept = settings.home / "admin-token"
    assert kept.read_text().strip() in printed[0]
    assert "ag_" not in printed[1]
    assert kept.stat().st_mode & 0o777 == 0o600


def wait_until_healthy(port: int) -> None:
    """Wait for the server to answer."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz").is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError("the server did not answer")


def children_of(pid: int) -> list[int]:
    """Return the processes below a process."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found
