"""The papers' numbers, and ours against them."""

from __future__ import annotations

import math
import sys

import pytest

import models
from models.published import (
    ALEXNET_NEURONS,
    ALEXNET_WEIGHTS,
    MOBILENET_V1_SIZES,
    PUBLISHED,
    Published,
    rounds_to,
)
from models.summary import Row, summarize
from models.verification import verifications

# Of how many images' worth of work a model may be for the quick suite.
QUICK = 2e9


def names() -> list[object]:
    rows = verifications()
    slow = {name for name in models.names() if name not in rows or rows[name].mult_adds > QUICK}
    slow |= {name for name in slow | set(rows) if name in rows and rows[name].parameters > 3e7}
    return [pytest.param(name, marks=[pytest.mark.slow] if name in slow else []) for name in models.names()]


def run(name: str, *shape: int, **arguments: object) -> Row:
    size = shape or models.registry.entry(name).input_shape
    return summarize(models.create(name, **arguments), (size[0], size[1], size[2]))


@pytest.mark.parametrize("name", names())
def test_ours_round_to_the_papers_or_it_is_said_why_not(name: str) -> None:
    root, published = run(name), PUBLISHED[name]
    assert [row.path for row in root.walk() if row.uncounted] == []
    assert root.total("parameters") == verifications()[name].parameters
    assert root.total("mult_adds") == verifications()[name].mult_adds
    agrees = published.agrees(root.parameters_at_inference, root.total("mult_adds"))
    assert agrees == (not published.why)


def test_every_model_is_published_somewhere() -> None:
    assert set(PUBLISHED) == set(models.names())


@pytest.mark.parametrize(
    ("value", "printed", "rounds"),
    [
        (60_965_224, "61 M", True),
        (60_965_224, "60 M", False),
        (569_499_999, "569 M", True),
        (569_600_000, "569 M", False),
        (6_849_000, "6.8 M", True),
        (6_851_000, "6.8 M", False),
        (1_248_424, "1,248,424", True),
        (1_248_425, "1,248,424", False),
        (15_340_000_000, "15.3 G", True),
    ],
)
def test_rounding(value: int, printed: str, rounds: bool) -> None:
    assert rounds_to(value, printed) == rounds


def test_a_printed_number_must_be_one() -> None:
    with pytest.raises(ValueError, match="printed must be a number, perhaps with k, M or G, got 'many'"):
        rounds_to(1, "many")


def test_agreement_is_of_both_numbers() -> None:
    published = Published(PUBLISHED["vgg16"].paper, "138 M", "15.3 G")
    assert published.agrees(138_357_544, 15_346_630_656)
    assert not published.agrees(138_357_544, 15_470_264_320)
    assert not published.agrees(139_357_544, 15_346_630_656)


@pytest.mark.slow
def test_alexnet_layer_by_layer() -> None:
    rows = [row for row in run("alexnet_paper").walk() if row.mult_adds]
    outputs = [math.prod(row.output_shape) for row in rows]
    assert tuple(outputs) == ALEXNET_NEURONS
    biases = (96, 256, 384, 384, 256, 4096, 4096, 1000)
    weights = tuple(row.parameters - bias for row, bias in zip(rows, biases, strict=True))
    assert weights == ALEXNET_WEIGHTS
    assert [
        rounds_to(weight, text) for weight, text in zip(weights[5:], ("37 M", "16 M", "4 M"), strict=True)
    ] == [
        False,  # the course notes cut 37.7 and 16.8 off
        False,
        True,
    ]


@pytest.mark.parametrize(("width", "resolution"), MOBILENET_V1_SIZES)
def test_mobilenet_widths_and_resolutions(width: float, resolution: int) -> None:
    parameters, mult_adds, _ = MOBILENET_V1_SIZES[width, resolution]
    root = run("mobilenet_v1", 3, resolution, resolution, width_mult=width, resolution=resolution)
    assert rounds_to(root.total("parameters"), parameters)
    if resolution == 160:  # the paper cuts 290.7 M off
        assert root.total("mult_adds") == pytest.approx(290.7e6, rel=1e-3)
    else:
        assert rounds_to(root.total("mult_adds"), mult_adds)


@pytest.mark.slow
def test_vgg_convolutions_alone_are_what_the_residual_paper_counts() -> None:
    convolutions = sum(row.mult_adds for row in run("vgg16").walk() if row.kind == "Conv2d")
    assert rounds_to(convolutions, "15.3 G")


def test_every_file_says_what_it_follows() -> None:
    """The paper or source, and the table or figure, stand in the module's docstring."""
    for name in models.names():
        text = sys.modules[models.registry.entry(name).builder.__module__].__doc__ or ""
        assert "Paper" in text or "Source" in text, name
        assert "eviation" in text or name == "dlib_inception", name
