"""Puts the embedded model within reach of a test, and of the processes that it starts."""

import sys
from pathlib import Path

import pytest

from assetgraph.inventory.propose import minilm

ROOT = Path(__file__).parents[1]


def model_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the model in the virtual environment that `make test` makes for it; skip where there is none."""
    if not minilm.installed():
        for folder in (ROOT / ".venv-models").glob("lib/python*/site-packages"):
            monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    if not minilm.installed():
        pytest.skip("no .venv-models: `make test` installs the embedded model there")
