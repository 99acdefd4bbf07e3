"""`minidnn predict`: the classes it prints, the files it takes, a user's mistakes in one line."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidnn
from kernels.cuda import emulator
from minidnn import Tensor, functional, nn, no_grad
from minidnn.data import Preprocessing, open_image
from minidnn.optim import SGD
from minidnn.serialization import save_checkpoint
from models import command_line, registry
from models.command_line.predict import parse_argument, read_labels
from models.preprocessing import preprocessing

Image = pytest.importorskip("PIL.Image")
MODEL = "a_tiny_classifier"
SIZE = 70


class Tiny(nn.Module):
    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 7, stride=5)
        self.norm = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(functional.relu(self.norm(self.conv(x))).mean((2, 3)))


def a_tiny_classifier(num_classes: int = 10, width: int = 4) -> Tiny:
    """For large images: as ImageNet's models are prepared."""
    return Tiny(num_classes, width)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = registry.Entry(MODEL, a_tiny_classifier, (3, SIZE, SIZE))
    monkeypatch.setitem(registry._entries, MODEL, entry)


def network(seed: int, num_classes: int = 10, width: int = 4) -> Tiny:
    minidnn.manual_seed(seed)
    model = Tiny(num_classes, width)
    model.fc.weight.data[...] *= 20
    return model.eval()


def write_image(path: Path, height: int = 90, width: int = 121, seed: int = 0) -> None:
    generator = np.random.Generator(np.random.PCG64(seed))
    Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an image, the weights of two networks, and labels."""
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "a.png")
    write_image(tmp_path / "b.png", 64, 80, seed=1)
    minidnn.save(network(0), "first.safetensors")
    minidnn.save({"state_dict": network(1).state_dict(), "epoch": 3}, "second.safetensors")
    (tmp_path / "labels.txt").write_text("\n".join(f"animal {i}" for i in range(10)) + "\n")
    return tmp_path


def run(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    """Status, output and errors of the program, in this process."""
    status = 0
    program, sys.argv[1:] = sys.argv[1:], ["predict", *arguments]
    try:
        command_line.main()
    except SystemExit as stopped:
        status = stopped.code or 0
    finally:
        sys.argv[1:] = program
    written = capsys.readouterr()
    return status, written.out, written.err


def probabilities(model: Tiny, crops: np.ndarray) -> np.ndarray:
    """Average over the crops, computed from the logits by NumPy."""
    with no_grad():
        logits = model(Tensor(crops)).numpy().astype(np.float64)
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return (exponentials / exponentials.sum(1, keepdims=True)).mean(0)


def assert_shows(out: str, image: str, values: np.ndarray, top: int, name: str = "animal {}") -> None:
    """The lines of `image` name the `top` classes in order, with shares that round to two places."""
    shown = [line.split("\t")[1:] for line in out.splitlines() if line.split("\t")[0] == image]
    order = np.argsort(-values)[:top]
    assert [row[0] for row in shown] == [name.format(i) for i in order]
    assert all(re.fullmatch(r"\d+\.\d\d%", share) for _, share in shown)
    shares = [float(share[:-1]) for _, share in shown]
    np.testing.assert_allclose(shares, 100 * values[order], rtol=0, atol=0.00501)


def prepared(image: str, **settings: Any) -> np.ndarray:
    return Preprocessing(**{"crop": SIZE, "resize": 80, **settings})(open_image(image))[None]


def test_the_top_five_with_names(folder: Path, capsys: Any) -> None:
    command = (MODEL, "a.png", "b.png", "--weights", "first.safetensors", "--labels", "labels.txt")
    status, out, err = run(capsys, *command)
    assert (status, err) == (0, "")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["a.png"] * 5 + ["b.png"] * 5
    for name in ("a.png", "b.png"):
        assert_shows(out, name, probabilities(network(0), prepared(name)), 5)


def test_without_labels_classes_are_numbers(folder: Path, capsys: Any) -> None:
    _, out, _ = run(capsys, MODEL, "a.png", "--weights", "first.safetensors", "--top", "1")
    assert_shows(out, "a.png", probabilities(network(0), prepared("a.png")), 1, "class {}")


def test_an_ensemble_averages_probabilities(folder: Path, capsys: Any) -> None:
    files = ("--weights", "first.safetensors", "--weights", "second.safetensors")
    _, out, _ = run(capsys, MODEL, "a.png", *files, "--labels", "labels.txt", "--top", "10")
    pair = [probabilities(network(seed), prepared("a.png")) for seed in (0, 1)]
    assert_shows(out, "a.png", (pair[0] + pair[1]) / 2, 10)


def test_ten_crops_are_averaged(folder: Path, capsys: Any) -> None:
    _, out, _ = run(capsys, MODEL, "a.png", "--weights", "first.safetensors", "--ten-crop", "--top", "10")
    crops = Preprocessing(SIZE, 80).ten_crops(open_image("a.png"))
    assert_shows(out, "a.png", probabilities(network(0), crops), 10, "class {}")
    with pytest.raises(AssertionError):
        assert_shows(out, "a.png", probabilities(network(0), crops[4:5]), 10, "class {}")


def test_sizes_mean_and_deviation_can_be_given(folder: Path, capsys: Any) -> None:
    options = ("--resize", "75", "--crop", "64", "--mean", "0.5,0.4,0.3", "--std", "0.5,0.5,0.25")
    _, out, _ = run(capsys, MODEL, "a.png", "--weights", "first.safetensors", *options)
    crops = prepared("a.png", resize=75, crop=64, mean=(0.5, 0.4, 0.3), std=(0.5, 0.5, 0.25))
    assert_shows(out, "a.png", probabilities(network(0), crops), 5, "class {}")


def test_the_number_of_classes_is_that_of_the_weights(folder: Path, capsys: Any) -> None:
    minidnn.save({f"module.{k}": v for k, v in network(2, 3).state_dict().items()}, "three.safetensors")
    status, out, err = run(capsys, MODEL, "a.png", "--weights", "three.safetensors")
    assert (status, err) == (0, "")
    assert_shows(out, "a.png", probabilities(network(2, 3), prepared("a.png")), 3, "class {}")


def test_arguments_that_the_weights_do_not_tell(folder: Path, capsys: Any) -> None:
    minidnn.save(network(0, width=6), "wide.safetensors")
    _, out, _ = run(capsys, MODEL, "a.png", "--weights", "wide.safetensors", "--argument", "width=6")
    assert_shows(out, "a.png", probabilities(network(0, width=6), prepared("a.png")), 5, "class {}")


def test_values_of_arguments() -> None:
    assert parse_argument("padding=tensorflow") == ("padding", "tensorflow")
    assert parse_argument("width_mult=0.5") == ("width_mult", 0.5)
    assert parse_argument("relu=true") == ("relu", True)
    assert parse_argument("a=b=c") == ("a", "b=c")


def test_a_checkpoint_of_training_brings_its_arguments_and_its_preprocessing(
    folder: Path, capsys: Any
) -> None:
    model = network(3, 4, width=6)
    arguments = {"model": MODEL, "num_classes": 4, "width": 6, "lr": 0.1, "data": "somewhere"}
    save_checkpoint("c.safetensors", model, SGD(model.parameters(), lr=0.1), position={}, arguments=arguments)
    status, out, err = run(capsys, MODEL, "a.png", "--weights", "c.safetensors")
    assert (status, err) == (0, "")
    crops = prepared("a.png", resize=(SIZE, SIZE), mean=(0.0,) * 3, std=(1.0,) * 3)
    assert_shows(out, "a.png", probabilities(model, crops), 4, "class {}")
    _, out, _ = run(capsys, MODEL, "a.png", "--weights", "c.safetensors", "--resize", "75")
    crops = prepared("a.png", resize=75, mean=(0.0,) * 3, std=(1.0,) * 3)
    assert_shows(out, "a.png", probabilities(model, crops), 4, "class {}")


def test_a_terminal_shows_tables(folder: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    (folder / "labels.txt").write_text("\n".join(f"[bold]{i}" for i in range(10)))
    status, out, err = run(capsys, MODEL, "a.png", "--weights", "first.safetensors", "--labels", "labels.txt")
    assert (status, err) == (0, "")
    assert "a.png" in out
    assert "confidence" in out
    best = int(probabilities(network(0), prepared("a.png")).argmax())
    assert f"[bold]{best}" in out
    assert out.count("│") >= 10


FIRST = ("a.png", "--weights", "first.safetensors")
MISTAKES = {
    "missing weights": (("a.png", "--weights", "no.pth"), "no.pth: No such file or directory"),
    "missing image": (("no.png", "--weights", "first.safetensors"), "no.png: No such file or directory"),
    "missing labels": ((*FIRST, "--labels", "no.txt"), "no.txt: No such file or directory"),
    "no image": (("labels.txt", "--weights", "first.safetensors"), "labels.txt is no readable image: "),
    "no weights": (("a.png", "--weights", "labels.txt"), "labels.txt is truncated or not a safetensors file"),
    "no state": (("a.png", "--weights", "other.safetensors"), "other.safetensors holds no state dict: "),
    "another model's": (
        ("a.png", "--weights", "lenet.safetensors"),
        f"lenet.safetensors does not fit {MODEL}: it lacks conv.weight and 7 more, has unknown ",
    ),
    "another width": (
        ("a.png", "--weights", "wide.safetensors"),
        f"wide.safetensors does not fit {MODEL}: state_dict['conv.weight'] has shape (6, 3",
    ),
    "another's checkpoint": (
        ("a.png", "--weights", "checkpoint.safetensors"),
        f"checkpoint.safetensors is a checkpoint of lenet5, not of {MODEL}",
    ),
    "too few labels": (
        (*FIRST, "--labels", "nine.txt"),
        "nine.txt has 9 names, but first.safetensors has 10 classes",
    ),
    "unequal ensemble": (
        (*FIRST, "--weights", "three.safetensors"),
        "three.safetensors has 3 classes, but first.safetensors has 10",
    ),
    "mean": ((*FIRST, "--mean", "a,b"), "--mean must be numbers with commas between them, got 'a,b'"),
    "two means": ((*FIRST, "--mean", "1,2"), "mean and std must have one number per channel"),
    "no value": (
        (*FIRST, "--argument", "width"),
        "--argument must be a name and a value like padding=tensorflow, got 'width'",
    ),
    "no such argument": (
        (*FIRST, "--argument", "padding=torch"),
        f"{MODEL} has no argument 'padding'; it has: num_classes, width",
    ),
    "small crop": ((*FIRST, "--crop", "5"), f"{MODEL} does not take crops of 5: "),
    "large crop": ((*FIRST, "--resize", "50"), "crop must be at most resize, got crop 70 and resize 50"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_told_in_one_line(kind: str, folder: Path, capsys: Any) -> None:
    minidnn.save({"a": 1, "b": "x"}, "other.safetensors")
    minidnn.save(registry.create("lenet5"), "lenet.safetensors")
    minidnn.save(network(0, width=6), "wide.safetensors")
    minidnn.save(network(0, 3), "three.safetensors")
    model = network(0)
    optimizer = SGD(model.parameters(), lr=0.1)
    save_checkpoint("checkpoint.safetensors", model, optimizer, position={}, arguments={"model": "lenet5"})
    (folder / "nine.txt").write_text("x\n" * 9)
    arguments, message = MISTAKES[kind]
    status, out, err = run(capsys, MODEL, *arguments)
    assert status == 2
    assert out == ""
    assert err.startswith(f"minidnn: {message}")
    assert err.count("\n") == 1


def test_an_unknown_model_and_one_that_takes_no_images(folder: Path, capsys: Any) -> None:
    assert run(capsys, "lenet", "a.png", "--weights", "first.safetensors")[2].startswith(
        "minidnn: unknown model 'lenet'; did you mean"
    )
    entry = registry.Entry("module", a_tiny_classifier, (192, 28, 28))
    registry._entries["module"] = entry
    try:
        error = run(capsys, "module", "a.png", "--weights", "first.safetensors")[2]
    finally:
        del registry._entries["module"]
    assert error == "minidnn: module takes 192 channels, which no image has\n"


@pytest.mark.parametrize(
    ("content", "want"),
    [
        ("cat\ndog\n\n", ["cat", "dog"]),
        ("cat\r\nsome dog", ["cat", "some dog"]),
        (json.dumps(["cat", "dog"]), ["cat", "dog"]),
        (json.dumps({"1": "dog", "0": "cat"}), ["cat", "dog"]),
        (json.dumps({"0": ["n02124075", "cat"], "1": ["n02084071", "dog"]}), ["cat", "dog"]),
        (json.dumps({"dog": 1, "cat": 0}), ["cat", "dog"]),
    ],
)
def test_forms_of_labels(content: str, want: list[str], tmp_path: Path) -> None:
    path = tmp_path / ("labels.JSON" if content[0] in "[{" else "labels.txt")
    path.write_text(content)
    assert read_labels(path) == want


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "must be a text in UTF-8 or JSON"),
        (b"[1, 2]", "must hold a list of names, or a dictionary of names and numbers"),
        (b"[", "must hold a list of names"),
        (b'{"0": "a", "2": "b"}', "must hold a list of names"),
        (b"[[]]", "must hold a list of names"),
        (b"[" * 100_000, "must hold a list of names"),
    ],
)
def test_labels_that_are_none(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_labels(tmp_path / "labels.json")


def test_every_model_for_images_has_its_preprocessing() -> None:
    for name in registry.names():
        channels, size, _ = registry.entry(name).input_shape
        if channels in (1, 3):
            prepare = preprocessing(name)
            assert len(prepare.mean) == channels
            assert prepare.crop == size or name == "efficientnet_b2"  # whose official file is for 288


def test_models_for_small_and_grey_images_see_the_whole_shorter_side() -> None:
    assert preprocessing("lenet5") == Preprocessing(32, 32, (0.0,), (1.0,))
    assert preprocessing("lenet5", crop=28).resize == 28


@pytest.mark.reference
def test_preprocessing_is_that_of_torchvisions_files() -> None:
    from tests.torchvision_bridge import torchvision_ops

    try:
        torchvision_ops()
    except ImportError as missing:
        pytest.skip(str(missing))
    from torchvision import models as theirs

    names = [name for name in registry.names() if name in theirs.list_models(module=theirs)]
    same = 0
    for name in names:
        if name in (
            "googlenet",
            "inception_v3",
        ):  # normalised by ImageNet's statistics first, then to [-1, 1]
            continue
        for file in theirs.get_model_weights(name):
            want = file.transforms()
            if file.name != "IMAGENET1K_V1" or name == "resnext101_64x4d":
                continue  # a later recipe, of which the user gives the size: --resize 232
            got = preprocessing(name)
            assert (got.resize, got.crop) == (want.resize_size[0], want.crop_size[0]), name
            assert (list(got.mean), list(got.std)) == (want.mean, want.std), name
            assert got.interpolation == want.interpolation.value, name
            same += 1
    assert same > 20


@pytest.mark.reference
def test_a_file_of_torchvision_gives_torchvisions_answer(folder: Path, capsys: Any) -> None:
    """Weights, preprocessing and network together: squeezenet with seven classes."""
    from tests.torchvision_bridge import torchvision_ops

    try:
        torchvision_ops()
    except ImportError as missing:
        pytest.skip(str(missing))
    import torch
    from torchvision.models import squeezenet1_1
    from torchvision.transforms._presets import ImageClassification

    if "squeezenet1_1" not in registry.names():
        pytest.skip("there is no squeezenet yet")
    torch.manual_seed(0)
    reference = squeezenet1_1(num_classes=7).eval()
    torch.save(reference.state_dict(), "squeezenet.pth")
    with torch.no_grad():
        crops = ImageClassification(crop_size=224)(open_image("a.png"))[None]
        want = torch.softmax(reference(crops).double(), 1)[0].numpy()
    _, out, _ = run(capsys, "squeezenet1_1", "a.png", "--weights", "squeezenet.pth")
    assert_shows(out, "a.png", want, 5, "class {}")


def test_predicts_alike_on_the_emulator(folder: Path, capsys: Any) -> None:
    try:
        minidnn.device("emulator")
    except ValueError as missing:
        pytest.skip(str(missing))
    with emulator.use_mode("undefined"):  # compiled for the kernels' own tests too
        status, out, _ = run(
            capsys,
            MODEL,
            "--weights",
            "first.safetensors",
            "--labels",
            "labels.txt",
            "--device",
            "emulator",
            "a.png",
        )
    assert status == 0
    assert_shows(out, "a.png", probabilities(network(0), prepared("a.png")), 5)


def test_an_unknown_device_is_named(folder: Path, capsys: Any) -> None:
    status, _, err = run(capsys, MODEL, "--weights", "first.safetensors", "--device", "tpu", "a.png")
    assert status == 2
    assert err == "minidnn: device must be one of 'cpu', 'gpu', 'emulator', got 'tpu'\n"
