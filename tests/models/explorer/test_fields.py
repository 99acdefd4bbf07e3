"""Receptive fields on the page: the numbers by hand, the effective field within the theoretical one."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.explorer import choose_subject, trace_subject
from models.explorer.fields import MOST_EFFECTIVE, fields
from models.explorer.schema import Page
from tests.models.explorer.test_page import pixels_of

# Of LeNet-5, by hand: size, jump and start along both axes.
BY_HAND = {
    "c1": (5, 1, 0),
    "s2": (6, 2, 0),  # 5 + 1
    "c3": (14, 2, 0),  # 6 + 4 * 2
    "s4": (16, 4, 0),  # 14 + 2
}


def test_theoretical_fields_are_those_by_hand(lenet_page: Page) -> None:
    by_label = {one.label: one.field for one in lenet_page.operations if one.field}
    for label, numbers in BY_HAND.items():
        field = by_label[label]
        assert field is not None
        assert tuple(field["rows"]) == tuple(field["columns"]) == numbers
        assert tuple(field["size"]) == (32, 32)
    assert "f6" not in by_label


def test_the_effective_field_fills_a_part_of_it(lenet_page: Page) -> None:
    shown = [one.field for one in lenet_page.operations if one.field and "effective" in one.field]
    assert 4 <= len(shown) <= MOST_EFFECTIVE
    for field in shown:
        assert field is not None
        pixels = pixels_of(field["effective"])
        (size, jump, start), (row, column) = field["rows"], field["unit"]
        inside = np.zeros((32, 32), bool)
        rows, columns = (
            slice(int(start + unit * jump), int(start + unit * jump + size)) for unit in (row, column)
        )
        inside[rows, columns] = True
        assert pixels[inside].max() == 255
        assert not pixels[~inside].any()


def test_an_activation_in_several_places_is_asked_about_where_it_ends() -> None:
    """lenet5_paper has one activation for all layers; the engine would tell the last one's field."""
    subject = choose_subject("lenet5_paper")
    traced = trace_subject(subject)
    found = fields(subject, traced)
    shared = [index for index in found if traced.operations[index].module.endswith("activation")]
    assert shared
    assert not any(found[index]["asked"] for index in shared)
    assert any(field["asked"] for field in found.values())


def test_what_sees_a_field_in_the_browser(opened: Any, lenet_file: Any) -> None:
    page = opened(lenet_file)
    page.click("#graph [data-item=operation-3]")
    words = page.inner_text("#panel .field p")
    assert "Unit (5, 5) can see rows 10 to 23 and columns 10 to 23 of the image, 14 × 14 pixels" in words
    page.locator("#panel .field .pickable").focus()
    page.keyboard.press("ArrowRight")
    assert "rows 10 to 23 and columns 12 to 25" in page.inner_text("#panel .field p")
