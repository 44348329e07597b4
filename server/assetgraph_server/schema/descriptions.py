"""Descriptions: a resolver's docstring, else one sentence for each name (or name of a type, where it means more)."""

from typing import Any

import strawberry
from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType

NAMES = {
    "grouping": "Rules of its own on which files make one dataset, in order; at most 100.",
    "pattern": "Pattern of paths below the source: * any of one name, ? one character, ** any folders.",
    "transient": "Whether it only passes through, so that walks contract it: as people say, else as its name or "
    "producer does.",
    "foundAt": "When the run met it.",
    "assetCount": "How many affected assets it answers for.",
    "columns": "Columns that the run made of others; their datasets become inputs and outputs too.",
    "from": "The upstream dataset.",
    "fromField": "Path of the upstream column; one that nothing named yet is made.",
    "to": "The downstream dataset.",
    "toField": "Path of the downstream column; one that nothing named yet is made.",
    "subtype": "How, in OpenLineage's terms: IDENTITY, TRANSFORMATION, AGGREGATION, JOIN, FILTER and so on.",
    "masking": "Whether values are masked, so that tags do not flow on.",
    "id": "Global id, opaque.", "urn": "Stable, readable name.", "kind": "What kind of thing it is.",
    "name": "Name as people see it.", "createdAt": "When it was registered.", "namespace": "Namespace of the name.",
    "location": "Where the data lies.", "description": "What people say of it.",
    "lifecycle": "How far it may be relied on.", "role": "What it is to search and recommendation.",
    "tags": "Tags.", "owners": "Names of those who answer for it.", "inheritedFrom": "The asset that it comes from.",
    "path": "Where in the input, or along which way.", "principal": "Name of the person or team.",
    "edges": "The page's edges.", "nodes": "The page's nodes.", "pageInfo": "Where the page stands.",
    "totalCount": "How many there are in all.", "node": "What stands here.", "cursor": "Where to go on after this.",
    "hasNextPage": "Whether more come after.", "hasPreviousPage": "Whether some came before.",
    "startCursor": "Cursor of the first.", "endCursor": "Cursor of the last, to go on after.",
    "number": "1, 2, 3 ... in order.", "fingerprint": "Fingerprint of the content: equal content, equal fingerprint.",
    "externalVersion": "The producer's own label: a Delta version, an Iceberg snapshot.", "rowCount": "Rows.",
    "sizeBytes": "Bytes.", "dataset": "The dataset.", "version": "The version.", "versions": "The versions.",
    "fields": "The columns, in order.", "metrics": "Measured numbers.", "compatibility": "Who keeps working.",
    "changes": "The differences.", "field": "Name of the column.", "before": "As it was.", "after": "As it became.",
    "count": "How many, nulls included.", "nullCount": "How many are null.", "distinctCount": "How many differ.",
    "distinctIsExact": "Whether the distinct count is exact.", "min": "The smallest.", "max": "The largest.",
    "mean": "Mean of the finite numbers.", "stddev": "Sample standard deviation of the finite numbers.",
    "quantiles": "Quantiles of the finite numbers.", "topValues": "The most frequent values.",
    "distinctError": "Relative standard error of the distinct count; 0 is exact.",
    "quantileRankError": "By how much a quantile's rank is off in 99 of 100 cases at most; 0 is exact.",
    "zeroCount": "How many numbers are zero.", "negativeCount": "How many numbers are below zero.",
    "nanCount": "How many floats are no number.", "positiveInfinityCount": "How many floats are infinite.",
    "negativeInfinityCount": "How many floats are negative infinite.",
    "emptyCount": "How many texts or lists are empty.", "minLength": "Shortest: bytes of texts, elements of lists.",
    "meanLength": "Mean length: bytes of texts, elements of lists.",
    "maxLength": "Longest: bytes of texts, elements of lists.",
    "patterns": "The most frequent patterns of texts.",
    "share": "Its share, 0 to 1.", "patternsAreExact": "Whether all texts were looked at, not a sample.",
    "order": "Of the values: constant, strictly_increasing, increasing, strictly_decreasing or decreasing.",
    "largestGap": "The longest time without a value.", "atLeast": "It is no shorter.", "atMost": "It is no longer.",
    "histogram": "Equal-width bins of the finite numbers.", "q": "The share, 0 to 1.", "value": "The value.",
    "countErrorBound": "By how much the count may be off; 0 is exact.", "low": "Lower end.", "high": "Upper end.",
    "runId": "Id that the producer gave; a UUID is made when left out.", "state": "Where the run is.",
    "type": "Its type.", "progress": "How far, 0 to 1.", "message": "What is happening or what to do.",
    "attempt": "How many times it was started.", "startedAt": "When it began.",
    "endedAt": "When it ended.",
    "error": "Why it failed.", "job": "The job.", "inputs": "What was read.", "outputs": "What was made.",
    "subject": "What it is about.", "code": "Stable code.", "nullable": "Whether nulls occur.",
    "ordinal": "Position, from 0.", "semanticType": "What the values mean, such as user_id or price.",
    "isExact": "Whether the number is exact.", "measuredAt": "When it was measured.", "stage": "How far it has come.",
    "parameters": "Hyper-parameters.", "userCount": "Users that it knows.", "itemCount": "Items that it knows.",
    "interactionCount": "User-item pairs that it learnt from.", "model": "The model.", "user": "User id.",
    "item": "Item id.", "score": "How well it fits; comparable within one list.", "rank": "1 is best.",
    "reason": "Why.", "modelVersion": "The model version.", "event": "What was done.",
    "occurredAt": "When it was done; now when left out.", "recommendation": "The recommendation that it answers.",
    "sequence": "Place in the log, without gaps.", "at": "When it was committed.", "actor": "Who did it.",
    "action": "What was done.", "hash": "SHA-256 over the hash before and this change.",
    "known": "Names that exist.", "truncated": "Whether anything was left out.",
    "visited": "How many nodes the walk met.", "asOf": "The instant that the answer is of.",
    "distance": "Edges from the root.", "hiddenNeighbours": "Neighbours that the answer does not show.",
    "source": "The upstream end, or the source.", "target": "The downstream end, or what was measured.",
    "firstSeen": "When it was seen first.", "lastSeen": "When it was seen last.",
    "runCount": "How many runs showed it.",
    "transformations": "What happens to the values.",
    "roles": "What the caller may do.", "tag": "A tag.", "owner": "An owner.",
    "items": "Best first.", "fallback": "What stood in for an unknown user.",
    "created": "Whether it is new.", "userErrors": "What the caller can mend; empty when all went well.",
    "nominalTime": "When it was planned for, where a schedule starts it.",
    "idempotencyKey": "The same key and request again give what the first made.", "results": "One for each, in order.",
    "run": "The run.", "userField": "Column of user ids.", "itemField": "Column of item ids.",
    "valueField": "Column of amounts or ratings; each row counts 1 when left out.",
    "timeField": "Column of times.", "factors": "Length of the factors, 1 to 1024.",
    "iterations": "Iterations, 1 to 500.", "regularization": "L2 penalty.",
    "alpha": "Confidence of a unit of value: c = 1 + alpha * r.", "feedback": "Feedback.",
    "backend": "Where to compute.", "seed": "Seed of every random choice.",
    "holdout": "Share of the entries held out for evaluation, 0 to 0.5.", "evaluateAt": "k of NDCG@k and Recall@k.",
    "accepted": "How many were new.", "duplicates": "How many were known by their key.", "events": "The events.",
    "body": "The JSON that the producer sent.", "eventTime": "The producer's time of the event that said so last.",
    "adapterVersion": "Version of the producer's adapter.", "processingType": "BATCH, STREAMING or SERVICE.",
    "integration": "The system that runs it: SPARK, AIRFLOW, DBT, FLINK ...", "jobType": "DAG, TASK, MODEL, TEST ...",
    "url": "Address of the source.", "branch": "Branch of the source.", "expression": "What is tested.",
    "severity": "What a failure means.", "passed": "Whether it held.", "observed": "What was seen.",
    "checkedAt": "When it was checked.",
    "key": "The sender's own id of the event: sent twice, kept once.",
    "datasetCount": "How many datasets.", "generatedAt": "When it was made.",
    "freshestAt": "Newest time that a latest version has, by the producer's clock.",
    "newestEventAt": "Newest time in the data that profiles show and that is not ahead; of roles that tell of events.",
    "newestEventField": "The column that it stands in.", "updatedAt": "Time of the latest version.",
    "meanQuality": "Mean over datasets of the share of their checks that passed last, or where none ran, of their "
    "completeness; 0 to 1.",
    "quality": "Share of its checks that passed last, or where none ran, its completeness; 0 to 1.",
    "meanCompleteness": "Mean over datasets of the share of values that are not null; 0 to 1.",
    "completeness": "Share of values that are not null; 0 to 1.", "checkCount": "How many checks there are.",
    "checksEvaluated": "How many of the checks have a result.", "checksPassed": "How many of those passed last.",
    "usedByModels": "How many models learnt from any of it, or from what was made of it.",
    "usedDatasets": "How many datasets a model learnt from, or from what was made of them.",
    "personalDataDatasets": "How many datasets bear a tag of personal data, or have a column that does.",
    "personalDataFields": "How many columns bear a tag of personal data, own or come along column lineage.",
    "personalDataTags": "Tags of personal data of it and of its columns, own or come along column lineage.",
    "ownedDatasets": "How many datasets have an owner.", "modelCount": "How many models.",
    "versionCount": "How many versions the models have.", "newestVersionAt": "When the newest of them was registered.",
    "ownedModels": "How many models have an owner.", "models": "Names of the first 20 of those models.",
    "modelsWithLineage": "How many models learnt from datasets that lineage knows.",
    "fieldCount": "How many columns.", "cost": "What it costs.", "examples": "Names of the first ten that it is about.",
    "retiredDatasets": "How many retired datasets are left out.",
    "transientDatasets": "How many datasets that only pass through are left out.",
}  # fmt: skip


def describe(schema: strawberry.Schema) -> None:
    """Give every field a description; one without fails here, when the schema is built."""
    types = schema._schema.type_map
    for name, graphql_type in types.items():
        if name.startswith("__"):
            continue
        if isinstance(graphql_type, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in graphql_type.fields.items():
                if not field.description:
                    field.description = _docstring(schema, name, field_name) or NAMES[field_name]
                for argument in getattr(field, "args", {}).values():
                    argument.description = argument.description or "All that the mutation takes."
                definition = _definition(schema, name, field_name)
                if definition is not None and not definition.description:
                    definition.description = field.description


def _definition(schema: strawberry.Schema, type_name: str, field_name: str) -> Any:
    known = schema.schema_converter.type_map.get(type_name)
    definition = getattr(known, "definition", None)
    for field in getattr(definition, "fields", ()):
        if schema.config.name_converter.get_graphql_name(field) == field_name:
            return field
    return None


def _docstring(schema: strawberry.Schema, type_name: str, field_name: str) -> str | None:
    resolver = getattr(_definition(schema, type_name, field_name), "base_resolver", None)
    text = getattr(getattr(resolver, "wrapped_func", None), "__doc__", None)
    return str(text).strip() if text else None
