"""Which paths the service opens: below an allow-listed root after realpath, and nothing else."""

from pathlib import Path

import pytest

from assetgraph.db.engine import Database
from assetgraph.db.paths import allowed_path, readable_path
from assetgraph.errors import Forbidden, Invalid, Unavailable
from assetgraph.settings import Settings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed folder beside a secret one, with links that lead out, around, and inside."""
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    (allowed / "inner").mkdir(parents=True)
    secret.mkdir()
    (allowed / "out").symlink_to(secret)
    (allowed / "loop").symlink_to(allowed / "loop")
    (allowed / "in").symlink_to(allowed / "inner")
    return allowed


def test_what_lies_below_is_allowed_under_its_real_name(root: Path) -> None:
    """Links inside are followed."""
    assert allowed_path(str(root / "in" / "a.csv"), [root]) == root / "inner" / "a.csv"
    assert allowed_path(f"file://{root}", [root]) == root


@pytest.mark.parametrize("place", ["out", "out/a.csv", "..", "inner/../../secret", "../allowed-too"])
def test_what_leads_out_is_forbidden(root: Path, place: str) -> None:
    """By links or by dots; the message names the setting and the allowed folders."""
    with pytest.raises(Forbidden, match=r"ASSETGRAPH_SCAN_ROOTS.*allowed"):
        allowed_path(str(root / place), [root])


@pytest.mark.parametrize("text", ["", "  ", "a\0b", "s3://bucket/x", "~nosuchuser/x", "LOOP", "x" * 300])
def test_what_is_no_path_is_refused(root: Path, text: str) -> None:
    """Nothing is opened and nothing crashes."""
    with pytest.raises((Invalid, Forbidden)) as refused:
        allowed_path(text.replace("LOOP", f"{root}/loop/x"), [root])
    assert refused.value.path == ("location",)


def test_without_roots_only_the_service_s_own_exports_are_read(tmp_path: Path) -> None:
    """Deny by default."""
    settings = Settings(home=tmp_path)
    assert readable_path(str(settings.exports / "a.parquet"), settings) == settings.exports / "a.parquet"
    with pytest.raises(Forbidden):
        readable_path(str(tmp_path / "a.parquet"), settings)


@pytest.mark.parametrize(
    ("url", "error"),
    [("nonsense", Invalid), ("mysql://u:hush@h/d", Invalid), ("postgresql://u:hush@127.0.0.1:1/d", Unavailable)],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(url: str, error: type[Exception]) -> None:
    """When it is opened, or first used."""
    with pytest.raises(error) as refused, Database(url).reading():
        pass
    assert "hush" not in str(refused.value)
