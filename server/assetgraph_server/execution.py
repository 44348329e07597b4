"""Runs GraphQL operations: documents parsed and validated once, execution bounded in time, errors fit for callers."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import sha256
from inspect import isawaitable
from typing import Any, TypeGuard, cast

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationType,
    execute,
    get_operation_ast,
    parse,
    specified_rules,
    subscribe,
    validate,
)
from graphql.validation import recommended_rules
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from assetgraph.errors import AssetgraphError
from assetgraph_server.errors import Rejected, from_library, masked, presentable_all, refusal
from assetgraph_server.limits import Limits, check_document
from assetgraph_server.plain import Completions, PlainExecutor

_IsAwaitable = Callable[[Any], TypeGuard[Awaitable[Any]]]

# Built once: rule classes made per request would be new ones each time and nothing validated could be reused.
_RULES = (*specified_rules, *recommended_rules, MaybeNullValidationRule, OneOfInputValidationRule)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client asks for: the document's text, its variables and the name of the operation to run."""

    query: str
    variables: dict[str, Any] | None = None
    name: str | None = None
    extensions: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A validated document, and what was composed for it; None when `skip` or `include` may change its selections."""

    document: DocumentNode
    completions: Completions | None


class Engine:
    """A Strawberry schema with a bounded cache of validated documents."""

    def __init__(self, schema: strawberry.Schema, limits: Limits) -> None:
        if schema.extensions or schema.directives:
            raise TypeError("the engine runs no schema extensions or operation directives: give the schema none")
        self.limits = limits
        self._schema = schema._schema
        self._options: dict[str, Any] = {"executor_class": PlainExecutor}
        self._documents: OrderedDict[bytes, _Known] = OrderedDict()

    def document(self, query: str) -> DocumentNode:
        """Return the validated document of a text; raises `Rejected` for what is malformed, invalid or too large."""
        return self._known(query).document

    def _known(self, query: str) -> _Known:
        try:
            key = sha256(query.encode()).digest()
        except UnicodeEncodeError:
            raise Rejected([refusal("`query` holds half a surrogate pair: send valid Unicode", "INVALID")]) from None
        found = self._documents.get(key)
        if found is not None:
            self._documents.move_to_end(key)
            return found
        known = _Known(self._checked(query), None if "@" in query else {})
        if len(query) <= self.limits.cached_characters:
            self._documents[key] = known
            if len(self._documents) > self.limits.cached_documents:
                self._documents.popitem(last=False)
        return known

    def _checked(self, query: str) -> DocumentNode:
        try:
            document = parse(query, max_lexical_tokens=self.limits.tokens, max_comments=self.limits.tokens)
            check_document(document, self.limits)
        except AssetgraphError as error:
            raise Rejected([from_library(error)]) from None
        except GraphQLError as error:
            # graphql-core gives its own bounds no code, only this text.
            if "Parsing aborted" in error.message:
                message = f"{error.message} At most {self.limits.tokens} tokens are allowed: split the document."
                raise Rejected([refusal(message, "LIMIT")]) from None
            raise Rejected(presentable_all([error])) from None
        errors = validate(self._schema, document, _RULES)
        if errors:
            raise Rejected(presentable_all(errors))
        return document

    def kind(self, operation: Operation) -> OperationType:
        """Tell whether the operation is a query, a mutation or a subscription; raises `Rejected` as `document` does."""
        node = get_operation_ast(self.document(operation.query), operation.name)
        if node is None:
            message = "`operationName` must name one of the document's operations, or the document hold just one"
            raise Rejected([refusal(message, "INVALID")])
        return node.operation

    async def execute(self, operation: Operation, context: object) -> ExecutionResult:
        """Run a query or a mutation; raises `Rejected` when nothing ran or the time is over."""
        known = self._known(operation.query)
        try:
            async with asyncio.timeout(self.limits.seconds) as clock:
                result = execute(
                    self._schema,
                    known.document,
                    context_value=context,
                    variable_values=operation.variables,
                    operation_name=operation.name,
                    is_awaitable=cast("_IsAwaitable", optimized_is_awaitable),
                    operation_extensions=operation.extensions,
                    completions=known.completions,
                    **self._options,
                )
                if isawaitable(result):
                    result = await result
        except TimeoutError as error:
            if not clock.expired():
                raise Rejected([masked(error)], status=500) from error
            message = f"the operation took longer than {self.limits.seconds:g} s: ask for less, or try again later"
            raise Rejected([refusal(message, "UNAVAILABLE")], status=503) from None
        except Exception as error:
            raise Rejected([masked(error)], status=500) from error
        return _checked_result(result)

    async def subscribe(self, operation: Operation, context: object) -> AsyncGenerator[ExecutionResult, None]:
        """Yield the events of a subscription; an exception of its source ends it with one masked event."""
        source = subscribe(
            self._schema,
            self.document(operation.query),
            context_value=context,
            variable_values=operation.variables,
            operation_name=operation.name,
            operation_extensions=operation.extensions,
            **self._options,
        )
        if isawaitable(source):
            source = await source
        if isinstance(source, ExecutionResult):
            raise Rejected(presentable_all(source.errors))
        async with aclosing(cast("AsyncGenerator[ExecutionResult, None]", source)) as events:
            async for event in _safely(events):
                yield event


async def _safely(events: AsyncIterator[ExecutionResult]) -> AsyncIterator[ExecutionResult]:
    try:
        async for event in events:
            yield ExecutionResult(event.data, presentable_all(event.errors) or None)
    except AssetgraphError as error:
        yield ExecutionResult(None, [from_library(error)])
    except Exception as error:  # noqa: BLE001 - whatever a bug raises, the caller sees only its id
        yield ExecutionResult(None, [masked(error)])


def _checked_result(result: ExecutionResult) -> ExecutionResult:
    errors = presentable_all(result.errors)
    if result.data is None and errors and all(error.path is None for error in errors):
        raise Rejected(errors)
    return ExecutionResult(result.data, errors or None)
