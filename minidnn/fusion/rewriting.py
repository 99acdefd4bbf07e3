"""Shorter programs with the same result: what stands behind a convolution becomes a part of it.

    y = s (w * x + b - m) + t = (s w) * x + (s (b - m) + t),    s = weight / sqrt(var + eps), t = bias

so a batch norm that alone reads a convolution's (or a linear layer's) output disappears into its weight and
bias; an activation behind that is applied by the convolution's kernel. A batch norm in front of a
convolution stays a step of its own: what stands between them, an activation or padding, does not scale.

Source: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", CVPR 2018, section 3.2.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kernels.array import Array
from kernels.batch_norm import batch_norm_forward_inference_activated
from kernels.conv2d import conv2d_forward_prepared, conv2d_prepare_weight
from kernels.depthwise_conv2d import depthwise_conv2d_forward_activated
from kernels.device import device_of, to_device, to_host
from kernels.prepared import PreparedWeight
from kernels.window import Window
from minidnn.autograd import Function
from minidnn.functional.activation import HardSigmoid, HardSwish, ReLU, ReLU6, Sigmoid, SiLU, Tanh
from minidnn.functional.convolution import Conv2d, ConvTranspose2d, DepthwiseConv2d
from minidnn.functional.linear import Linear
from minidnn.functional.normalization import BatchNormInference
from minidnn.fusion.program import Program, Step

# By the names that kernels/prepared.py gives them.
ACTIVATIONS: dict[type[Function], str] = {
    ReLU: "relu",
    ReLU6: "relu6",
    HardSigmoid: "hardsigmoid",
    HardSwish: "hardswish",
    Sigmoid: "sigmoid",
    SiLU: "silu",
    Tanh: "tanh",
}


class PreparedConv2d(Function):
    """y = f(w * x + b) with a prepared weight and an activation f."""

    def __init__(
        self,
        prepared: PreparedWeight,
        bias: Array | None,
        window: Window,
        groups: int,
        activation: str | None,
    ) -> None:
        self.arguments = prepared, bias, window, groups, activation

    def forward(self, x: Array) -> Array:
        """Convolve (N, C, H, W)."""
        return conv2d_forward_prepared(x, *self.arguments)


class ActivatedDepthwiseConv2d(Function):
    """y = f(w * x + b), channel by channel, with an activation f."""

    def __init__(self, window: Window, activation: str) -> None:
        self.window = window
        self.activation = activation

    def forward(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """Convolve every channel of (N, C, H, W) with its filters in (C * M, 1, KH, KW)."""
        return depthwise_conv2d_forward_activated(x, weight, bias, self.window, self.activation)


class ActivatedBatchNorm(Function):
    """y = f((x - mean) / sqrt(var + eps) weight + bias), channel by channel, with an activation f."""

    def __init__(self, eps: float, activation: str) -> None:
        self.eps = eps
        self.activation = activation

    def forward(self, x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array) -> Array:
        """Normalise (N, C, *spatial)."""
        return batch_norm_forward_inference_activated(x, weight, bias, mean, var, self.eps, self.activation)


def fold_batch_norms(program: Program) -> Program:
    """Put every batch norm that can be into the layer in front of it."""
    steps = list(program.steps)
    producers = program.producers()
    for norm in program.steps:
        layer = producers.get(norm.inputs[0])
        if not isinstance(norm.function, BatchNormInference) or layer is None:
            continue
        if program.readers(norm.inputs[0]) == 1 and _is_layer(program, layer):
            steps[steps.index(layer)] = _folded(program, layer, norm)
            steps.remove(norm)
    return program.changed(steps)


def _is_layer(program: Program, step: Step) -> bool:
    """Whether a step is a layer whose channels, axis 1 of its output, a batch norm can be folded into."""
    if not isinstance(step.function, Conv2d | DepthwiseConv2d | ConvTranspose2d | Linear):
        return False
    constant = all(slot in program.constants for slot in step.inputs[1:])
    return constant and (not isinstance(step.function, Linear) or len(program.shapes[step.outputs[0]]) == 2)


def _folded(program: Program, layer: Step, norm: Step) -> Step:
    """The layer with the batch norm's scale in its weight and its shift in its bias, both computed in
    float64 in host memory."""
    assert isinstance(norm.function, BatchNormInference)
    place = device_of(program.constants[layer.inputs[1]])
    weight, bias = (to_host(program.constants[slot]) for slot in layer.inputs[1:])
    gamma, beta, mean, var = (to_host(program.constants[slot]) for slot in norm.inputs[1:])
    assert weight is not None
    assert mean is not None
    assert var is not None
    scale = (1.0 if gamma is None else gamma) / np.sqrt(var.astype(np.float64) + norm.function.eps)  # (O,)
    centred = (0.0 if bias is None else bias.astype(np.float64)) - mean  # (O,)
    shift = centred * scale + (0.0 if beta is None else beta)  # (O,)
    scaled = _scaled(layer.function, weight, scale)
    arrays = (to_device(array.astype(weight.dtype), place) for array in (scaled, shift))
    constants = (program.constant(array) for array in arrays)
    return Step(layer.function, (layer.inputs[0], *constants), norm.outputs)


def _scaled(function: Function, weight: Array, scale: Array) -> Array:
    """The weight times a number per output channel, in float64."""
    wide = weight.astype(np.float64)
    if not isinstance(function, ConvTranspose2d):
        return wide * scale.reshape(-1, *[1] * (weight.ndim - 1))  # (O, ...)
    per_group = wide.reshape(function.groups, -1, *weight.shape[1:])  # (G, C / G, O / G, KH, KW)
    return (per_group * scale.reshape(function.groups, 1, -1, 1, 1)).reshape(weight.shape)


def fuse_activations(program: Program) -> Program:
    """Prepare the weights of convolutions; they and batch norms that stayed end with their activation."""
    steps = list(program.steps)
    for layer in program.steps:
        follower = _only_reader(program, layer)
        activation = ACTIVATIONS.get(type(follower.function)) if follower else None
        fused = _fused(program, layer, activation)
        if fused is not None:
            if follower and activation:
                steps.remove(follower)
                fused = replace(fused, outputs=follower.outputs)
            steps[steps.index(layer)] = fused
    return program.changed(steps)


def _only_reader(program: Program, step: Step) -> Step | None:
    """The step that alone reads a step's output."""
    slot = step.outputs[0]
    if program.readers(slot) != 1:
        return None
    return next((reader for reader in program.steps if slot in reader.inputs), None)


def _fused(program: Program, layer: Step, activation: str | None) -> Step | None:
    """The layer as a kernel that ends with the activation, if it has one; None if there is none."""
    if isinstance(layer.function, Conv2d) and _is_layer(program, layer):
        return replace(layer, function=_prepared(program, layer, activation), inputs=layer.inputs[:1])
    if isinstance(layer.function, DepthwiseConv2d) and activation:
        return replace(layer, function=ActivatedDepthwiseConv2d(layer.function.window, activation))
    if isinstance(layer.function, BatchNormInference) and activation:
        return replace(layer, function=ActivatedBatchNorm(layer.function.eps, activation))
    return None


def _prepared(program: Program, layer: Step, activation: str | None) -> PreparedConv2d:
    assert isinstance(layer.function, Conv2d)
    window, groups = layer.function.window, layer.function.groups
    weight, bias = (program.constants[slot] for slot in layer.inputs[1:])
    assert weight is not None
    prepared = conv2d_prepare_weight(weight, program.shapes[layer.inputs[0]], window, groups)
    return PreparedConv2d(prepared, bias, window, groups, activation)
