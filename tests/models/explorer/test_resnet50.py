"""The page of ResNet-50: small enough, quick to open, and its inspectors' numbers are the engine's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minidnn.tracing import Trace
from models.explorer import choose_subject, gather, render, trace_subject
from tests.models.explorer.test_browser import choose, exact, no_sideways_scroll

LARGEST = 15_000_000
LONGEST = 2_000  # milliseconds until the page can be used
TRIES = 3  # of which the quickest counts: the machine has other things to do


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trace]:
    subject = choose_subject("resnet50")
    trace = trace_subject(subject)
    path = tmp_path_factory.mktemp("explorer") / "resnet50.html"
    path.write_text(render(gather(subject, trace)), "utf-8")
    return path, trace


@pytest.mark.slow
def test_the_page_is_small(resnet: tuple[Path, Trace]) -> None:
    assert resnet[0].stat().st_size < LARGEST


@pytest.mark.slow
def test_the_page_opens_quickly(opened: Callable[..., Any], resnet: tuple[Path, Trace]) -> None:
    path, _ = resnet
    times = [opened(path).evaluate("Number(document.body.dataset.ready)") for _ in range(TRIES)]
    assert min(times) < LONGEST


@pytest.mark.slow
def test_sums_over_all_channels_are_the_engines(
    opened: Callable[..., Any], resnet: tuple[Path, Trace]
) -> None:
    path, trace = resnet
    page = opened(path, 400)
    page.click("text=Unfold all")
    convolutions = [record for record in trace.operations if record.function == "Conv2d"]
    assert len(convolutions) == 53
    for record in convolutions[::5]:
        choose(page, record.index)
        assert record.arrays is not None
        y = record.arrays.outputs[0][0]
        channel = int(page.inner_text("#panel .controls option >> nth=0").removeprefix("channel "))
        value = y[channel, y.shape[1] // 2, y.shape[2] // 2]
        assert exact(page, "engine") == value
        assert exact(page, "total") == pytest.approx(value, rel=1e-4, abs=1e-5)
        assert no_sideways_scroll(page)
