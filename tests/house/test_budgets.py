"""Size budgets: what grows past them wants another shape."""

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = [
    ROOT / name
    for name in subprocess.check_output(["git", "ls-files", "*.py"], cwd=ROOT, text=True).split()
    if not name.startswith("migrations/versions/")
]


def test_files_lines_and_functions_stay_small() -> None:
    """File <= 400 lines, line <= 120 characters, function <= 60 lines."""
    wrong = []
    for path in FILES:
        lines = path.read_text().splitlines()
        if len(lines) > 400:
            wrong.append(f"{path}: {len(lines)} lines")
        wrong += [f"{path}:{i}: {len(line)} characters" for i, line in enumerate(lines, 1) if len(line) > 120]
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > 60:
                    wrong.append(f"{path}:{node.lineno} {node.name}: {length} lines")
    assert len(FILES) > 80
    assert wrong == []
