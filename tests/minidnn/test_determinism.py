"""Results do not depend on the number of threads, bit for bit, and repeat under a seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minidnn
from kernels.threads import matrix_product

ROOT = Path(__file__).parents[2]
PROGRAM = """
import hashlib, sys
import numpy as np
import minidnn
from minidnn import functional, nn, optim

minidnn.set_num_threads(int(sys.argv[1]))
minidnn.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, (5, 3), padding=(2, 1), groups=2), nn.Tanh(), nn.AvgPool2d(2),
    nn.Flatten(), nn.Dropout(0.25), nn.Linear(32 * 49, 100), nn.Sigmoid(), nn.Linear(100, 10),
)
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
generator = np.random.default_rng(1)
for _ in range(3):
    x = generator.normal(size=(32, 3, 28, 28)).astype(np.float32)
    labels = generator.integers(0, 10, 32)
    optimizer.zero_grad()
    functional.cross_entropy(model(x), labels).backward()
    optimizer.step()
digest = hashlib.sha256()
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print(digest.hexdigest())
"""


def weights_after_training(threads: int) -> str:
    """The weights' digest of a run of its own, its BLAS library told to use `threads` threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads))}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(threads)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=True,
    )
    return result.stdout.strip()


def test_training_gives_the_same_bits_on_any_number_of_threads() -> None:
    assert weights_after_training(1) == weights_after_training(2) == weights_after_training(4)


def test_a_matrix_product_leaves_the_librarys_threads_as_they_were() -> None:
    from threadpoolctl import threadpool_info

    before = [library["num_threads"] for library in threadpool_info()]
    matrix_product(np.ones((64, 64)), np.ones((64, 64)))
    assert [library["num_threads"] for library in threadpool_info()] == before


@pytest.mark.parametrize(("number", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_bad_numbers_of_threads(number: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="number must be"):
        minidnn.set_num_threads(number)  # type: ignore[arg-type]


def test_the_number_of_threads_is_remembered() -> None:
    before = minidnn.get_num_threads()
    try:
        minidnn.set_num_threads(3)
        assert minidnn.get_num_threads() == 3
    finally:
        minidnn.set_num_threads(before)
