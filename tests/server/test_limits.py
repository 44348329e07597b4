"""The bounds on a document: each refuses what passes it, and no trick with fragments slips by."""

import gc
import time
from itertools import pairwise

import pytest
from assetgraph_server.errors import Rejected
from assetgraph_server.execution import Engine, Operation
from assetgraph_server.limits import Limits, check_document
from graphql import OperationType, parse
from tiny_graphql import make_schema

from assetgraph.errors import Limit


def check(document: str, limits: Limits | None = None) -> None:
    """Check the text of a document."""
    check_document(parse(document), limits or Limits())


def nested(levels: int) -> str:
    """Return a query with fields nested so many levels deep."""
    return "{ item " + "{ child " * (levels - 2) + "{ name }" + " }" * (levels - 1)


@pytest.mark.parametrize(
    ("document", "allowed", "named"),
    [
        (nested(6), Limits(depth=5), "levels of depth"),
        ("{ a: hello b: hello c: hello }", Limits(aliases=2), "aliases"),
        ("{ hello caller broken }", Limits(root_fields=2), "root fields"),
        ("{ hello @skip(if: false) @skip(if: false) @skip(if: false) }", Limits(directives=2), "directives"),
        ("query @a @a @a { hello }", Limits(directives=2), "directives"),
        ("{ item { name name name } }", Limits(same_name=2), "fields of one name"),
        ("{ item { name child { name } } }", Limits(fields=3), "fields"),
        ("{ ... { ... on Query { hello } hello } hello }", Limits(same_name=2), "fields of one name"),
        ("{ ...A ...A ...A } fragment A on Query { hello }", Limits(same_name=2), "fields of one name"),
        ("{ ...A } fragment A on Query { a: hello b: hello c: hello }", Limits(aliases=2), "aliases"),
        ("{ item { ...A } } fragment A on Item { child { child { name } } }", Limits(depth=3), "levels of depth"),
        ("query A { hello } query B { a: hello b: hello }", Limits(aliases=1), "aliases"),
    ],
)
def test_each_bound_refuses_what_passes_it(document: str, allowed: Limits, named: str) -> None:
    """The message names the bound; the default bounds allow the same document."""
    with pytest.raises(Limit, match=named):
        check(document, allowed)
    check(document)


def test_exact_bound_is_allowed() -> None:
    """A document that just reaches a bound passes."""
    check(nested(5), Limits(depth=5))
    check("{ a: hello b: hello }", Limits(aliases=2, root_fields=2, same_name=2, fields=2))


def test_fragments_that_double_each_other_are_refused_quickly() -> None:
    """A chain of fragments that would spread out to 2^100 fields is measured without spreading it out."""
    names = [f"F{number}" for number in range(100)]
    chain = "".join(
        f"fragment {a} on Item {{ x: child {{ ...{b} }} y: child {{ ...{b} }} }}" for a, b in pairwise(names)
    )
    document = f"{{ item {{ ...F0 }} }} {chain} fragment F99 on Item {{ name }}"
    start = time.process_time()
    with pytest.raises(Limit, match=r"over a million|levels of depth"):
        check(document)
    assert time.process_time() - start < 1.0


def test_fragment_cycle_ends() -> None:
    """A cycle is left to validation, which reports it."""
    check("{ item { ...A } } fragment A on Item { name ...B } fragment B on Item { name ...A }")
    with pytest.raises(Rejected, match="itself"):
        engine().document("{ item { ...A } } fragment A on Item { ...B } fragment B on Item { ...A }")


def engine(limits: Limits | None = None) -> Engine:
    """Make an engine over the tiny schema."""
    return Engine(make_schema(), limits or Limits())


def refusal_code(document: str, limits: Limits | None = None) -> str:
    """Return the code with which the document is refused."""
    with pytest.raises(Rejected) as caught:
        engine(limits).document(document)
    (error, *_) = caught.value.errors
    assert error.extensions is not None
    return str(error.extensions["code"])


@pytest.mark.parametrize(
    "document",
    [
        "{ " + " ".join(f"a{i}: hello" for i in range(5000)) + " }",
        "{ " + "__typename " * 5000 + "}",
        "{ " + " ".join(f'hello(name: "{i}")' for i in range(1000)) + " }",
        "{ " + " ".join(f"nothing{i}" for i in range(1900)) + " }",
        "{ hello " + "@skip(if: false) " * 300 + "}",
        "{ item " * 600 + "{ name }" + " }" * 600,
        "{ " + "... { " * 600 + "hello" + " }" * 601,
        "{ hello(name: " + "[" * 900 + "]" * 900 + ") }",
        "#\n" * 5000 + "{ hello }",
    ],
)
def test_hostile_documents_are_refused_before_they_cost_much(document: str) -> None:
    """Bombs of tokens, aliases, duplicates, directives and nesting end with LIMIT within half a CPU second."""
    # What earlier tests left, in threads and for the collector, is not what the document costs.
    gc.collect()
    start = time.thread_time()
    assert refusal_code(document) == "LIMIT"
    assert time.thread_time() - start < 0.5


def test_valid_document_is_parsed_and_validated_once() -> None:
    """The same text gives the very same document back; another text another one."""
    tested = engine(Limits(cached_documents=2))
    first = tested.document("{ hello }")
    assert tested.document("{ hello }") is first
    tested.document("{ caller }")
    tested.document("{ hello }")
    tested.document("{ broken }")
    assert tested.document("{ hello }") is first


def test_cache_is_bounded_and_takes_no_huge_documents() -> None:
    """The least recently used document leaves, and one with a huge literal is not kept."""
    tested = engine(Limits(cached_documents=1, cached_characters=100))
    first = tested.document("{ hello }")
    tested.document("{ caller }")
    assert tested.document("{ hello }") is not first
    huge = '{ hello(name: "' + "x" * 200 + '") }'
    assert tested.document(huge) is not tested.document(huge)


def test_operation_kind_is_found_by_name() -> None:
    """The named operation decides, not the document's first."""
    document = "query A { hello } mutation B { touch }"
    assert engine().kind(Operation(document, name="B")) is OperationType.MUTATION
    assert engine().kind(Operation(document, name="A")) is OperationType.QUERY
