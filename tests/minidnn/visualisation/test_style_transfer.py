"""Style transfer: the losses by their formulas, a run beside PyTorch, and what is reached."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import Tensor, visualisation
from tests.minidnn.visualisation.networks import network


def pictures(seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """A content and a style image of other sizes."""
    generator = np.random.default_rng(seed)
    return generator.random((3, 27, 23)), generator.random((3, 31, 25))


def test_the_losses_by_their_formulas() -> None:
    generator = np.random.default_rng(7)
    maps, others = generator.standard_normal((2, 2, 4, 5, 3))
    gram = np.zeros((2, 4, 4))
    for n, i, j in np.ndindex(gram.shape):
        gram[n, i, j] = sum(maps[n, i, p, q] * maps[n, j, p, q] for p in range(5) for q in range(3))
    np.testing.assert_allclose(visualisation.gram_matrix(maps).numpy(), gram, rtol=1e-12)
    want = sum((a - b) ** 2 for a, b in zip(maps.flat, others.flat, strict=True)) / 2
    assert visualisation.content_loss(maps, others).item() == pytest.approx(want)
    wanted = generator.standard_normal(gram.shape)
    distance = sum((a - b) ** 2 for a, b in zip(gram.flat, wanted.flat, strict=True)) / (4 * 4**2 * 15**2)
    assert visualisation.style_loss(maps, wanted).item() == pytest.approx(distance)
    assert visualisation.style_loss(maps, gram).item() == pytest.approx(0, abs=1e-20)


def test_a_gram_matrix_does_not_know_where_anything_is() -> None:
    maps = np.random.default_rng(8).standard_normal((1, 3, 4, 5))
    moved = maps.reshape(1, 3, 20)[..., np.random.default_rng(9).permutation(20)].reshape(1, 3, 5, 4)
    np.testing.assert_allclose(
        visualisation.gram_matrix(maps).numpy(), visualisation.gram_matrix(moved).numpy(), rtol=1e-12
    )


@pytest.mark.parametrize("seed", [None, 2], ids=["from the content", "from noise"])
def test_against_pytorch(seed: int | None) -> None:
    in_torch = pytest.importorskip("tests.minidnn.visualisation.in_torch", exc_type=ImportError)
    torch, model = in_torch.torch, network()
    copy, model = in_torch.twin(model), model[:7]
    content, style = (torch.from_numpy(picture)[None] for picture in pictures())

    def gram(maps: torch.Tensor) -> torch.Tensor:
        return torch.einsum("nipq,njpq->nij", maps, maps) / maps[0, 0].numel()

    x = (
        content.clone()
        if seed is None
        else torch.from_numpy(np.random.default_rng(seed).random(content.shape))
    )
    x.requires_grad_()
    optimizer, losses = torch.optim.Adam([x], lr=0.03), []
    for _ in range(5):
        of_content = (copy[:5](x) - copy[:5](content)).square().sum() / 2
        parts = []
        for depth in (1, 5):
            channels = copy[:depth](x).shape[1]
            difference = gram(copy[:depth](x)) - gram(copy[:depth](style))
            parts.append(difference.square().sum() / (4 * channels**2))
        of_style = 0.25 * parts[0] + 0.5 * parts[1]
        losses.append((of_content.item(), of_style.item()))
        optimizer.zero_grad()
        (0.1 * of_content + 50 * of_style).backward()
        optimizer.step()
        x.data.clamp_(0, 1)
    result = visualisation.style_transfer(
        model, *pictures(), ["4"], {"0": 0.25, "4": 0.5}, 0.1, 50, steps=5, rate=0.03, seed=seed
    )
    np.testing.assert_allclose(result.content_losses, [loss for loss, _ in losses], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(result.style_losses, [loss for _, loss in losses], rtol=1e-7)
    np.testing.assert_allclose(result.image, x.detach().numpy()[0], atol=1e-7)


def test_both_losses_become_small_alone() -> None:
    model = network()[:7]
    content, style = pictures()
    near = visualisation.style_transfer(model, content, style, ["0"], [], steps=40, rate=0.05, seed=1)
    assert near.content_losses[-1] < 0.1 * near.content_losses[0]
    assert not near.style_losses.any()
    painted = visualisation.style_transfer(model, content, style, [], ["0", "4"], steps=40, rate=0.05)
    assert painted.style_losses[-1] < 0.1 * painted.style_losses[0]
    assert painted.image.min() >= 0
    assert painted.image.max() <= 1
    assert model.training


def test_what_is_wrong_is_said() -> None:
    model, (content, style) = network()[:7], pictures()
    with pytest.raises(ValueError, match=r"style must have shape \(C, H, W\)"):
        visualisation.style_transfer(model, content, style[None], ["0"], ["0"])
    with pytest.raises(ValueError, match="content_layers and style_layers must name at least one layer"):
        visualisation.style_transfer(model, content, style, [], {})
    with pytest.raises(TypeError, match="style_layers must be a list or a mapping of names, got '0'"):
        visualisation.style_transfer(model, content, style, ["0"], "0")
    with pytest.raises(ValueError, match="rate must be at least 0"):
        visualisation.style_transfer(model, content, style, ["0"], ["0"], rate=-1)
    with pytest.raises(ValueError, match=r"wanted must have shape \(1, 2, 2\), got \(1, 2\)"):
        visualisation.style_loss(np.zeros((1, 2, 3, 3)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="wanted must have shape"):
        visualisation.content_loss(Tensor(np.zeros((1, 2, 3, 3))), np.zeros((1, 2, 3, 4)))
    with pytest.raises(ValueError, match="maps must have 4 dimensions"):
        visualisation.gram_matrix(np.zeros((2, 2)))
