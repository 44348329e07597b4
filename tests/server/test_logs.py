"""Logs: they follow standard error wherever it goes, and losing it ends no work."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from assetgraph_server.logs import configure_logs

from assetgraph.settings import Settings


def test_lines_go_to_standard_error_as_it_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is replaced and closed behind the logger's back, as test runners and daemons do."""
    before = structlog.get_config()
    try:
        first, second = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stderr", first)
        configure_logs(Settings(home=tmp_path, log_json=True))
        log = structlog.get_logger("test")
        log.info("one")
        first.close()
        log.info("lost")
        monkeypatch.setattr(sys, "stderr", second)
        log.info("three")
        assert '"event": "three"' in second.getvalue()
        monkeypatch.setattr(sys, "stderr", None)
        log.info("lost too")
    finally:
        structlog.configure(**before)


def test_a_reader_that_went_away_ends_no_work(tmp_path: Path) -> None:
    """A process whose standard error is a pipe that nobody reads any more goes on to its end."""
    program = (
        "import structlog, sys\n"
        "from assetgraph_server.logs import configure_logs\n"
        "from assetgraph.settings import Settings\n"
        "configure_logs(Settings())\n"
        "sys.stdin.readline()\n"
        "for _ in range(3): structlog.get_logger('t').info('nobody hears this')\n"
        "print('done', flush=True)\n"
        "import os; os._exit(0)\n"
    )
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=writing,
        env={**os.environ, "ASSETGRAPH_HOME": str(tmp_path)},
    )  # fmt: skip
    os.close(writing)
    os.close(reading)
    assert process.communicate(b"go\n", timeout=60)[0] == b"done\n"
