"""The numbers of the inspectors make the engine's outputs, by the page's arithmetic written out in Python."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from kernels.array import Array
from minidnn.tracing import OperationRecord
from models.explorer.inspectors import inspector, one_channel
from models.explorer.schema import Numbers
from tests.models.explorer.small import Everything, Regions, records


def array(packed: Numbers) -> Array:
    flat = np.frombuffer(base64.b64decode(packed.data), f"<{packed.dtype}")
    return flat.reshape(packed.shape)


@pytest.fixture(scope="module", params=[0, 1])
def everything(request: pytest.FixtureRequest) -> dict[str, OperationRecord]:
    return records(Everything, (4, 11, 9), request.param)


def convolved(spec: Any, filter: Any, row: int, column: int) -> float:
    """One output by the sums that the page forms."""
    window, planes, weight = spec["window"], array(spec["x"]), array(filter["weight"])
    total = filter["bias"] + (array(filter["rest"])[row, column] if "rest" in filter else 0.0)
    for place, channel in enumerate(filter["inputs"]):
        plane = planes[spec["planes"].index(channel)]
        for p, q in np.ndindex(*window["kernel"]):
            h = row * window["stride"][0] + p * window["dilation"][0] - window["before"][0]
            w = column * window["stride"][1] + q * window["dilation"][1] - window["before"][1]
            if 0 <= h < plane.shape[0] and 0 <= w < plane.shape[1]:
                total += float(plane[h, w]) * float(weight[place, p, q])
    return total


@pytest.mark.parametrize("whole", [400_000, 10], ids=["whole", "few_channels"])
@pytest.mark.parametrize("layer", ["conv", "depthwise"])
def test_products_and_rest_make_the_convolution(
    everything: dict[str, OperationRecord], layer: str, whole: int
) -> None:
    record = everything[layer]
    assert record.arrays is not None
    y = record.arrays.outputs[0][0]
    spec = inspector(record, whole)
    assert spec is not None
    assert len(spec["filters"]) == (len(y) if whole > 10 else 2)
    for filter in spec["filters"]:
        np.testing.assert_array_equal(array(filter["y"]), y[filter["output"]])
        found = [[convolved(spec, filter, i, j) for j in range(y.shape[2])] for i in range(y.shape[1])]
        np.testing.assert_allclose(found, y[filter["output"]], rtol=1e-5, atol=1e-5)


def test_the_rest_stands_for_channels_that_are_left_out() -> None:
    record = records(Regions, (3, 24, 30), 4)["conv"]
    (only,) = one_channel(record, 3)["filters"]
    assert only["inputs"] == [0, 1, 2]
    assert "rest" not in only
    from models.explorer import inspectors

    (few,) = inspectors._channels_of_convolution(record, [3], 1)["filters"]
    assert len(few["inputs"]) == 1
    assert few["others"] == 2
    assert record.arrays is not None
    spec = inspectors._channels_of_convolution(record, [3], 1)
    assert convolved(spec, few, 11, 0) == pytest.approx(
        record.arrays.outputs[0][0, 3, 11, 0], rel=1e-5, abs=1e-5
    )


@pytest.mark.parametrize("channel", [-1, 6])
def test_a_channel_that_is_not_there_is_refused(everything: dict[str, OperationRecord], channel: int) -> None:
    with pytest.raises(ValueError, match=f"channel must be from 0 to 5, got {channel}"):
        one_channel(everything["conv"], channel)
    with pytest.raises(ValueError, match="operation must be a convolution, got MaxPool2d"):
        one_channel(everything["pool"], 0)


@pytest.mark.parametrize("layer", ["pool", "average", "adaptive"])
def test_windows_make_the_pooling(everything: dict[str, OperationRecord], layer: str) -> None:
    record = everything[layer]
    assert record.arrays is not None
    spec = inspector(record)
    assert spec is not None
    x, y = array(spec["x"]), array(spec["y"])
    np.testing.assert_array_equal(y, record.arrays.outputs[0][0])
    for c, i, j in np.ndindex(y.shape):
        (top, bottom, down), (left, right, along) = spec["rows"][i], spec["columns"][j]
        cells = [
            x[c, h, w]
            for h in range(top, bottom, down)
            for w in range(left, right, along)
            if 0 <= h < x.shape[1] and 0 <= w < x.shape[2]
        ]
        if spec["mode"] == "max":
            assert y[c, i, j] == max(cells)
        else:
            divisor = spec["divisor"] or spec["counts"][0][i] * spec["counts"][1][j]
            assert y[c, i, j] == pytest.approx(sum(map(float, cells)) / divisor, rel=1e-5, abs=1e-6)


def test_bins_make_roi_pooling() -> None:
    record = records(Regions, (3, 24, 30), 2)["RoIPool"]
    assert record.arrays is not None
    spec = inspector(record)
    assert spec is not None
    x, y, rows, columns = (array(spec[name]) for name in ("x", "y", "rows", "columns"))
    np.testing.assert_array_equal(y, record.arrays.outputs[0][:, spec["planes"]])
    for k, c, i, j in np.ndindex(y.shape):
        cells = x[c, slice(*rows[k, i]), slice(*columns[k, j])]
        assert y[k, c, i, j] == (cells.max() if cells.size else 0)


def test_statistics_make_the_batch_norm(everything: dict[str, OperationRecord]) -> None:
    spec = inspector(everything["norm"])
    assert spec is not None
    x, mean, variance, weight, bias, y = (
        array(spec[name]).astype(np.float64) for name in ("x", "mean", "variance", "weight", "bias", "y")
    )
    np.testing.assert_allclose(
        (x - mean) / np.sqrt(variance + spec["eps"]) * weight + bias, y, rtol=1e-4, atol=1e-5
    )
    assert spec["training"]


def test_the_mask_is_the_engines(everything: dict[str, OperationRecord]) -> None:
    spec = inspector(everything["drop"])
    assert spec is not None
    kept, x, y = (array(spec[name]) for name in ("kept", "x", "y"))
    np.testing.assert_allclose(y, np.where(kept, x / 0.6, 0), rtol=1e-6)
    assert spec["dropped"] == (kept == 0).sum()


def test_who_owns_the_channels(everything: dict[str, OperationRecord]) -> None:
    spec = inspector(everything["Concat"])
    assert spec == {"kind": "concat", "axis": 1, "lengths": [12, 3]}


def test_rows_make_the_linear_layer(everything: dict[str, OperationRecord]) -> None:
    spec = inspector(everything["head"])
    assert spec is not None
    x, weight, bias, y = (array(spec[name]) for name in ("x", "weight", "bias", "y"))
    np.testing.assert_allclose(weight.astype(np.float64) @ x + bias, y, rtol=1e-5, atol=1e-6)


def test_what_has_no_numbers_has_no_inspector(everything: dict[str, OperationRecord]) -> None:
    assert inspector(everything["Reshape"]) is None
