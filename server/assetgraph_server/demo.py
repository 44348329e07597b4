"""The demo: the whole loop through GraphQL as pipelines and frontends call it, on the real Online Retail data.

Data: Chen, D. (2015), Online Retail, UCI Machine Learning Repository, doi 10.24432/C5BW33, CC BY 4.0.
"""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.tree import Tree

from assetgraph.catalog import tokens
from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.settings import Settings
from assetgraph_server.client import Client
from assetgraph_server.launch import demo_data, free_port, running_server

NAMESPACE, DATASET, MODEL, FEEDBACK = "shop", "online_retail", "also-bought", "recommendation_feedback"
CLEAN = f"{DATASET}/clean"
#: For both deliveries: in the first times are text, in the second they are times already.
RULES = {
    "text": [{"field": "Description"}], "times": [{"field": "InvoiceDate", "formats": ["%m/%d/%y %H:%M"]}],
    "required": ["CustomerID", "Description"], "positive": ["Quantity", "UnitPrice"], "duplicates": {},
}  # fmt: skip
DELIVERIES = ("online_retail_to_2011-06-26.parquet", "online_retail_full_no_invoice.parquet")
CUSTOMERS = ("17850", "13047", "12583")

ERRORS = "userErrors { code message path }"
REGISTER = f"""mutation($input: RegisterSourceInput!) {{
  registerSource(input: $input) {{ source {{ id urn }} {ERRORS} }} }}"""
PREPARE = f"""mutation($input: StartPreparationInput!) {{
  startPreparation(input: $input) {{ run {{ id }} {ERRORS} }} }}"""
COUNTS = """query($run: ID!) { node(id: $run) { ... on Run { metrics { name field value } } } }"""
SCAN = f"mutation($input: StartScanInput!) {{ startScan(input: $input) {{ run {{ id }} {ERRORS} }} }}"
TRAIN = f"mutation($input: StartTrainingInput!) {{ startTraining(input: $input) {{ run {{ id }} {ERRORS} }} }}"
SEND = f"""mutation($input: RecordFeedbackInput!) {{
  recordFeedback(input: $input) {{ accepted duplicates {ERRORS} }} }}"""
EXPORT = f"mutation($input: ExportFeedbackInput!) {{ exportFeedback(input: $input) {{ run {{ id }} {ERRORS} }} }}"
DRIFT = """query($namespace: String!, $name: String!) { dataset(namespace: $namespace, name: $name) {
  latestVersion { number rowCount fingerprint location
    schemaDiff { compatibility changes { kind field before after } }
    profile { field nullCount distinctCount min max } } } }"""
VERSIONS = """query($namespace: String!, $name: String!) { model(namespace: $namespace, name: $name) {
  id versions(first: 1) { nodes { id name number stage userCount itemCount interactionCount
    metrics { name value } } } } }"""
RECOMMEND = """query($model: ID!, $user: String) { recommendations(model: $model, user: $user, first: 3) {
  fallback modelVersion { name } items { id item score rank } } }"""
LINEAGE = """query($root: ID!) { lineage(root: $root, direction: UPSTREAM, depth: 30, level: VERSION) {
  truncated visited nodes { distance node { id kind name } } edges { source target kind } } }"""

DESCRIBE = f"mutation($input: RegisterDatasetInput!) {{ registerDataset(input: $input) {{ created {ERRORS} }} }}"
INVENTORY = """query($namespace: String) { inventory(namespace: $namespace) {
  roles { role datasetCount rowCount usedByModels } gaps { severity message } } }"""

out = Console(width=110)


def run_demo(*, once: bool) -> None:
    """Run the loop on a fresh embedded database; serve on until interrupted unless `once`."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="assetgraph-demo-") as folder:
        home = Path(folder) / "home"
        incoming = Path(folder) / "incoming"
        incoming.mkdir()
        settings = Settings(home=home, database_url="", scan_roots=(incoming,), port=free_port(), log_level="WARNING")
        migrate.upgrade(settings.url)
        token = _token(settings)
        with running_server(settings) as url:
            client = Client(url, token)
            Demo(client, incoming).run()
            out.print(f"\nThe loop took {time.monotonic() - started:.0f} s.", highlight=False)
            out.print(f"Open {url}/graphql in a browser for GraphiQL; token: {token}", highlight=False, soft_wrap=True)
            if not once:
                out.print("Serving on; Ctrl+C stops and removes the demo's data.")
                _wait_for_interrupt()
            client.close()


def _token(settings: Settings) -> str:
    database = Database(settings.url)
    try:
        with database.transaction(actor="demo") as session:
            return tokens.create(session, "demo", tokens.Role.ADMIN)[1]
    finally:
        database.close()


def _wait_for_interrupt() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        out.print("stopped")


class Demo:
    """The steps, in order; each prints what it saw."""

    def __init__(self, client: Client, incoming: Path) -> None:
        self.client = client
        self.incoming = incoming
        self.steps = 0

    def run(self) -> None:
        """Go once around the loop."""
        source = self._collect()
        self._scan(source)
        first = self._train(CLEAN, {"userField": "CustomerID", "itemField": "Description", "valueField": "Quantity"})
        self._compare(first)
        self._recommend_and_answer()
        self._export()
        small = {"factors": 8, "holdout": 0.0}
        second = self._train(FEEDBACK, {"userField": "user", "itemField": "item", "parameters": small})
        self._lineage(second)
        self._inventory()

    def _step(self, title: str) -> None:
        self.steps += 1
        out.print(f"\n[bold]{self.steps}. {title}[/]")

    def _wait(self, payload: dict[str, Any]) -> None:
        columns = (TextColumn("   {task.description}"), BarColumn(bar_width=30), TimeElapsedColumn())
        with Progress(*columns, console=out, transient=True) as bar:
            task = bar.add_task("queued", total=1.0)
            run = self.client.wait(
                payload["run"]["id"], lambda part, text: bar.update(task, completed=part, description=text)
            )
        out.print(f"   {run['name']}: {run['state'].lower()}, {run['message']}", highlight=False)

    def _collect(self) -> str:
        self._step("Collect: a source that scans may read")
        given = {"namespace": NAMESPACE, "name": "retail-deliveries", "location": str(self.incoming)}
        source: dict[str, Any] = self.client.mutate(REGISTER, input=given)["source"]
        out.print(f"   {source['urn']}", highlight=False)
        return str(source["id"])

    def _scan(self, source: str) -> None:
        for number, delivery in enumerate(DELIVERIES, start=1):
            self._step(f"Scan and prepare delivery {number}: {delivery}")
            shutil.copyfile(demo_data() / delivery, self.incoming / f"{DATASET}.parquet")
            self._wait(self.client.mutate(SCAN, input={"source": source, "idempotencyKey": delivery}))
            self._prepare()
        version = self.client.execute(DRIFT, namespace=NAMESPACE, name=DATASET)["dataset"]["latestVersion"]
        diff = version["schemaDiff"]
        table = Table(
            title=f"Schema drift of version {version['number']}: {diff['compatibility']}", title_justify="left"
        )
        for name in ("change", "field", "before", "after"):
            table.add_column(name)
        for change in diff["changes"]:
            table.add_row(change["kind"], *(escape(change[name] or "") for name in ("field", "before", "after")))
        out.print(table)
        table = Table(title=f"Profile of {version['rowCount']} rows", title_justify="left")
        for name in ("field", "nulls", "distinct", "min", "max"):
            table.add_column(name)
        for row in version["profile"]:
            counts = (str(row["nullCount"]), str(row["distinctCount"]))
            table.add_row(row["field"], *counts, escape(row["min"] or ""), escape(row["max"] or ""))
        out.print(table)

    def _prepare(self) -> None:
        given = {"dataset": {"namespace": NAMESPACE, "name": DATASET}, "rules": RULES}
        run = self.client.mutate(PREPARE, input=given)
        self._wait(run)
        counts = self.client.execute(COUNTS, run=run["run"]["id"])["node"]["metrics"]
        for one in counts:
            if one["name"].startswith("dropped_") and one["value"]:
                out.print(f"     {one['name']} {one['field'] or ''}: {one['value']:.0f}", highlight=False)

    def _train(self, dataset: str, fields: dict[str, Any]) -> dict[str, Any]:
        self._step(f"Train on {dataset}")
        given = {"model": {"namespace": NAMESPACE, "name": MODEL},
                 "dataset": {"namespace": NAMESPACE, "name": dataset}, **fields}  # fmt: skip
        self._wait(self.client.mutate(TRAIN, input=given))
        model = self.client.execute(VERSIONS, namespace=NAMESPACE, name=MODEL)["model"]
        version: dict[str, Any] = {**model["versions"]["nodes"][0], "model": model["id"]}
        out.print(
            f"   {version['name']} ({version['stage'].lower()}): {version['userCount']} users, "
            f"{version['itemCount']} items, {version['interactionCount']} interactions",
            highlight=False,
        )
        return version

    def _compare(self, version: dict[str, Any]) -> None:
        metrics = {metric["name"]: metric["value"] for metric in version["metrics"]}
        table = Table(title="Held-out tenth, full catalogue", title_justify="left")
        for name in ("metric", "ALS", "popularity", "ratio"):
            table.add_column(name)
        for name in ("ndcg@10", "recall@10"):
            model, popular = metrics[name], metrics[f"popularity_{name}"]
            table.add_row(name, f"{model:.3f}", f"{popular:.3f}", f"{model / popular:.1f}")
        out.print(table)
        self.model = version["model"]

    def _recommend_and_answer(self) -> None:
        self._step("Recommend, and hear what people did")
        events: list[dict[str, Any]] = []
        for customer in CUSTOMERS:
            answer = self.client.execute(RECOMMEND, model=self.model, user=customer)["recommendations"]
            out.print(f"   customer {customer} ({answer['modelVersion']['name']}, fallback {answer['fallback']}):")
            for item in answer["items"]:
                out.print(f"     {item['rank']}. {escape(item['item'])}  ({item['score']:.3f})", highlight=False)
                event = "PURCHASE" if item["rank"] == 1 else "CLICK"
                events.append({"recommendation": item["id"], "event": event, "key": f"{customer}/{item['rank']}"})
        sent = self.client.mutate(SEND, input={"events": events})
        again = self.client.mutate(SEND, input={"events": events})
        out.print(f"   feedback: {sent['accepted']} accepted; sent again: {again['duplicates']} duplicates ignored")

    def _export(self) -> None:
        self._step("Export the feedback as a dataset version")
        dataset = {"namespace": NAMESPACE, "name": FEEDBACK}
        self._wait(self.client.mutate(EXPORT, input={"model": self.model, "dataset": dataset}))

    def _lineage(self, version: dict[str, Any]) -> None:
        self._step(f"Lineage: from {version['name']} back to the files, in one query")
        found = self.client.execute(LINEAGE, root=version["id"])["lineage"]
        out.print(f"   {found['visited']} nodes visited, truncated: {found['truncated']}")
        out.print(lineage_tree(version["id"], found))
        out.print("   The way of the data, from the source to the model that learnt from what people did:")
        for node in longest_path(version["id"], found):
            out.print(f"   -> {_label(node)}", highlight=False)

    def _inventory(self) -> None:
        self._step("Inventory: what there is for search and recommendation, and what is missing")
        described = {"namespace": NAMESPACE, "name": DATASET, "role": "TRANSACTION", "owners": ["team:shop"]}
        self.client.mutate(DESCRIBE, input=described)
        found = self.client.execute(INVENTORY, namespace=NAMESPACE)["inventory"]
        for one in found["roles"]:
            if one["datasetCount"]:
                datasets, models = (
                    f"{one[name]} {what}{'' if one[name] == 1 else 's'}"
                    for name, what in (("datasetCount", "dataset"), ("usedByModels", "model"))
                )
                numbers = f"{datasets}, {one['rowCount']} rows, used by {models}"
                out.print(f"   {one['role'].replace('_', ' ').lower()}: {numbers}", highlight=False)
        for gap in found["gaps"]:
            if gap["severity"] != "INFO":
                out.print(f"   {gap['severity'].lower()}: {escape(gap['message'])}", highlight=False)


def lineage_tree(root: str, found: dict[str, Any]) -> Tree:
    """Return an upstream walk as a tree: each node once, of many like siblings the first, the others counted."""
    nodes = {entry["node"]["id"]: entry["node"] for entry in found["nodes"]}
    above: dict[str, list[str]] = {}
    for edge in found["edges"]:
        above.setdefault(edge["target"], []).append(edge["source"])
    drawn = {root}
    tree = Tree(_label(nodes[root]))
    # Depth-first, so that the way back through the loop stays one line of sight.
    stack = [(root, tree)]
    while stack:
        ref, branch = stack.pop()
        fresh = [far for far in above.get(ref, ()) if far not in drawn]
        drawn.update(fresh)
        by_kind: dict[str, list[str]] = {}
        for far in fresh:
            by_kind.setdefault(nodes[far]["kind"], []).append(far)
        for alike in by_kind.values():
            more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
            stack.append((alike[0], branch.add(_label(nodes[alike[0]]) + more)))
    return tree


def longest_path(root: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the nodes of the longest way that leads to the root, in the order that data flows."""
    nodes = {entry["node"]["id"]: entry["node"] for entry in found["nodes"]}
    above: dict[str, list[str]] = {}
    for edge in found["edges"]:
        above.setdefault(edge["target"], []).append(edge["source"])
    # Of equal ways the one through the definition (source, dataset, version) says more than the one through the scan.
    ranked = {ref: (node["kind"] == "DATASET", ref) for ref, node in nodes.items()}
    longest: dict[str, list[str]] = {}

    def way(ref: str) -> list[str]:
        if ref not in longest:
            ways = [way(far) for far in sorted(above.get(ref, ()), key=lambda far: ranked[far])]
            longest[ref] = [*max(reversed(ways), key=len, default=[]), ref]
        return longest[ref]

    return [nodes[ref] for ref in way(root)]


def _label(node: dict[str, Any]) -> str:
    return f"{node['kind'].replace('_', ' ').lower()} [bold]{escape(node['name'])}[/]"
