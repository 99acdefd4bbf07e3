"""The page in a headless Chromium: it opens, folds, shows a layer, and its numbers are the engine's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn.tracing import Trace
from models.explorer import gather, render, trace_subject
from tests.models.explorer.conftest import serving
from tests.models.explorer.small import Everything, Regions, subject_of

Open = Callable[..., Any]


def choose(page: Any, operation: int) -> None:
    page.click(f"#outline [data-item=operation-{operation}]")


def exact(page: Any, name: str) -> float:
    return float(page.get_attribute(f"#panel .{name}", "data-exact"))


def no_sideways_scroll(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_opens_with_the_network(opened: Open, lenet_file: Path) -> None:
    page = opened(lenet_file)
    assert page.inner_text("h1") == "lenet5"
    assert (
        page.locator("#graph .node[role=button]").count() == page.locator("#outline [role=treeitem]").count()
    )
    assert "61.71 k parameters" in page.inner_text("#header")
    assert no_sideways_scroll(page)


def test_the_inspectors_numbers_are_the_engines(opened: Open, lenet_file: Path, lenet_trace: Trace) -> None:
    page = opened(lenet_file, 400)
    for operation in (0, 3):
        choose(page, operation)
        arrays = lenet_trace.operations[operation].arrays
        assert arrays is not None
        y = arrays.outputs[0][0]
        for channel, (row, column) in ((0, (0, 0)), (5, (7, 3)), (2, (9, 9))):
            page.select_option("#panel .controls select >> nth=0", str(channel))
            frame = page.locator("#panel .inspector .pickable")
            box = frame.bounding_box()
            place = {
                "x": (column + 0.5) * box["width"] / y.shape[2],
                "y": (row + 0.5) * box["height"] / y.shape[1],
            }
            frame.hover(position=place)
            assert f"y[{channel}, {row}, {column}]" in page.inner_text("#panel .sum")
            assert exact(page, "engine") == y[channel, row, column]
            assert exact(page, "total") == pytest.approx(y[channel, row, column], rel=1e-5, abs=1e-6)


def test_pooling_and_linear_numbers_are_the_engines(
    opened: Open, lenet_file: Path, lenet_trace: Trace
) -> None:
    page = opened(lenet_file, 400)
    for record in lenet_trace.operations:
        if record.function not in ("AvgPool2d", "Linear"):
            continue
        choose(page, record.index)
        assert record.arrays is not None
        y = record.arrays.outputs[0][0]
        middle = y[0] if y.ndim == 1 else y[0, y.shape[1] // 2, y.shape[2] // 2]
        assert exact(page, "engine") == middle
        assert exact(page, "total") == pytest.approx(middle, rel=1e-5, abs=1e-6)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trace]:
    return explored(lambda: Everything().train(), (4, 11, 9), tmp_path_factory)


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trace]:
    return explored(Regions, (3, 24, 30), tmp_path_factory)


def explored(
    build: Callable[[], Any], shape: tuple[int, ...], folders: pytest.TempPathFactory
) -> tuple[Path, Trace]:
    minidnn.manual_seed(7)
    subject = subject_of(build(), shape, 7)
    trace = trace_subject(subject)
    path = folders.mktemp("explorer") / "page.html"
    path.write_text(render(gather(subject, trace)), "utf-8")
    return path, trace


def test_every_inspector_agrees(
    opened: Open, everything: tuple[Path, Trace], regions: tuple[Path, Trace]
) -> None:
    kinds = set()
    for path, trace in (everything, regions):
        page = opened(path, 400)
        for record in trace.operations:
            choose(page, record.index)
            if page.locator("#panel .total").count():
                assert exact(page, "total") == pytest.approx(exact(page, "engine"), rel=1e-4, abs=1e-5)
                kinds.add(record.function)
    assert {"Conv2d", "DepthwiseConv2d", "BatchNormTraining", "MaxPool2d", "RoIPool", "Linear"} <= kinds


def test_the_mask_and_the_owners_are_shown(opened: Open, everything: tuple[Path, Trace]) -> None:
    path, trace = everything
    page = opened(path, 400)
    by_function = {record.function: record for record in trace.operations}
    choose(page, by_function["Dropout"].index)
    dropped = int((by_function["Dropout"].arrays.outputs[0] == 0).sum())  # type: ignore[union-attr]
    assert f"{dropped} of " in page.inner_text("#panel .inspector")
    choose(page, by_function["Concat"].index)
    assert "0 to 11" in page.inner_text("#panel .inspector")
    assert "12 to 14" in page.inner_text("#panel .inspector")


def test_bins_lie_on_the_image(opened: Open, regions: tuple[Path, Trace]) -> None:
    path, trace = regions
    page = opened(path)
    page.click("text=List")
    choose(page, next(record.index for record in trace.operations if record.function == "RoIPool"))
    assert page.locator("#panel .mark.bin").count() == 2 * 6  # on the image and on the feature map


def test_regions_are_pooled_on_the_networks_own_map(
    opened: Open, lenet_file: Path, lenet_trace: Trace
) -> None:
    page = opened(lenet_file)
    page.click("#tab-regions")
    assert page.locator("#view-regions .mark.bin").count() == 2 * 9
    page.select_option("#view-regions select >> nth=0", "2")
    total, engine = (
        float(page.get_attribute(f"#view-regions .{name}", "data-exact")) for name in ("total", "engine")
    )
    assert total == engine
    # The third region is x from 0 to 0.4, y from 0.5 to 0.95: rows 7 to 13 and columns 0 to 6 of 14.
    bins = page.evaluate(
        "[...document.querySelectorAll('#view-regions .plane-figure:first-child .bin')]"
        ".map((bin) => [bin.style.top, bin.style.left, bin.style.height].map(parseFloat))"
    )
    assert bins[0][:2] == pytest.approx([50, 0])
    assert bins[-1][0] + bins[-1][2] == pytest.approx(100)
    maps = next(one for one in reversed(lenet_trace.operations) if one.outputs[0].shape[2:] == (14, 14))
    assert maps.arrays is not None
    assert engine in maps.arrays.outputs[0]


def test_narrow_pages_begin_with_the_list(opened: Open, lenet_file: Path) -> None:
    page = opened(lenet_file, 400)
    assert page.locator("#outline").is_visible()
    assert not page.locator("#graph").is_visible()
    for operation in range(12):
        choose(page, operation)
        assert no_sideways_scroll(page)
    for tab in ("order", "flow", "regions"):
        page.click(f"#tab-{tab}")
        assert no_sideways_scroll(page)


def test_the_keyboard_reaches_everything(opened: Open, lenet_file: Path) -> None:
    page = opened(lenet_file)
    page.locator("#graph .node[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.inner_text("#panel h2").startswith("c3")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.item") == "operation-3"
    page.keyboard.press("Enter")
    page.locator("#panel .inspector .pickable").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert "y[0, 6, 6]" in page.inner_text("#panel .sum")
    page.locator("#tab-network").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#view-order").is_visible()
    unnamed = page.evaluate(
        """[...document.querySelectorAll(
            "button, [role=button], [role=treeitem], [role=application], select, input, img, svg[role]"
        )].filter((node) => !(
            node.textContent.trim() || node.getAttribute("aria-label") || node.getAttribute("alt") !== null
        )).length"""
    )
    assert unnamed == 0


def test_blocks_fold(opened: Open, tmp_path_factory: pytest.TempPathFactory) -> None:
    import models

    path, trace = explored(lambda: models.resnet20().eval(), (3, 32, 32), tmp_path_factory)
    page = opened(path)
    page.click("text=Fold all")
    folded = page.locator("#graph [role=button]").count()
    page.locator("#graph [aria-label^='layer1,']").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#graph [role=button]").count() == folded + 3
    assert page.locator("#graph [aria-label^='layer1,']").get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowLeft")
    assert page.locator("#graph [role=button]").count() == folded
    page.click("text=Unfold all")
    assert page.locator("#graph .node[role=button]").count() == len(trace.operations)
    page.locator("#outline").evaluate("(outline) => (outline.hidden = false)")
    assert page.locator("#outline [data-item^=operation]").count() == len(trace.operations)


def test_a_served_page_asks_for_any_channel_and_unit(opened: Open) -> None:
    import models

    minidnn.manual_seed(7)
    subject = subject_of(models.resnet20().eval(), (3, 32, 32), 7)
    trace = trace_subject(subject)
    with serving(render(gather(subject, trace, live=True)), subject, trace) as server:
        page = opened(server, 400)
        page.click("text=Unfold all")
        choose(page, 3)
        channel = page.locator("#panel [aria-label='Any output channel']")
        channel.fill("13")
        page.click("#panel >> text=Show this channel, all inputs")
        page.get_by_text("Output channel 13: point at a pixel").wait_for()
        arrays = trace.operations[3].arrays
        assert arrays is not None
        y = arrays.outputs[0][0]
        assert exact(page, "engine") == y[13, y.shape[1] // 2, y.shape[2] // 2]
        page.click("#panel >> text=What moves this unit?")
        page.get_by_text("What moves unit (16, 16): the brighter, the more").first.wait_for()


def test_passes_go_through_the_graph_in_order(opened: Open, lenet_file: Path, lenet_trace: Trace) -> None:
    page = opened(lenet_file, reduced_motion="reduce")
    count = len(lenet_trace.operations)
    page.click("#steps >> text=Forward")
    assert page.inner_text("#steps .status").startswith(f"1 / {count}: c1 (Conv2d), 1×32×32 → 6×28×28")
    page.click("#steps >> text=Step")
    assert page.locator("#graph .current").get_attribute("data-item") == "operation-1"
    page.click("#steps >> text=Backward")
    assert page.locator("#graph .current").get_attribute("data-item") == f"operation-{count - 1}"
    for _ in range(count):
        page.click("#steps >> text=Step")
    assert "complete" in page.inner_text("#steps .status")
    assert page.locator("#graph .done").count() == count


def test_a_pass_plays_and_pauses(opened: Open, lenet_file: Path) -> None:
    page = opened(lenet_file)
    page.click("#steps >> text=Forward")
    page.wait_for_selector("#graph .done")
    page.click("#steps >> text=Pause")
    assert page.inner_text("#steps button >> nth=2") == "Go on"
    page.click("#steps >> text=Clear")
    assert page.locator("#graph .done").count() == 0


def test_naive_recursion_visits_too_early_and_too_often(opened: Open, lenet_file: Path) -> None:
    page = opened(lenet_file)
    page.click("#tab-order")
    rows = page.locator(".counts tbody tr")
    for place, diamonds in enumerate([1, 2, 4, 8, 12]):
        cells = rows.nth(place).locator("td").all_inner_texts()
        # A path ends in each node: 3 per diamond that begins there, and there are 2^d ways to the d-th.
        assert cells == [
            str(diamonds),
            str(3 * diamonds + 1),
            str(3 * diamonds + 1),
            str(4 * 2**diamonds - 3),
        ]
    step = page.get_by_role("button", name="Step: Naive recursion")
    for _ in range(3):
        step.click()
    assert "it was visited too early" in page.inner_text(".walk >> nth=0 >> .status")
    assert page.locator(".walk >> nth=0 >> .wrong").count() == 1
    ordered = page.get_by_role("button", name="Step: Youngest node first")
    for _ in range(7):
        ordered.click()
    assert page.locator(".walk >> nth=1 >> .wrong").count() == 0


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) => {
    const [r, g, b] = color.map((value) => value / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return rgb("white");
  };
  const faint = [];
  for (const node of document.querySelectorAll("body *:not(svg *):not(option):not(:disabled)")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.classList.contains("owner")) continue;
    const pair = [light(rgb(getComputedStyle(node).color)), light(ground(node))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) faint.push(`${node.tagName}.${node.className}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(opened: Open, lenet_file: Path, scheme: str) -> None:
    page = opened(lenet_file, color_scheme=scheme)
    page.click("#graph [data-item=operation-3]")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = np.mean([int(part) for part in ground.removeprefix("rgb(").removesuffix(")").split(",")])
    assert (brightness < 80) == (scheme == "dark")
    assert page.evaluate(CONTRAST) == []


def test_the_ladder_shows_sources(opened: Open, lenet_file: Path) -> None:
    page = opened(lenet_file)
    page.click("#graph [data-item=operation-0]")
    ladder = page.locator("#panel .ladder").first
    ladder.locator("h4 >> nth=2").wait_for()
    assert ladder.locator("h4").all_inner_texts() == ["Reference (NumPy)", "Numba", "CUDA"]
    ladder.locator(".rung >> nth=0 >> summary").click()
    ladder.get_by_text("def conv2d_forward_loops").first.wait_for()
    assert ladder.locator(".badge").count() == 1
