"""Results do not depend on the number of threads, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import kernels
from kernels import registry
from kernels.threads import get_num_threads, set_num_threads
from tests.kernels import tables
from tests.kernels.cpu.thread_counts import differences


@pytest.mark.slow
@pytest.mark.parametrize("folder", tables.folders())
def test_thread_counts_give_the_same_bits(folder: str) -> None:
    environment = {**os.environ, "NUMBA_NUM_THREADS": "3", "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-m", "tests.kernels.cpu.thread_counts", folder]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_result_that_depends_on_the_number_of_threads_is_found() -> None:
    contract, threads = registry.contract("linear_backward_bias"), get_num_threads()

    @kernels.implements(contract, "careless", "adds up what each thread rounds", backend="cpu")
    def careless(grad_output: np.ndarray) -> np.ndarray:
        return grad_output.sum(axis=0) * np.float32(1 + 1e-5 * get_num_threads())

    try:
        assert any("careless on linear_backward_bias" in line for line in differences(["linear"]))
    finally:
        registry.withdraw("linear_backward_bias", "cpu", "careless")
        set_num_threads(threads)
