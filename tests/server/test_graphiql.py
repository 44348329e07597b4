"""The pages: served offline, under a strict policy, without data."""

import re
from collections.abc import Iterator
from pathlib import Path

import assetgraph_server.page
import httpx
import pytest
from tiny_graphql import Tokens, make_app, serving

WEB = Path(assetgraph_server.page.__file__).parent / "web"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(scope="module")
def browser() -> Iterator[httpx.Client]:
    """Give a client without a token that accepts what browsers accept."""
    with (
        serving(make_app(Tokens())) as address,
        httpx.Client(base_url=f"http://{address}", headers={"accept": BROWSER}) as client,
    ):
        yield client


@pytest.mark.parametrize("path", ["/", "/graphql", "/graphql?query={__typename}"])
def test_page_and_all_that_it_names_are_served_here(browser: httpx.Client, path: str) -> None:
    """Every script, style and link of a page is a path of this server that answers, and no script stands inline."""
    page = browser.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    names = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert names
    for name in names:
        assert name.startswith("/")
        assert not name.startswith("//")
        assert browser.get(name).status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|<style", page.text)


@pytest.mark.parametrize("path", ["/", "/graphql", "/static/graphiql/graphiql.js", "/static/page.css"])
def test_security_headers_are_strict(browser: httpx.Client, path: str) -> None:
    """No page may load from elsewhere, run inline script, be framed or be sniffed."""
    headers = browser.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert "script-src" not in policy
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


def test_bundle_is_small_and_names_no_content_network() -> None:
    """The built files stay below 2 MB together and load no code from a content network."""
    files = [path for path in WEB.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2_000_000
    for path in files:
        if path.suffix in (".html", ".css", ".js"):
            assert not re.search(
                r"https?://[^\s\"']*(unpkg|jsdelivr|cdnjs|esm\.sh|googleapis)|@import", path.read_text(encoding="utf-8")
            ), path
    style = (WEB / "graphiql" / "graphiql.css").read_text(encoding="utf-8")
    assert not re.search(r"url\(\s*[\"']?(?!data:)[^)#]", style)


def test_page_needs_no_token_but_a_query_by_get_does(browser: httpx.Client) -> None:
    """HTML is all that an anonymous GET receives, whatever query it carries."""
    anonymous = browser.get("/graphql", params={"query": "{ hello }"})
    assert "hello world" not in anonymous.text
    refused = browser.get("/graphql", params={"query": "{ hello }"}, headers={"accept": "application/json"})
    assert refused.status_code == 401
