"""Every kind of job and what does it: the only place that knows all jobs."""

from functools import partial

from assetgraph.factorization.interactions import id_expression
from assetgraph.factorization.service import run_training
from assetgraph.feedback.export import run_export
from assetgraph.inventory.located import open_for
from assetgraph.inventory.prepare_service import run_preparation
from assetgraph.inventory.propose_service import launch_proposing, run_proposing
from assetgraph.inventory.relate_service import run_relating
from assetgraph.inventory.service import launch_scan, run_scan
from assetgraph.jobs.context import Handler
from assetgraph.jobs.schedules import Launcher

HANDLERS: dict[str, Handler] = {
    "scan": run_scan,
    # Users and items are told apart as training tells them apart; the two slices may not see each other.
    "prepare": partial(run_preparation, as_id=id_expression),
    "relate": partial(run_relating, as_id=id_expression),
    "propose": run_proposing,
    # Training reads its data as scans do.
    "train": partial(run_training, open_for=open_for),
    "export_feedback": run_export,
}

#: What schedules queue, by kind of job.
LAUNCHERS: dict[str, Launcher] = {"scan": launch_scan, "propose": launch_proposing}
