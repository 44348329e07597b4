"""Bounds of one GraphQL operation, measured on the parsed document before validation, so no rule runs on a bomb."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
)

from assetgraph.errors import Limit

_INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds in force: sizes of a request, shape of a document, time of an operation, size of the cache."""

    body_bytes: int = 1024 * 1024
    tokens: int = 2000
    depth: int = 15
    aliases: int = 30
    root_fields: int = 20
    directives: int = 50
    same_name: int = 20
    fields: int = 2000
    seconds: float = 30.0
    #: A subscription's token is looked up again after this long.
    recheck_seconds: float = 30.0
    cached_documents: int = 512
    cached_characters: int = 32 * 1024


@dataclass(slots=True)
class _Size:
    """What a selection set comes to with its fragments spread out; `names` counts the fields of its own level."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    fields: int = 0
    same_name: int = 0
    names: Counter[str] = field(default_factory=Counter)

    def below(self, other: "_Size") -> None:
        """Add what lies below one field."""
        self.aliases += other.aliases
        self.directives += other.directives
        self.fields += other.fields
        self.same_name = max(self.same_name, other.same_name)

    def beside(self, other: "_Size") -> None:
        """Add what a fragment puts on the same level."""
        self.below(other)
        self.depth = max(self.depth, other.depth)
        self.names.update(other.names)


class _Meter:
    """Measures selection sets, each fragment once: spreading them out literally could take exponential time."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._sizes: dict[str, _Size] = {}

    def measure(self, selections: Sequence[SelectionNode]) -> _Size:
        """Size of one selection set."""
        size = _Size()
        for selection in selections:
            size.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                self._add_field(size, selection)
            elif isinstance(selection, InlineFragmentNode):
                size.beside(self.measure(selection.selection_set.selections))
            elif isinstance(selection, FragmentSpreadNode):
                size.beside(self._fragment(selection.name.value))
        size.same_name = max(size.same_name, max(size.names.values(), default=0))
        return size

    def _add_field(self, size: _Size, node: FieldNode) -> None:
        name = node.name.value
        size.fields += 1
        size.aliases += node.alias is not None
        size.names[name] += 1
        depth = 1
        if node.selection_set is not None:
            inner = self.measure(node.selection_set.selections)
            size.below(inner)
            # Introspection is deep by nature and bounded by a rule of graphql-core's own.
            depth += 0 if name in _INTROSPECTION else inner.depth
        size.depth = max(size.depth, depth)

    def _fragment(self, name: str) -> _Size:
        if name not in self._sizes:
            self._sizes[name] = _Size()  # stands in while the fragment is open: validation reports cycles
            node = self._fragments.get(name)
            if node is not None:
                self._sizes[name] = self.measure(node.selection_set.selections)
        return self._sizes[name]


def check_document(document: DocumentNode, limits: Limits) -> None:
    """Raise `Limit` when an operation of the document passes a bound; the message names the bound and its size."""
    meter = _Meter(document)
    for node in document.definitions:
        if not isinstance(node, OperationDefinitionNode):
            continue
        try:
            size = meter.measure(node.selection_set.selections)
        except RecursionError:
            raise Limit(f"the document nests too deeply; at most {limits.depth} levels are allowed") from None
        directives = size.directives + len(node.directives or ())
        for count, allowed, what in (
            (size.depth, limits.depth, "levels of depth"),
            (size.aliases, limits.aliases, "aliases"),
            (size.names.total(), limits.root_fields, "root fields"),
            (directives, limits.directives, "directives"),
            (size.same_name, limits.same_name, "fields of one name in a selection set"),
            (size.fields, limits.fields, "fields"),
        ):
            if count > allowed:
                shown = str(count) if count < 10**6 else "over a million"
                raise Limit(f"the document has {shown} {what}, at most {allowed} are allowed: split it up")
