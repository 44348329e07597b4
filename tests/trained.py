"""A model version registered as a training registers it, for tests that need one without training."""

import numpy as np
from scipy import sparse

from assetgraph.catalog.service import FieldSpec, RegisterVersion, find_asset
from assetgraph.db.engine import Session
from assetgraph.factorization import service as factorization
from assetgraph.factorization.interactions import Interactions
from assetgraph.ids import AssetKind
from assetgraph.jobs import service as jobs
from assetgraph.lineage import service as lineage
from assetgraph.lineage.tables import RunType


def train_nothing(session: Session, model: str = "m") -> tuple[int, int]:
    """Return (model, model version) of namespace shop, with the run and the dataset version `d@1` behind it."""
    field = FieldSpec("user", "String")
    data, _ = lineage.register_version(session, RegisterVersion("shop", "d", fields=(field,), fingerprint="f"))
    run, _ = jobs.enqueue(
        session, kind="train", type=RunType.TRAINING, namespace="shop", job=f"train {model}", parameters={}
    )
    matrix = sparse.csr_matrix(np.eye(1, dtype=np.float32))
    asked = {"model": ["shop", model], "version_id": data, "user_field": "user", "item_field": "item",
             "value_field": None, "parameters": {}}  # fmt: skip
    learnt = Interactions(matrix, ["u"], ["i"], 0)
    number = factorization.register_model_version(session, run, asked, learnt, "none", {"ndcg@10": 0.5}, "CPU")
    found = find_asset(session, AssetKind.MODEL, "shop", model)
    version = find_asset(session, AssetKind.MODEL_VERSION, "shop", f"{model}@{number}")
    assert found is not None
    assert version is not None
    return found, version
