"""A private PostgreSQL server for the tests: Debian's binaries, 127.0.0.1, a free port, a folder of its own."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl, newest first, or None."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which("initdb")
    for folder in [*debian, *([Path(found).resolve().parent] if found else [])]:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    return None


def _account() -> str | None:
    """Return whom to run the server as: PostgreSQL refuses root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return None


def _run(command: list[str], account: str | None, folder: Path) -> None:
    subprocess.run(command, check=True, capture_output=True, user=account, cwd=folder, umask=0o077)


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """Yield `postgresql+psycopg://user@127.0.0.1:port`; the server ends with the block."""
    found = binaries()
    assert found is not None
    account = _account()
    # pytest keeps its folders to itself; the server's account needs one that it may enter.
    home = Path(subprocess.check_output(["mktemp", "-d", "/tmp/assetgraph-pg-XXXXXX"], text=True).strip())
    if account is not None:
        shutil.chown(home, account)
    data = home / "data"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    try:
        _run([str(found / "initdb"), "-D", str(data), "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C",
              "--no-sync"], account, home)  # fmt: skip
        options = f"-p {port} -h 127.0.0.1 -k {home} -c fsync=off -c max_connections=200"
        _run([str(found / "pg_ctl"), "-D", str(data), "-l", str(home / "log"), "-w", "-o", options, "start"],
             account, home)  # fmt: skip
        try:
            yield f"postgresql+psycopg://test@127.0.0.1:{port}"
        finally:
            _run([str(found / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"], account, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
