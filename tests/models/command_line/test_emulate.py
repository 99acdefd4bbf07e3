"""`minidnn emulate`: an example for every operation, counts as a person counts, mistakes told in one line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from kernels import registry
from kernels.cuda.emulator import EmulatorError, compiler
from models import command_line
from models.command_line.emulate import Run, _chosen, _sums
from models.command_line.example_calls import example


def has_compiler() -> bool:
    try:
        compiler.find_compiler()
    except EmulatorError:
        return False
    return True


needs_compiler = pytest.mark.skipif(not has_compiler(), reason="the CUDA emulator needs a C++ compiler")
LADDER = sorted({row.operation for row in registry.table() if row.backend == "gpu"})
FIRST_OF_FAMILIES = {registry.contract(operation).__module__: operation for operation in reversed(LADDER)}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command_line.app, ["emulate", *arguments])


@pytest.mark.parametrize("operation", LADDER)
def test_every_operation_has_an_example_that_it_takes(operation: str) -> None:
    arguments = example(operation)
    assert len(arguments) == len(inspect.signature(registry.contract(operation)).parameters)
    if operation == "conv2d_forward_prepared":  # its weight is prepared where it lies
        return
    with registry.use(backend="reference"):
        registry.contract(operation)(*arguments)


def test_the_size_is_that_of_the_forwards_first_array() -> None:
    x, weight, bias, *_ = example("conv2d_forward", (2, 5, 6, 7))
    assert (x.shape, weight.shape[1], bias.shape) == ((2, 5, 6, 7), 5, weight.shape[:1])
    assert x.dtype == weight.dtype == np.float32
    grad_output, _, input_shape, *_ = example("conv2d_backward_input", (2, 5, 6, 7))
    assert input_shape == (2, 5, 6, 7)
    assert grad_output.shape == (2, weight.shape[0], 6, 7)


@needs_compiler
@pytest.mark.parametrize("by_number", [False, True])
def test_a_version_in_detail_and_its_ladder(by_number: bool) -> None:
    version = "im2col_tiled"
    if by_number:
        version = str(registry.versions("conv2d_forward", "gpu").index(version) + 1)
    result = run("conv2d", "--version", version, "--size", "1x3x8x8")
    assert result.exit_code == 0, result.output
    text = result.output
    assert text.startswith("conv2d_forward, im2col_tiled: patches as columns")
    assert "float32[1x3x8x8]" in text
    assert (
        "kernel im2col: grid (7, 1, 1), block (256, 1, 1), 0 bytes of shared memory a block, 0 barriers"
        in text
    )
    assert (
        "kernel tiled_product: grid (4, 1, 1), block (16, 16, 1), 2,048 bytes of shared memory a block, 4"
        in text
    )
    # the columns: 27 rows of 64, read once for 16 rows of 8 filters' tiles, by warps of two rows of 16
    assert re.search(
        r"conv2d\.cu:\d+ +. global store columns +. +4 . +1,728 . +54 . +32\.0 . +4\.0 . +100%", text
    )
    assert re.search(r"shared load column_tile .* none", text)
    # and the ladder: 512 outputs, each with 27 weights and what of the patch is no padding
    assert re.search(r"1 . direct +. 1 +. +0 . +23,744 .", text)
    assert re.search(r"2 . im2col +. 2 \+ library matmul .", text)


@needs_compiler
@pytest.mark.parametrize(
    ("operation", "title"),
    [
        ("relu", "relu_forward, each"),
        ("batch_norm", "batch_norm_forward_training, parts"),
        ("max_pool2d_backward", "max_pool2d_backward, gather"),
        ("depthwise_conv2d", "depthwise_conv2d_forward, tiles"),
        ("sgd_step", "sgd_step, fused"),
        ("concat", "concat_forward, parts"),
    ],
)
def test_other_operations_by_their_short_names(operation: str, title: str) -> None:
    result = run(operation)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{title}: ")
    assert "global load" in result.output


@needs_compiler
def test_versions_for_halves_are_given_halves() -> None:
    result = run("conv2d", "--version", "tensor_half", "--size", "1x2x5x5")
    assert result.exit_code == 0, result.output
    assert "conv2d_forward(float16[1x2x5x5], float16[8x2x3x3], float16[8]," in result.output
    assert re.search(r"global load sources +. +2 ", result.output)


@needs_compiler
def test_conv2d_on_a_prepared_weight() -> None:
    result = run("conv2d_forward_prepared")
    if not registry.versions("conv2d_forward_prepared", "gpu"):
        assert "has no GPU version" in str(result.exception)
        return
    assert result.exit_code == 0, result.output
    assert "global load" in result.output


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("operation", FIRST_OF_FAMILIES.values())
def test_every_familys_ladder(operation: str) -> None:
    result = run(operation)
    assert result.exit_code == 0, result.output
    for row in registry.versions(operation, "gpu"):
        assert re.search(rf"\d . {row} ", result.output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["conv3d"], "unknown operation 'conv3d'"),
        (["pool2d"], "operation 'pool2d' is a family; name one of: .*max_pool2d_forward"),
        (["conv2d", "--version", "99"], "conv2d_forward has no GPU version '99'; it has: 1 direct, 2 im2col"),
        (["conv2d", "--version", "0"], "conv2d_forward has no GPU version '0'"),
        (["conv2d", "--version", "loops"], "conv2d_forward has no GPU version 'loops'"),
        (["conv2d", "--size", "8by8"], "--size must be lengths from 1 like 1x3x8x8, got '8by8'"),
        (["conv2d", "--size", "1x0x8x8"], "--size must be lengths from 1 like 1x3x8x8, got '1x0x8x8'"),
        (["conv2d", "--size", "8x8"], r"x must have 4 dimensions, got shape \(8, 8\)"),
        (["roi_pool", "--size", "8x8"], "roi_pool_forward takes arrays of more axes than 8x8 has"),
    ],
)
@needs_compiler
def test_a_users_mistakes(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, ValueError)
    assert re.search(message, str(result.exception)), result.exception
    assert "\n" not in str(result.exception)


def test_a_version_that_does_not_take_the_size() -> None:
    tiles = registry.table()
    row = next(row for row in tiles if (row.operation, row.name) == ("depthwise_conv2d_forward", "tiles"))
    runs = [Run(row, (), None)]
    with pytest.raises(ValueError, match="version tiles of depthwise_conv2d_forward does not take arguments"):
        _chosen("1", runs, ())
    assert _sums(runs[0]) == ["does not take these arguments"]


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CXX", "no-such-compiler")
    compiler.find_compiler.cache_clear()
    yield
    compiler.find_compiler.cache_clear()


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler() -> None:
    result = run("relu")
    assert isinstance(result.exception, ValueError)
    assert "needs a C++ compiler, but 'no-such-compiler' was not found: install g++" in str(result.exception)
