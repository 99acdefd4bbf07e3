"""What the stored files hold, by NumPy alone; `tests.minidnn.files.make` has PyTorch write the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
BASE = np.arange(24, dtype=np.float32).reshape(4, 6) / 4 - 2
# Of few digits: bfloat16 has eight bits for them.
COARSE = np.arange(6, dtype=np.float32).reshape(2, 3) * 1.5 - 2

DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
COMPLEX_DTYPES = ("complex64", "complex128")
UNSIGNED_DTYPES = ("uint16", "uint32", "uint64")

TENSORS = {
    "base": BASE,
    "transposed": BASE.T,
    "part": BASE[1:, ::2],
    "expanded": np.broadcast_to(BASE[:1, :1], (3, 5)),
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "parameter": BASE[:2],
    "bfloat16": COARSE,
    "bfloat16 transposed": COARSE.T,
    **{dtype: np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype) for dtype in DTYPES},
    **{dtype: np.array([1 + 2j, -3j]).astype(dtype) for dtype in COMPLEX_DTYPES},
    **{dtype: np.array([0, 7, 200]).astype(dtype) for dtype in UNSIGNED_DTYPES},
}
SHARING = ("base", "transposed", "part", "expanded")
PLAIN = {
    "epoch": 3,
    "big": 2**70,
    "loss": 0.125,
    "nothing": None,
    "flag": True,
    "name": "ünïcode",
    "nested": [1, (2, [3.5]), {"a": {7: "seven"}}],
    "set": {1, 2},
    "size": (4, 6),
}
STORED = ("zip.pth", "legacy.pth", "big_endian.pth", "protocol4.pth", "legacy_protocol4.pth")
# The legacy format of PyTorch has no unsigned types wider than a byte, big-endian files no meaning for them.
WITHOUT_UNSIGNED = ("legacy.pth", "legacy_protocol4.pth", "big_endian.pth")
