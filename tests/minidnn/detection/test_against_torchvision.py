"""The detection parts against torchvision's, in float64 with the same weights and the same draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import detection
from minidnn.detection.box_coder import BoxCoder
from minidnn.detection.matching import BalancedPositiveNegativeSampler, Matcher
from minidnn.detection.multi_scale_roi import pyramid_levels
from tests.kernels.regions import operators
from tests.kernels.sample import Draw
from tests.minidnn.detection.in_torch import (
    WITHIN,
    compare_gradients,
    draw_alike,
    keep_labels_double,
    load_from,
    to_torch,
)
from tests.minidnn.detection.scenes import random_boxes, random_targets

pytestmark = pytest.mark.reference
torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def ops() -> Any:
    return operators()


@pytest.fixture
def torchvision_detection(ops: Any) -> Any:
    import torchvision.models.detection as room

    return room


def fill(module: Any, seed: int = 0) -> Any:
    """A torch module in float64 whose parameters are large enough for outputs to differ."""
    torch.manual_seed(seed)
    for parameter in module.double().parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def test_boxes(ops: Any) -> None:
    a, b = random_boxes(1, 20, 50.0), random_boxes(2, 30, 50.0)
    ours, theirs = detection, ops.boxes
    np.testing.assert_allclose(ours.box_area(a), theirs.box_area(to_torch(a)), **WITHIN)
    np.testing.assert_allclose(ours.box_iou(a, b), theirs.box_iou(to_torch(a), to_torch(b)), **WITHIN)
    want = theirs.generalized_box_iou(to_torch(a), to_torch(b))
    np.testing.assert_allclose(ours.generalized_box_iou(a, b), want, **WITHIN)
    moved = a - 10
    want = theirs.clip_boxes_to_image(to_torch(moved), (33, 27))
    np.testing.assert_allclose(ours.clip_boxes_to_image(moved, (33, 27)), want, **WITHIN)
    assert ours.remove_small_boxes(a, 6.0).tolist() == theirs.remove_small_boxes(to_torch(a), 6.0).tolist()
    for source in ("xyxy", "xywh", "cxcywh"):
        for target in ("xyxy", "xywh", "cxcywh"):
            want = theirs.box_convert(to_torch(a), source, target)
            np.testing.assert_allclose(ours.box_convert(a, source, target), want, **WITHIN)


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)])
def test_box_coder(torchvision_detection: Any, weights: Any) -> None:
    theirs, ours = torchvision_detection._utils.BoxCoder(weights), BoxCoder(weights)
    boxes, proposals = (
        [random_boxes(seed + i, count, 50.0) for i, count in enumerate((4, 0, 7))] for seed in (3, 6)
    )
    for got, want in zip(
        ours.encode(boxes, proposals), theirs.encode(to_torch(boxes), to_torch(proposals)), strict=True
    ):
        np.testing.assert_allclose(got, want, **WITHIN)
    codes = 20 * Draw(9).normal(11, 12)  # some beyond the clip
    want = theirs.decode(to_torch(codes), to_torch(proposals))
    np.testing.assert_allclose(ours.decode(codes, proposals), want, **WITHIN)


@pytest.mark.parametrize("low_quality", [False, True])
def test_matcher(torchvision_detection: Any, low_quality: bool) -> None:
    ours = Matcher(0.6, 0.3, low_quality)
    theirs = torchvision_detection._utils.Matcher(0.6, 0.3, low_quality)
    for seed in range(5):
        quality = np.round(Draw(seed).uniform(5, 40) * 20) / 20 * (seed / 4)  # many ties
        # Torch leaves open which of several equal maxima it names; only one maximum a column then.
        quality += np.arange(5)[:, None] / 1024
        np.testing.assert_array_equal(ours(quality), theirs(to_torch(quality)).numpy())


@pytest.mark.parametrize(("size", "fraction"), [(16, 0.25), (64, 0.5), (7, 1.0)])
def test_sampler(
    torchvision_detection: Any, monkeypatch: pytest.MonkeyPatch, size: int, fraction: float
) -> None:
    draw_alike(monkeypatch)
    labels = [Draw(seed).integers(-1, 3, 60) for seed in range(3)]
    ours = BalancedPositiveNegativeSampler(size, fraction)(labels)
    theirs = torchvision_detection._utils.BalancedPositiveNegativeSampler(size, fraction)(to_torch(labels))
    for got, want in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(np.stack(got), np.stack([mask.numpy() for mask in want]))


@pytest.mark.parametrize(
    ("sizes", "ratios"),
    [
        (((32,), (64,), (128,)), ((0.5, 1.0, 2.0),) * 3),
        (((8, 16), (30, 45, 64), (128,)), ((0.5, 1.0), (1.0,), (0.25, 1.0, 3.0))),
    ],
)
def test_anchors(torchvision_detection: Any, sizes: Any, ratios: Any) -> None:
    theirs = torchvision_detection.anchor_utils.AnchorGenerator(sizes, ratios)
    ours = detection.AnchorGenerator(sizes, ratios)
    assert ours.num_anchors_per_location() == theirs.num_anchors_per_location()
    images, shapes = np.zeros((2, 3, 67, 90)), [(67, 80), (50, 90)]
    maps = [np.zeros((2, 1, *grid)) for grid in ((17, 23), (9, 12), (5, 6))]
    image_list = torchvision_detection.image_list.ImageList(to_torch(images), shapes)
    want = theirs(image_list, to_torch(maps))
    got = ours(detection.ImageList(minidnn.Tensor(images), shapes), [minidnn.Tensor(level) for level in maps])
    for mine, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(mine, other.numpy())


def features_of(seed: int, channels: int, *grids: tuple[int, int]) -> dict[str, np.ndarray]:
    draw = Draw(seed)
    return {str(i): draw.normal(2, channels, *grid) for i, grid in enumerate(grids)}


GRIDS = ((17, 23), (9, 12), (5, 6))


@pytest.mark.parametrize("pool", [False, True])
def test_feature_pyramid(ops: Any, pool: bool) -> None:
    extra = ops.feature_pyramid_network.LastLevelMaxPool() if pool else None
    theirs = fill(ops.FeaturePyramidNetwork([3, 4, 5], 6, extra))
    ours = detection.FeaturePyramidNetwork([3, 4, 5], 6, detection.LastLevelMaxPool() if pool else None)
    load_from(ours, theirs)
    draw = Draw(1)
    maps = {str(i): draw.normal(2, 3 + i, *grid) for i, grid in enumerate(GRIDS)}
    got, want = ours({name: minidnn.Tensor(level) for name, level in maps.items()}), theirs(to_torch(maps))
    assert list(got) == list(want)
    for name, level in want.items():
        np.testing.assert_allclose(got[name].detach().numpy(), level.detach(), **WITHIN)
    upstream = {name: draw.normal(*level.shape) for name, level in got.items()}
    sum((level * upstream[name]).sum() for name, level in got.items()).backward()
    sum((level * to_torch(upstream[name])).sum() for name, level in want.items()).backward()
    compare_gradients(ours, theirs)


def proposal_networks(room: Any) -> tuple[Any, Any]:
    """Torchvision's and ours with equal weights."""
    options = (0.7, 0.3, 32, 0.5, {"training": 60, "testing": 40}, {"training": 30, "testing": 20}, 0.7)
    anchors = (((8,), (16,), (32,)), ((0.5, 1.0, 2.0),) * 3)
    theirs = room.rpn.RegionProposalNetwork(
        room.anchor_utils.AnchorGenerator(*anchors), fill(room.rpn.RPNHead(4, 3)), *options
    )
    ours = detection.RegionProposalNetwork(
        detection.AnchorGenerator(*anchors), detection.RPNHead(4, 3), *options
    )
    load_from(ours, theirs)
    keep_labels_double(theirs)
    return ours, theirs


@pytest.mark.parametrize("training", [False, True])
def test_region_proposal_network(
    torchvision_detection: Any, monkeypatch: pytest.MonkeyPatch, training: bool
) -> None:
    ours, theirs = proposal_networks(torchvision_detection)
    draw_alike(monkeypatch)
    shapes, maps = [(67, 80), (50, 90)], features_of(2, 4, *GRIDS)
    images = np.zeros((2, 3, 67, 90))
    targets = random_targets(4, shapes)
    features = {name: minidnn.Tensor(level, requires_grad=True) for name, level in maps.items()}
    torch_features = {name: level.requires_grad_() for name, level in to_torch(maps).items()}
    got, losses = ours.train(training)(detection.ImageList(minidnn.Tensor(images), shapes), features, targets)
    want, torch_losses = theirs.train(training)(
        torchvision_detection.image_list.ImageList(to_torch(images), shapes),
        torch_features,
        to_torch(targets),
    )
    for boxes, others in zip(got, want, strict=True):
        assert len(boxes) > 5
        np.testing.assert_allclose(boxes, others, **WITHIN)
    assert list(losses) == list(torch_losses)
    if training:
        for name, loss in losses.items():
            np.testing.assert_allclose(loss.item(), torch_losses[name].item(), **WITHIN)
        sum(losses.values()).backward()
        sum(torch_losses.values()).backward()
        compare_gradients(ours, theirs)
        for name, level in torch_features.items():
            np.testing.assert_allclose(features[name].grad.numpy(), level.grad, **WITHIN)


def test_pyramid_levels(ops: Any) -> None:
    boxes = random_boxes(5, 400, 900.0)
    boxes[:4] = [[0, 0, 224, 224], [0, 0, 112, 112], [3, 3, 451, 451], [5, 5, 5, 9]]
    mapper = ops.poolers.LevelMapper(2, 5)
    np.testing.assert_array_equal(pyramid_levels(boxes, 2, 5) - 2, mapper([to_torch(boxes)]).numpy())


@pytest.mark.parametrize("names", [["0", "1", "2"], ["1"]])
def test_multi_scale_roi_align(ops: Any, names: list[str]) -> None:
    options = {"canonical_scale": 40, "canonical_level": 3}
    theirs = ops.MultiScaleRoIAlign(names, (3, 2), 2, **options)
    ours = detection.MultiScaleRoIAlign(names, (3, 2), 2, **options)
    maps, shapes = features_of(3, 3, *GRIDS), [(67, 80), (50, 90)]
    boxes = [random_boxes(1, 12, 60.0), random_boxes(2, 9, 60.0)]
    features = {name: minidnn.Tensor(level, requires_grad=True) for name, level in maps.items()}
    torch_features = {name: level.requires_grad_() for name, level in to_torch(maps).items()}
    got, want = ours(features, boxes, shapes), theirs(torch_features, to_torch(boxes), shapes)
    np.testing.assert_allclose(got.detach().numpy(), want.detach(), **WITHIN)
    upstream = Draw(6).normal(*got.shape)
    got.backward(upstream)
    want.backward(to_torch(upstream))
    for name in names:
        np.testing.assert_allclose(features[name].grad.numpy(), torch_features[name].grad, **WITHIN)


def heads(room: Any, ops: Any) -> tuple[Any, Any]:
    """Torchvision's ROI heads with a mask branch, and ours with the same weights."""
    options = (0.5, 0.5, 24, 0.25, None, 0.2, 0.5, 12)
    names = ["0", "1", "2"]
    theirs = room.roi_heads.RoIHeads(
        ops.MultiScaleRoIAlign(names, 3, 2, canonical_scale=40, canonical_level=3),
        room.faster_rcnn.TwoMLPHead(4 * 9, 7),
        room.faster_rcnn.FastRCNNPredictor(7, 5),
        *options,
        ops.MultiScaleRoIAlign(names, 4, 2, canonical_scale=40, canonical_level=3),
        room.mask_rcnn.MaskRCNNHeads(4, (3, 6), 1),
        room.mask_rcnn.MaskRCNNPredictor(6, 3, 5),
    )
    ours = detection.RoIHeads(
        detection.MultiScaleRoIAlign(names, 3, 2, canonical_scale=40, canonical_level=3),
        detection.TwoMLPHead(4 * 9, 7),
        detection.FastRCNNPredictor(7, 5),
        *options,
        detection.MultiScaleRoIAlign(names, 4, 2, canonical_scale=40, canonical_level=3),
        detection.MaskRCNNHeads(4, (3, 6), 1),
        detection.MaskRCNNPredictor(6, 3, 5),
    )
    load_from(ours, fill(theirs))
    return ours, theirs


def test_roi_heads_in_training(torchvision_detection: Any, ops: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = heads(torchvision_detection, ops)
    draw_alike(monkeypatch)
    shapes, maps = [(67, 80), (50, 90)], features_of(7, 4, *GRIDS)
    targets = random_targets(4, shapes)
    # Proposals near the objects and elsewhere.
    boxes = [np.concatenate((target["boxes"] + 0.5, random_boxes(8, 30, 50.0))) for target in targets]
    features = {name: minidnn.Tensor(level, requires_grad=True) for name, level in maps.items()}
    torch_features = {name: level.requires_grad_() for name, level in to_torch(maps).items()}
    detections, losses = ours(features, boxes, shapes, targets)
    _, torch_losses = theirs(torch_features, to_torch(boxes), shapes, to_torch(targets))
    assert detections == []
    assert list(losses) == list(torch_losses)
    for name, loss in losses.items():
        np.testing.assert_allclose(loss.item(), torch_losses[name].item(), **WITHIN)
    sum(losses.values()).backward()
    sum(torch_losses.values()).backward()
    compare_gradients(ours, theirs)
    for name, level in torch_features.items():
        np.testing.assert_allclose(features[name].grad.numpy(), level.grad, **WITHIN)


def test_roi_heads_in_evaluation(torchvision_detection: Any, ops: Any) -> None:
    ours, theirs = heads(torchvision_detection, ops)
    shapes, maps = [(67, 80), (50, 90)], features_of(7, 4, *GRIDS)
    boxes = [random_boxes(1, 25, 60.0), random_boxes(2, 20, 60.0)]
    detections, losses = ours.eval()({n: minidnn.Tensor(m) for n, m in maps.items()}, boxes, shapes)
    want, _ = theirs.eval()(to_torch(maps), to_torch(boxes), shapes)
    assert losses == {}
    for got, other in zip(detections, want, strict=True):
        assert len(got["boxes"]) > 3
        assert got.keys() == other.keys()
        for name, value in other.items():
            np.testing.assert_allclose(got[name], value.detach(), err_msg=name, **WITHIN)


def test_pasted_masks(torchvision_detection: Any) -> None:
    boxes = np.concatenate((random_boxes(3, 20, 40.0) - 8, [[30, 25, 60, 45], [5, 6, 5, 6]]))
    masks = Draw(2).uniform(len(boxes), 1, 7, 7)
    want = torchvision_detection.roi_heads.paste_masks_in_image(to_torch(masks), to_torch(boxes), (33, 41))
    got = detection.paste_masks_in_image(masks, boxes, (33, 41))
    np.testing.assert_allclose(got, want, **WITHIN)
