"""Artifacts: whole or not there, checked before they serve."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from assetgraph.errors import Unavailable
from assetgraph.factorization import artifact
from assetgraph.factorization.als import Factors
from assetgraph.factorization.interactions import Interactions

MATRIX = sparse.csr_matrix(np.array([[1, 0, 2], [0, 3, 0]], np.float32))
DATA = Interactions(MATRIX, ["u", "Žofie 芳"], ["x", "y", "z"], 0)
FACTORS = Factors(np.ones((2, 4), np.float32), np.full((3, 4), 0.5, np.float32), mean=1.5)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Factors, history, popularity, names of any script, and the manifest."""
    folder = tmp_path / "models" / "m"
    artifact.write(folder, FACTORS, DATA, {"trained": "here"})
    loaded = artifact.load(folder)
    assert np.array_equal(loaded.users, FACTORS.users)
    assert np.array_equal(loaded.items, FACTORS.items)
    assert [loaded.seen(row).tolist() for row in (0, 1)] == [[0, 2], [1]]
    assert loaded.popularity.tolist() == [1, 1, 1]
    assert (loaded.user_names, loaded.item_at["z"]) == (["u", "Žofie 芳"], 2)
    assert (loaded.manifest["trained"], loaded.manifest["mean"]) == ("here", 1.5)
    assert [path.name for path in folder.parent.iterdir()] == ["m"]


def test_the_files_of_another_model_never_serve(tmp_path: Path) -> None:
    """They are whole by themselves, but not those that the version was registered with."""
    artifact.write(tmp_path / "m", FACTORS, DATA, {"trained": "here"})
    artifact.write(tmp_path / "other", FACTORS, DATA, {"trained": "there"})
    files = artifact.files_of(tmp_path / "m")
    assert {name: said["bytes"] for name, said in files.items()} == {
        path.name: path.stat().st_size for path in (tmp_path / "m").iterdir()
    }
    assert artifact.load(tmp_path / "m", files).manifest["trained"] == "here"
    with pytest.raises(Unavailable, match="another model"):
        artifact.load(tmp_path / "other", files)


def test_writing_again_replaces(tmp_path: Path) -> None:
    """As a training does that was killed after its write."""
    artifact.write(tmp_path / "m", FACTORS, DATA, {})
    second = Factors(FACTORS.users * 2, FACTORS.items)
    artifact.write(tmp_path / "m", second, DATA, {})
    assert artifact.load(tmp_path / "m").users[0, 0] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("name", [artifact.TENSORS, artifact.VOCABULARIES, artifact.MANIFEST])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_artifact_never_serves(tmp_path: Path, name: str, damage: str) -> None:
    """One bit in the middle, half the file, no file: the error says to train again."""
    artifact.write(tmp_path / "m", FACTORS, DATA, {})
    file = tmp_path / "m" / name
    content = bytearray(file.read_bytes())
    if damage == "remove":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 0x80
        file.write_bytes(content)
    with pytest.raises(Unavailable, match="train the model again"):
        artifact.load(tmp_path / "m")
