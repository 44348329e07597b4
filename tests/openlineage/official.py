"""Check events against the official schemas: whole, and every standard facet in them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[1] / "data" / "openlineage"
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in FOLDER.rglob("*.json")}
REGISTRY: Registry[Any] = Registry().with_resources(
    [(one["$id"], Resource.from_contents(one)) for one in SCHEMAS.values()]
)


@cache
def _validator(name: str) -> Any:
    return Draft202012Validator(SCHEMAS[name], registry=REGISTRY, format_checker=FormatChecker())


def _facets(event: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return (name of a facet, body) of all facets of an event."""
    parts = [event.get("run", {}), event.get("job", {}), event.get("dataset", {})]
    parts += [*event.get("inputs", ()), *event.get("outputs", ())]
    names = ("facets", "inputFacets", "outputFacets")
    return [item for part in parts for name in names for item in part.get(name, {}).items()]


def check(event: dict[str, Any]) -> None:
    """Raise when an event, or a standard facet in it, is not what the specification says."""
    _validator("OpenLineage").validate(event)
    kind = event["schemaURL"].rpartition("/")[2]
    fits = {"RunEvent": "run" in event, "DatasetEvent": "dataset" in event, "JobEvent": "run" not in event}
    assert fits[kind], f"{kind} does not fit {sorted(event)}"
    for name, body in _facets(event):
        schema = body["_schemaURL"]
        if name.startswith("assetgraph_"):
            assert schema.startswith("urn:assetgraph:facet:")
            continue
        file = schema.rpartition("#")[0].rpartition("/")[2].removesuffix(".json")
        assert SCHEMAS[file]["$id"] == schema.partition("#")[0], f"{name} names another version than {schema}"
        assert name in SCHEMAS[file]["properties"], f"{name} is no facet of {file}"
        _validator(file).validate({name: body})
