"""Records of integers: what Python hands over is what compiled code reads, field by field."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kernels.cpu.compilation import compiled
from kernels.cpu.records import as_numbers, as_record, size_of


class Axis(NamedTuple):
    length: int
    stride: int


class Layout(NamedTuple):
    rows: Axis
    bands: int
    columns: Axis


LAYOUT = Layout(Axis(7, 2), 5, Axis(11, 3))


@compiled
def fields(numbers: Any) -> Any:
    layout = as_record(numbers, Layout)
    return layout.columns.stride, layout.columns.length, layout.bands, layout.rows.stride, layout.rows.length


def test_numbers_are_in_the_order_of_the_fields() -> None:
    numbers = as_numbers(LAYOUT)
    assert numbers.dtype == np.int64
    assert numbers.tolist() == [7, 2, 5, 11, 3]
    assert size_of(Layout) == 5


def test_compiled_code_reads_the_fields_by_name() -> None:
    numbers = np.append(as_numbers(LAYOUT), [100, 200])  # what follows the record is not its own
    assert fields(numbers) == (3, 11, 5, 2, 7)
