"""Features of frozen layers: their values, and when a file of them serves again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, data, nn, no_grad, optim
from minidnn.data import ArrayDataset, DataLoader, FitImage
from minidnn.training import Trainer, evaluate, features, train_only
from tests.minidnn.training.test_transfer import Network, network, state


def images(count: int = 11, seed: int = 3, transform: Any = None) -> ArrayDataset:
    generator = np.random.default_rng(seed)
    inputs = generator.standard_normal((count, 1, 8, 8)).astype(np.float32)
    return ArrayDataset(inputs, generator.integers(0, 10, count), transform, classes=list("abcdefghij"))


def test_they_are_what_the_module_is_given_in_inference() -> None:
    model, samples = network(), images()
    got = features(model, samples, before="body", batch_size=4)
    assert model.training
    assert model.stem.training
    model.eval()
    with no_grad():
        want = model.stem(Tensor(samples.inputs)).numpy()
    np.testing.assert_allclose(got.inputs, want, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(got.targets, samples.targets)
    assert got.classes == samples.classes
    assert features(model, samples, before="fc").inputs.shape == (11, 64)


def test_what_the_module_does_to_its_input_is_not_seen() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)).double()
    samples = ArrayDataset(np.random.default_rng(0).standard_normal((6, 3)), np.zeros(6, int))
    assert features(model, samples, before="1").inputs.min() < 0


def test_a_head_trained_on_them_is_as_good_as_inside_the_model() -> None:
    """The same steps on the same batches, of features or of images through frozen layers."""
    samples = images(40)
    whole, parts = network(), network()
    train_only(whole, "fc")

    def fit(model: nn.Module, dataset: ArrayDataset, trained: nn.Module) -> None:
        optimizer = optim.SGD(trained.parameters(), lr=0.1, momentum=0.9)
        Trainer(model, optimizer, DataLoader(dataset, 8, shuffle=True, seed=1), DataLoader(dataset, 8)).fit(3)

    fit(whole, samples, whole.fc)
    fit(parts.fc, features(parts, samples, before="fc"), parts.fc)
    np.testing.assert_allclose(parts.fc.weight.detach(), whole.fc.weight.detach(), rtol=1e-4, atol=1e-6)
    loader = DataLoader(samples, 8)
    assert evaluate(parts, loader).loss == pytest.approx(evaluate(whole, loader).loss, rel=1e-4)


def test_the_layers_are_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, samples, folder = network(), images(), tmp_path / "new" / "folder"
    first = features(model, samples, "fc", folder)
    (path,) = folder.iterdir()
    monkeypatch.setattr(Network, "forward", lambda *_: pytest.fail("the model was run"))
    second = features(model, samples, "fc", folder)
    np.testing.assert_array_equal(second.inputs, first.inputs)
    np.testing.assert_array_equal(second.targets, first.targets)
    assert second.classes == samples.classes
    assert list(folder.iterdir()) == [path]


def test_a_file_is_for_one_model_and_one_data_set(tmp_path: Path) -> None:
    """Everything that changes the features makes a file of its own, the head does not."""
    model = network()

    def files(count: int) -> None:
        assert len(list(tmp_path.iterdir())) == count

    features(model, images(), "fc", tmp_path)
    model.fc.weight.data[...] += 1
    features(model, images(), "fc", tmp_path)
    files(1)
    model.stem[1].running_mean.data[...] += 1  # type: ignore[union-attr]
    got = features(model, images(), "fc", tmp_path)
    files(2)
    np.testing.assert_array_equal(got.inputs, features(model, images(), "fc").inputs)
    model.body[0].bias.data[0] += 1  # type: ignore[union-attr]
    features(model, images(), "fc", tmp_path)
    files(3)
    features(model, images(seed=4), "fc", tmp_path)
    files(4)
    features(model, data.Subset(images(), [2, 1]), "fc", tmp_path)
    features(model, data.Subset(images(), [1, 2]), "fc", tmp_path)
    files(6)
    features(model, data.Subset(images(transform=FitImage(8)), [1, 2]), "fc", tmp_path)
    files(7)
    features(model, images(), "body", tmp_path)
    files(8)
    model.body[2] = nn.Tanh()
    features(model, images(), "fc", tmp_path)
    files(9)


def test_a_killed_run_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()

    def fail(*_: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="full"):
            features(model, images(), "fc", tmp_path)
    assert not list(tmp_path.iterdir())
    before = state(model)
    features(model, images(), "fc", tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    assert all(np.array_equal(value, before[name]) for name, value in state(model).items())


def test_what_is_refused() -> None:
    model = network()
    with pytest.raises(ValueError, match="target 'head' leads to no module"):
        features(model, images(), "head")
    shared = nn.ReLU()
    twice = nn.Sequential(nn.Flatten(), shared, shared)
    with pytest.raises(ValueError, match="must name a module that is called once, got 2 calls"):
        features(twice, images(), "1")
    assert twice.training
