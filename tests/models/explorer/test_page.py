"""The page as a file: nothing is fetched, scripts and styles run by their hash, templates fit together."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from models.explorer.page import SCRIPTS, TEMPLATES, script_text
from models.explorer.pictures import brightness, mosaic, png, shrink


def test_the_page_may_fetch_nothing(lenet_html: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', lenet_html)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["connect-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for kind, pattern in (
        ("script-src", r'<script type="module">(.*?)</script>'),
        ("style-src", r"<style>(.*?)</style>"),
    ):
        (text,) = re.findall(pattern, lenet_html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"


def test_nothing_is_linked(lenet_html: str) -> None:
    frame = re.sub(r'<script type="application/json".*?</script>', "", lenet_html, flags=re.DOTALL)
    assert set(re.findall(r"https?://[^\s\"']*", frame)) <= {"http://www.w3.org/2000/svg"}
    assert " style=" not in frame


def test_scripts_import_only_what_earlier_ones_export() -> None:
    exported: dict[str, set[str]] = {}
    for name in SCRIPTS:
        text = (TEMPLATES / f"{name}.js").read_text("utf-8")
        for names, source in re.findall(r'^import \{([^}]*)\} from "\./(\w+)\.js";$', text, re.MULTILINE):
            wanted = {one.strip() for one in names.split(",")}
            assert wanted <= exported[source], (
                f"{name}.js imports {wanted - exported[source]} from {source}.js"
            )
            rest = re.sub(r"^import .*$", "", text, flags=re.MULTILINE)
            unused = {one for one in wanted if not re.search(rf"\b{one}\b", rest)}
            assert not unused, f"{name}.js does not use {unused}"
        exported[name] = set(re.findall(r"^export (?:async )?(?:function|const) (\w+)", text, re.MULTILINE))
    assert {path.stem for path in TEMPLATES.glob("*.js")} == set(SCRIPTS)
    assert not re.search(r"^(import|export) ", script_text(), re.MULTILINE)


def test_png_is_read_by_another_program() -> None:
    image = pytest.importorskip("PIL.Image")
    import io

    for shape in ((5, 7), (4, 3, 3)):
        pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        np.testing.assert_array_equal(np.asarray(image.open(io.BytesIO(png(pixels)))), pixels)


def pixels_of(source: str) -> np.ndarray:
    """The grey pixels of one of our own pictures: no filters, one chunk of data."""
    file = base64.b64decode(source.partition(",")[2])
    width, height = (int.from_bytes(file[start : start + 4], "big") for start in (16, 20))
    length = int.from_bytes(file[33:37], "big")
    rows = np.frombuffer(zlib.decompress(file[41 : 41 + length]), np.uint8).reshape(height, width + 1)
    return rows[:, 1:]


def test_a_mosaic_shows_planes_in_rows() -> None:
    planes = np.stack([np.full((2, 3), value) for value in range(5)]).astype(np.float32)
    planes[:, 0, 0] = -1
    sprite = mosaic(planes, [f"p{i}" for i in range(5)], "planes", 4)
    assert (sprite.width, sprite.height, sprite.columns, sprite.more) == (3, 2, 2, 1)
    assert sprite.names == ("p0", "p1", "p2", "p3")
    tile = np.array([[0, 255, 255], [255, 255, 255]])
    np.testing.assert_array_equal(pixels_of(sprite.source), np.tile(tile, (2, 2)))


def test_brightness_of_signs_and_of_what_is_not_finite() -> None:
    values = np.array([[-2.0, 0, 1, np.nan, np.inf]], np.float32)
    assert brightness(values, signed=True).tolist() == [[0, 128, 191, 0, 0]]
    assert brightness(np.zeros((1, 2)), signed=False).tolist() == [[0, 0]]


def test_large_planes_are_averaged() -> None:
    plane = np.arange(35.0).reshape(5, 7)
    np.testing.assert_allclose(shrink(plane, 3), shrink_by_hand(plane))
    assert shrink(plane, 7) is plane


def shrink_by_hand(plane: np.ndarray) -> np.ndarray:
    """Blocks of 3 x 3, what is over left out."""
    return np.array([[plane[0:3, 0:3].mean(), plane[0:3, 3:6].mean()]])


def test_templates_are_packed() -> None:
    import tomllib

    settings = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert "explorer/templates/*" in settings["tool"]["setuptools"]["package-data"]["models"]
