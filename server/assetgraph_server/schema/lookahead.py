"""What an operation asks for below a field, so that its resolver can read it along."""

from collections.abc import Iterator

from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from assetgraph_server.schema.base import Info


def asks(info: Info, *names: str) -> bool:
    """Tell whether the field being resolved is asked for a field below it, named by its way; maybe under a fragment.

    Directives are not looked at: what is skipped may count as asked for.
    """
    nodes: list[FieldNode] = list(info._raw_info.field_nodes)
    for name in names:
        below = [field for node in nodes for field in _fields(info, node.selection_set)]
        nodes = [field for field in below if field.name.value == name]
    return bool(nodes)


def _fields(info: Info, selected: SelectionSetNode | None) -> Iterator[FieldNode]:
    for one in selected.selections if selected else ():
        if isinstance(one, FieldNode):
            yield one
        elif isinstance(one, FragmentSpreadNode):
            yield from _fields(info, info._raw_info.fragments[one.name.value].selection_set)
        elif isinstance(one, InlineFragmentNode):
            yield from _fields(info, one.selection_set)
