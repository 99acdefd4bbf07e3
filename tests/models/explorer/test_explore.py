"""`minidnn explore`: the file it writes, what it says of it, a user's mistakes; and the page served."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import minidnn
import models
from minidnn.receptive_field import effective_receptive_field
from minidnn.tracing import Trace
from models import command_line
from models.explorer.server import Server
from models.explorer.subject import Subject, bundled_image, choose_subject
from tests.models.explorer.conftest import serving
from tests.models.explorer.test_page import pixels_of


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command_line.app, ["explore", *arguments])


def test_a_page_is_written(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("earlier")
    result = run("lenet5", "-o", str(path))
    assert result.exit_code == 0, result.output
    assert "Image: a handwritten 0 of the package's test digits." in result.output
    assert "untrained" in result.output
    assert f"{path}: 0." in result.output.replace("\n", "")
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_an_earlier_page_stays_when_there_is_no_new_one(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("earlier")
    assert isinstance(run("lenet5", "-o", str(path), "--weights", str(tmp_path / "no")).exception, OSError)
    assert path.read_text() == "earlier"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("lenet55",), ValueError, "unknown model 'lenet55'; did you mean lenet5"),
        (
            ("faster_rcnn_vgg16",),
            ValueError,
            "faster_rcnn_vgg16 is a model for detection, not for classification",
        ),
        (("lenet5", "--image", "no.png"), FileNotFoundError, "no.png"),
        (("lenet5", "--weights", "no.pth"), FileNotFoundError, "no.pth"),
        (("lenet5", "--serve", "-o", "x.html"), ValueError, "--output and --serve exclude each other"),
    ],
)
def test_mistakes_are_told(arguments: tuple[str, ...], error: type[Exception], message: str) -> None:
    if "--image" in arguments:
        pytest.importorskip("PIL.Image")
    found = run(*arguments).exception
    assert isinstance(found, error)
    assert message in str(found)


def test_a_folder_is_no_page(tmp_path: Path) -> None:
    assert isinstance(run("lenet5", "-o", str(tmp_path)).exception, OSError)


def test_weights_and_image_are_the_given_ones(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    network = models.create("lenet5", num_classes=7)
    minidnn.save(network.state_dict(), tmp_path / "weights.pth")
    pixels = np.random.default_rng(5).integers(0, 256, (32, 32), dtype=np.uint8)
    image.fromarray(pixels).save(tmp_path / "digit.png")
    subject = choose_subject("lenet5", tmp_path / "digit.png", tmp_path / "weights.pth")
    np.testing.assert_array_equal(subject.picture, pixels)
    np.testing.assert_allclose(subject.x[0, 0], pixels / 255, rtol=1e-6)
    np.testing.assert_array_equal(
        subject.network.state_dict()["c1.weight"].numpy(), network.state_dict()["c1.weight"].numpy()
    )
    assert subject.notes[:2] == ("Image: digit.png.", "Weights: weights.pth.")


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (1, 32), (3, 32), (3, 96)])
def test_bundled_images_have_the_models_size(channels: int, size: int) -> None:
    image, note = bundled_image(channels, size)
    assert image.shape == (channels, size, size)
    assert 0 <= image.min() < image.max() <= 1
    assert "digit" in note


# ---- served --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(lenet_html: str, lenet_subject: Subject, lenet_trace: Trace) -> Iterator[Server]:
    with serving(lenet_html, lenet_subject, lenet_trace) as running:
        yield running


def get(server: Server, path: str, host: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=300)  # type: ignore[arg-type]
    connection.request("GET", path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    content = answer.status, answer.read()
    connection.close()
    return content


def test_the_page_is_served_to_this_machine(server: Server, lenet_html: str) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert get(server, "/") == (200, lenet_html.encode())
    assert get(server, "/", f"localhost:{server.server_address[1]}")[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "evil.example:80"])
def test_other_names_are_refused(server: Server, host: str) -> None:
    status, content = get(server, "/inspect?operation=0&channel=0", host)
    assert status == 403
    assert b"filters" not in content


def test_any_channel_is_answered(server: Server) -> None:
    status, content = get(server, "/inspect?operation=3&channel=11")
    assert status == 200
    spec: Any = json.loads(content)
    assert [filter["output"] for filter in spec["filters"]] == [11]
    assert spec["filters"][0]["inputs"] == [0, 1, 2, 3, 4, 5]


def test_the_field_of_any_unit_is_answered(server: Server, lenet_subject: Subject) -> None:
    status, content = get(server, "/field?operation=3&row=9&column=2")
    assert status == 200
    answer: Any = json.loads(content)
    assert answer["unit"] == [9, 2]
    field = effective_receptive_field(lenet_subject.network, lenet_subject.x, "c3", (9, 2))
    np.testing.assert_array_equal(pixels_of(answer["effective"]), np.rint(field / field.max() * 255))


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/inspect?operation=3&channel=16", 400, b"channel must be from 0 to 15, got 16"),
        ("/inspect?operation=99&channel=0", 400, b"operation must be from 0 to"),
        ("/inspect?operation=-1&channel=0", 400, b"operation must be from 0 to"),
        ("/inspect?operation=1&channel=0", 400, b"operation must be a convolution, got Tanh"),
        ("/inspect?operation=x&channel=0", 400, b"invalid literal"),
        ("/inspect?operation=3", 400, b"channel is missing"),
        ("/field?operation=3&row=10&column=0", 400, b"unit must lie in a map of 10 x 10, got (10, 0)"),
        ("/field?operation=9&row=0&column=0", 400, b"operation must make maps, got Linear"),
        ("/etc/passwd", 404, b"there is only"),
    ],
)
def test_other_questions_are_refused(server: Server, path: str, status: int, message: bytes) -> None:
    found, content = get(server, path)
    assert found == status
    assert message in content
