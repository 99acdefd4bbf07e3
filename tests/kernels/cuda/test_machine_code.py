"""The compile gate: every CUDA kernel becomes machine code within its budget, with no GPU needed."""

from __future__ import annotations

import pytest

from tests.kernels.cuda import machine_code, nvrtc

pytestmark = pytest.mark.skipif(nvrtc.library() is None, reason='needs NVRTC: pip install -e ".[cuda]"')

ADD_UP = """
extern "C" __global__ void add_up(const float* x, float* y, int stride) {
    float kept[96], sum = 0;
    for (int i = 0; i < 96; ++i) kept[i] = x[i * stride + threadIdx.x];
    for (int i = 0; i < 96; ++i) sum = sum * kept[95 - i] + kept[i];
    y[threadIdx.x] = sum;
}
"""


@pytest.mark.slow
def test_every_kernel_compiles_within_its_budget_and_is_on_the_page() -> None:
    text, faults = machine_code.page()
    assert faults == []
    assert machine_code.kernels_of(text) == machine_code.kernels_of(machine_code.PAGE.read_text())


def test_a_kernel_over_budget_is_told() -> None:
    (kernel,) = nvrtc.compile_source(ADD_UP, "add_up.cu", ["--maxrregcount=128"], "sm_80")
    assert (kernel.name, kernel.spilled) == ("add_up", 0)
    assert machine_code.excess(kernel) == f"add_up takes {kernel.registers} registers, 64 are allowed"


def test_a_spill_is_told() -> None:
    (kernel,) = nvrtc.compile_source(ADD_UP, "add_up.cu", ["--maxrregcount=24"], "sm_90")
    assert kernel.spilled > 0
    assert machine_code.excess(kernel) == f"add_up spills {kernel.spilled} bytes"


def test_shared_memory_is_counted() -> None:
    source = """extern "C" __global__ void turn(float* x) {
        __shared__ float tile[32];
        tile[threadIdx.x] = x[threadIdx.x];
        __syncthreads();
        x[threadIdx.x] = tile[31 - threadIdx.x];
    }"""
    (kernel,) = nvrtc.compile_source(source, "turn.cu", [], "sm_80")
    assert kernel.shared == 128


def test_what_does_not_compile_is_said_with_its_line() -> None:
    source = '#line 7 "broken.cu"\nextern "C" __global__ void broken(float* x) { x[0] = unknown; }'
    with pytest.raises(ValueError, match=r"broken\.cu with -DREAL=float does not compile for sm_80: .*\(7\)"):
        nvrtc.compile_source(source, "broken.cu", ["-DREAL=float"], "sm_80")
