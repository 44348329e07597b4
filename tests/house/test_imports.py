"""Imports run one way; heavy and outer libraries stay where they belong."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "assetgraph"
RANKS = {
    "__version__": 0, "clock": 0, "compiled": 0, "compiling": 0, "errors": 0, "ids": 0, "settings": 0,
    "db": 1, "changes": 2, "catalog": 3, "lineage": 4, "quality": 4,
    "jobs": 5, "openlineage": 6, "inventory": 6, "factorization": 6, "recommendations": 7, "feedback": 8, "work": 9,
}  # fmt: skip
#: Slices of one rank that may not see each other, but for the engine that exports share with scans.
SIBLINGS = {("lineage", "quality"), ("inventory", "factorization"), ("openlineage", "inventory")}


def imports(path: Path) -> Iterator[tuple[str, list[str], int, bool]]:
    """Yield (module, names, line, inside a function) of every import."""
    tree = ast.parse(path.read_text())
    inner = {id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
             for node in ast.walk(function)}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, [], node.lineno, id(node) in inner
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [alias.name for alias in node.names], node.lineno, id(node) in inner


def test_slices_import_only_downwards() -> None:
    """DESIGN section 2's order, function-local imports counted; db/metadata.py is the one exception."""
    wrong = []
    for path in SRC.rglob("*.py"):
        own = path.relative_to(SRC).parts[0].removesuffix(".py")
        if own == "__init__" or path == SRC / "db" / "metadata.py":
            continue
        for module, names, line, _ in imports(path):
            if module.split(".")[0] == "assetgraph_server":
                wrong.append(f"{path}:{line} imports the server")
            if module.split(".")[0] != "assetgraph":
                continue
            targets = [module.split(".")[1]] if "." in module else names
            for target in targets:
                if target == own:
                    continue
                sibling = (own, target) in SIBLINGS or (target, own) in SIBLINGS
                if RANKS[target] > RANKS[own] or sibling:
                    wrong.append(f"{path}:{line} {own} imports {target}")
    assert wrong == []


def test_outer_libraries_stay_in_their_place() -> None:
    """Web libraries in the server, alembic in db/migrate.py, cupy in one module and there inside functions."""
    wrong = []
    for path in SRC.rglob("*.py"):
        for module, _, line, local in imports(path):
            top = module.split(".")[0]
            if top in ("strawberry", "starlette", "uvicorn", "graphql"):
                wrong.append(f"{path}:{line} {top}")
            if top == "alembic" and path != SRC / "db" / "migrate.py":
                wrong.append(f"{path}:{line} {top}")
            if top == "cupy" and not (path == SRC / "factorization" / "arrays.py" and local):
                wrong.append(f"{path}:{line} {top}")
            if top in ("pickle", "joblib", "dill", "marshal", "shelve"):
                wrong.append(f"{path}:{line} {top}")
    assert wrong == []


def test_sql_is_written_in_queries_and_db_only() -> None:
    """select, insert, update, delete and text of SQLAlchemy appear nowhere else in the library."""
    wrong = []
    for path in SRC.rglob("*.py"):
        if path.name.endswith("queries.py") or path.parent.name == "db":  # queries.py, edge_queries.py ...
            continue
        for module, names, line, _ in imports(path):
            verbs = {"select", "insert", "update", "delete", "text"} & set(names)
            if module.startswith("sqlalchemy") and verbs and path.name != "tables.py":
                wrong.append(f"{path}:{line} {sorted(verbs)}")
    assert wrong == []
