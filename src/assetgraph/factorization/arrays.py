"""The array module of a backend: NumPy, or CuPy where a GPU is; the only module that imports cupy."""

from typing import Any

import numpy

from assetgraph.errors import Unavailable


def gpu_problem() -> str | None:
    """Return why no GPU can be used, or None when one can."""
    try:
        import cupy

        return None if cupy.cuda.runtime.getDeviceCount() else "no CUDA device"
    except ImportError:
        return "CuPy is not installed: install assetgraph[gpu] (CUDA 12) or assetgraph[gpu13] (CUDA 13)"
    except Exception as error:  # noqa: BLE001 - CuPy raises its own types for a missing driver
        return f"CUDA does not work: {error}"


def resolve_backend(backend: str) -> str:
    """Return CPU or GPU for AUTO, CPU or GPU; Unavailable when a GPU is demanded and none can be used."""
    if backend == "CPU":
        return "CPU"
    problem = gpu_problem()
    if problem is None:
        return "GPU"
    if backend == "GPU":
        raise Unavailable(f"backend GPU cannot be used here: {problem}", path=("parameters", "backend"))
    return "CPU"


def array_module(backend: str) -> Any:
    """Return numpy for CPU, cupy for GPU."""
    if backend == "GPU":
        import cupy

        return cupy
    return numpy


def to_numpy(array: Any) -> Any:
    """Return a NumPy array of either module's array."""
    return array.get() if hasattr(array, "get") else numpy.asarray(array)
