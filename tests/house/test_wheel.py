"""The wheel, built from the tree and installed in a bare environment: it migrates, serves, and shows the page."""

import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from assetgraph_server.launch import free_port

ROOT = Path(__file__).parents[2]
QUERY = {"query": "{ viewer { name roles } datasets { totalCount } }"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it with what it needs, and nothing else, into a new environment."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    pip = [str(folder / "venv" / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), str(wheel)], check=True)
    return folder / "venv" / "bin" / "assetgraph"


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """An environment that knows nothing of the checkout."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {**kept, "HOME": str(tmp_path), "ASSETGRAPH_HOME": str(tmp_path / "home")}


@pytest.fixture
def serving(installed: Path, elsewhere: dict[str, str], tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Run `assetgraph serve` of the wheel; gives its address and the admin token that it printed."""
    command = [str(installed), "serve", "--port", str(free_port())]
    process = subprocess.Popen(command, cwd=tmp_path, env=elsewhere, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = re.search(r"http://\S+", process.stdout.readline())
        token = process.stdout.readline().split()[-1]
        assert address is not None
        with httpx.Client(transport=httpx.HTTPTransport(retries=20)) as http:
            assert http.get(f"{address[0]}/healthz", timeout=60).json() == {"status": "ok"}
        yield address[0], token
    finally:
        process.terminate()
        process.wait(20)


def test_it_migrates_and_says_so(installed: Path, elsewhere: dict[str, str], tmp_path: Path) -> None:
    """From an empty folder to the newest revision, with the wheel's own migrations."""
    for arguments in (["db", "upgrade"], ["db", "current"]):
        said = subprocess.run([str(installed), *arguments], cwd=tmp_path, env=elsewhere, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
    revision = re.fullmatch(r"(\w+) \(newest: (\w+)\)\n", said.stdout)
    assert revision is not None
    assert revision[1] == revision[2]


def test_it_answers_and_shows_the_pages(serving: tuple[str, str], tmp_path: Path) -> None:
    """GraphQL, readiness, metrics, the page, GraphiQL with its own files; the token is kept for its owner alone."""
    address, token = serving
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}) as http:
        answer = http.post("/graphql", json=QUERY).json()
        assert answer == {"data": {"viewer": {"name": "admin", "roles": ["admin"]}, "datasets": {"totalCount": 0}}}
        assert http.get("/readyz").json()["status"] == "ok"
        assert "assetgraph_jobs_open 0.0" in http.get("/metrics").text
    page = httpx.get(address + "/")
    assert "assetgraph" in page.text
    graphiql = httpx.get(address + "/graphql", headers={"Accept": "text/html"}).text
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', graphiql)
    assert {Path(name).suffix for name in files} >= {".js", ".css"}
    for name in files:
        assert httpx.get(address + name).status_code == 200
    kept = tmp_path / "home" / "admin-token"
    assert (kept.read_text().strip(), kept.stat().st_mode & 0o777) == (token, 0o600)


def test_it_brings_the_demo_s_data_with_its_attribution(installed: Path) -> None:
    """The demo runs from the wheel alone; whoever gets the data gets its licence."""
    [package] = installed.parents[1].glob("lib/python3.*/site-packages/assetgraph_server")
    assert len(list((package / "demo_data").glob("*.parquet"))) == 2
    assert "CC BY 4.0" in (package / "demo_data" / "README.md").read_text()
    assert (package / "schema.graphql").read_text() == (ROOT / "schema.graphql").read_text()
