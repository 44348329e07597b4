"""Every kind of job and what does it: the only place that knows all jobs."""

from assetgraph.factorization.service import run_training
from assetgraph.feedback.export import run_export
from assetgraph.inventory.service import run_scan
from assetgraph.jobs.context import Handler

HANDLERS: dict[str, Handler] = {"scan": run_scan, "train": run_training, "export_feedback": run_export}
