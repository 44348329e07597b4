"""Walks drawn for a terminal, or as JSON."""

from typing import Any

from rich.tree import Tree

from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind, urn
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage.walk import NodeRef, WalkResult


def names_of(session: Session, result: WalkResult) -> dict[NodeRef, str]:
    """Return the urn of each stored node, and the key of each computed one."""
    computed = (AssetKind.RECOMMENDATION, AssetKind.FEEDBACK)
    stored = [int(node.ref.key) for node in result.nodes if node.ref.kind not in computed]
    rows = lineage_queries.assets_by_ids(session, stored)
    names = {}
    for node in result.nodes:
        row = None if node.ref.kind in computed else rows.get(int(node.ref.key))
        names[node.ref] = node.ref.key if row is None else urn(row.kind, row.namespace, row.key)
    return names


def as_json_walk(result: WalkResult, names: dict[NodeRef, str]) -> dict[str, Any]:
    """Return a walk as JSON holds it."""
    nodes = [{"kind": node.ref.kind, "name": names[node.ref], "distance": node.distance} for node in result.nodes]
    edges = [
        {"source": names.get(edge.source), "kind": edge.kind, "target": names.get(edge.target)} for edge in result.edges
    ]
    return {"nodes": nodes, "edges": edges, "truncated": result.truncated, "reason": result.reason}


def as_tree(result: WalkResult, names: dict[NodeRef, str], *, upstream: bool) -> Tree:
    """Draw a walk as a tree: each node once, where it was met first."""
    beside: dict[NodeRef, list[NodeRef]] = {}
    for edge in result.edges:
        near, far = (edge.target, edge.source) if upstream else (edge.source, edge.target)
        beside.setdefault(near, []).append(far)
    root = Tree(f"{result.root.kind.value} {names[result.root]}")
    drawn = {result.root}
    queue = [(result.root, root)]
    while queue:
        ref, branch = queue.pop(0)
        for far in beside.get(ref, ()):
            if far not in drawn:
                drawn.add(far)
                queue.append((far, branch.add(f"{far.kind.value} {names[far]}")))
    return root
