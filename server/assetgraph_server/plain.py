"""Completes plain parts of an answer in one pass: objects whose chosen fields are attributes, down to the leaves.

graphql-core completes each field of each object by itself, about 5 microseconds each; a list of 1,000 nodes with five
fields costs 25 ms of that. Where a selection needs no resolver, the value is completed by functions composed once per
operation instead. They know the good case only: for whatever else they meet (null where none may be, a class they do
not know, a value its type refuses) the value is completed again by graphql-core, which words the error. Attributes
have no side effects, so nothing happens twice.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    Undefined,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetails
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

Complete = Callable[[Any], Any]

#: Values that a built-in scalar shows as they are, when they are of exactly this class. Integers have bounds, so they
#: are not among them.
_AS_THEY_ARE: dict[str, type] = {"String": str, "ID": str, "Boolean": bool}
#: Others, such as `stream`, change how a list is completed.
_KNOWN_DIRECTIVES = {"include", "skip"}


class NotPlainError(Exception):
    """A value that graphql-core must complete."""


#: By type and by fields of a document, so the document must live as long; None: not plain.
Completions = dict[tuple[int, ...], Complete | None]


class PlainExecutor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor, with plain parts completed in one pass."""

    def __init__(self, *args: Any, completions: Completions | None = None, **kwargs: Any) -> None:
        """Take what an executor takes, and what was composed for a document whose selections do not vary."""
        super().__init__(*args, **kwargs)
        self._completions = {} if completions is None else completions

    def complete_value(  # noqa: D102 - graphql-core's
        self, return_type: GraphQLOutputType, field_details_list: list[FieldDetails], info: Any, path: Any,
        result: Any, position_context: Any,
    ) -> Any:  # fmt: skip
        complete = self._completion(return_type, field_details_list)
        if complete is not None:
            try:
                return complete(result)
            except Exception:  # noqa: BLE001, S110 - whatever it was, graphql-core meets it again and says what it is
                pass
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)

    def _completion(self, of_type: GraphQLOutputType, details: list[FieldDetails]) -> Complete | None:
        key = (id(of_type), *[id(one.node) for one in details])
        try:
            return self._completions[key]
        except KeyError:
            composed = self._completions[key] = self._composed(of_type, details)
            return composed

    def _composed(self, of_type: Any, details: list[FieldDetails]) -> Complete | None:
        if is_non_null_type(of_type):
            return _composed_with(self._composed(of_type.of_type, details), _not_null)
        if is_list_type(of_type):
            given = [one.name.value for node in details for one in node.node.directives or ()]
            return (
                None
                if set(given) - _KNOWN_DIRECTIVES
                else _composed_with(self._composed(of_type.of_type, details), _listed)
            )
        if is_leaf_type(of_type):
            return _leaf(of_type)
        return self._abstract(of_type, details) if is_abstract_type(of_type) else self._object(of_type, details)

    def _object(self, of_type: GraphQLObjectType, details: list[FieldDetails]) -> Complete | None:
        collected = self.collect_subfields(of_type, details)
        if collected[1]:
            return None  # deferred fragments
        steps: list[tuple[str, Callable[[Any], Any], Complete]] = []
        for name, inner in collected[0].items():
            field_name = inner[0].node.name.value
            if field_name == "__typename":
                steps.append((name, _constant(of_type.name), _as_it_is))
                continue
            field = self.schema.get_field(of_type, field_name)
            attribute = None if field is None else _attribute(field)
            complete = None if attribute is None or field is None else self._composed(field.type, inner)
            if attribute is None or complete is None:
                return None
            steps.append((name, attrgetter(attribute), complete))
        wanted = of_type.extensions["strawberry-definition"].origin if of_type.is_type_of else None

        def complete_object(value: Any) -> Any:
            if value is None:
                return None
            if wanted is not None and type(value) is not wanted:
                raise NotPlainError
            return {name: complete(get(value)) for name, get, complete in steps}

        return complete_object

    def _abstract(self, of_type: Any, details: list[FieldDetails]) -> Complete | None:
        by_class: dict[type, Complete] = {}

        def complete_any(value: Any) -> Any:
            if value is None:
                return None
            complete = by_class.get(type(value))
            if complete is None:
                complete = by_class[type(value)] = self._of_class(of_type, type(value), details)
            return complete(value)

        return complete_any

    def _of_class(self, of_type: Any, given: type, details: list[FieldDetails]) -> Complete:
        definition = getattr(given, "__strawberry_definition__", None)
        named = self.schema.get_type(definition.name) if definition and not definition.is_graphql_generic else None
        if not isinstance(named, GraphQLObjectType) or not self.schema.is_sub_type(of_type, named):
            raise NotPlainError
        found = self._object(named, details)
        if found is None:
            raise NotPlainError
        return found


def _attribute(field: GraphQLField) -> str | None:
    """Return the attribute that a field shows as it is; None when it has a resolver or arguments."""
    if field.args or not getattr(field.resolve, "_is_default", False):
        return None
    stated = field.extensions["strawberry-definition"]
    return str(stated.python_name) if stated.default_resolver is getattr else None


def _leaf(of_type: GraphQLScalarType | GraphQLEnumType) -> Complete:
    coerce = of_type.coerce_output_value
    exact = _AS_THEY_ARE.get(of_type.name)
    whole = of_type.name == "Int"
    names = _names(of_type) if isinstance(of_type, GraphQLEnumType) else {}

    def complete_leaf(value: Any) -> Any:
        given = type(value)
        if given is exact or value is None or (whole and given is int and -(2**31) <= value < 2**31):
            return value
        if names and (known := names.get(value)) is not None:
            return known
        completed = coerce(value)
        if completed is None or completed is Undefined:
            raise NotPlainError
        return completed

    return complete_leaf


def _names(of_type: GraphQLEnumType) -> dict[Any, str]:
    """Return the names of an enumeration's members."""
    members = (one.value for one in of_type.values.values())
    return {member: of_type.coerce_output_value(member) for member in members}


def _composed_with(inner: Complete | None, outer: Callable[[Complete], Complete]) -> Complete | None:
    return None if inner is None else outer(inner)


def _not_null(inner: Complete) -> Complete:
    def complete_not_null(value: Any) -> Any:
        completed = inner(value)
        if completed is None:
            raise NotPlainError
        return completed

    return complete_not_null


def _listed(inner: Complete) -> Complete:
    def complete_list(value: Any) -> Any:
        if type(value) is list or type(value) is tuple:
            return [inner(one) for one in value]
        if value is None:
            return None
        raise NotPlainError

    return complete_list


def _constant(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def _as_it_is(value: Any) -> Any:
    return value
