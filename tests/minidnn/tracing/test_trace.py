"""What a trace records, against hooks, against the summary's counts, against runs without it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import kernels
import minidnn
import models
from minidnn import Tensor, functional, nn
from minidnn.functional import cross_entropy
from minidnn.tracing import MODEL_INPUT
from models.summary import summarize
from tests.minidnn.tracing.networks import CASES, Hooks, build, recorded_outputs, traced


@pytest.fixture(params=list(CASES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_lenet_by_hand() -> None:
    model, (x,) = build("lenet5")
    trace = minidnn.trace(model, x)
    assert [(record.module, record.function) for record in trace.operations] == [
        ("c1", "Conv2d"),
        ("activation", "Tanh"),
        ("s2", "AvgPool2d"),
        ("c3", "Conv2d"),
        ("activation", "Tanh"),
        ("s4", "AvgPool2d"),
        ("c5", "Conv2d"),
        ("activation", "Tanh"),
        ("", "Reshape"),
        ("f6", "Linear"),
        ("activation", "Tanh"),
        ("output", "Linear"),
    ]
    assert [record.parents for record in trace.operations] == [(), *((i,) for i in range(11))]
    assert [record.reads_input for record in trace.operations] == [True] + 11 * [False]
    assert [record.makes_result for record in trace.operations] == 11 * [False] + [True]
    assert [record.backward_position for record in trace.operations] == list(range(11, -1, -1))
    c1, s2, f6 = trace.operations[0], trace.operations[2], trace.operations[9]
    assert (c1.sources, f6.sources) == ((MODEL_INPUT, None, None), (8, None, None))
    assert c1.arguments == {
        "kernel": (5, 5),
        "stride": (1, 1),
        "padding": ((0, 0), (0, 0)),
        "dilation": (1, 1),
        "ceil_mode": False,
        "groups": 1,
    }
    assert (s2.arguments["kernel"], s2.arguments["stride"]) == ((2, 2), (2, 2))
    assert (s2.arguments["count_include_pad"], s2.arguments["divisor_override"]) == (True, None)
    assert [(array.role, array.name, array.shape) for array in c1.inputs] == [
        ("x", None, (2, 1, 32, 32)),
        ("weight", "c1.weight", (6, 1, 5, 5)),
        ("bias", "c1.bias", (6,)),
    ]
    assert [(array.role, array.shape, array.dtype) for array in c1.outputs] == [
        ("output", (2, 6, 28, 28), "float32")
    ]
    assert c1.multiply_adds == 2 * 6 * 28 * 28 * 25
    assert f6.multiply_adds == 2 * 84 * 120
    assert c1.bytes_moved == 4 * (2 * 32 * 32 + 6 * 25 + 6 + 2 * 6 * 28 * 28)
    assert trace.operations[8].bytes_moved == 0  # flatten only looks
    assert c1.parameter_count == 156
    assert {name: array.shape for name, array in f6.parameter_gradients.items()} == {
        "f6.weight": (84, 120),
        "f6.bias": (84,),
    }
    assert c1.input_gradients[0] is None  # nobody asked for the image's
    assert {module.path: module.parameters for module in trace.modules}["c3"] == 2416
    assert trace.modules[0].children == ("activation", "c1", "s2", "c3", "s4", "c5", "f6", "output")
    assert trace.modules[2].description == "Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1))"
    assert repr(trace) == "<Trace of LeNet5: 12 operations>"


def test_outputs_are_what_hooks_see(name: str) -> None:
    trace = traced(name)
    again, inputs = build(name)
    hooks = Hooks(again)
    again(*inputs)
    hooks.remove()
    places: dict[nn.Module, list[str]] = {}
    for path, module in again.named_modules(remove_duplicate=False):
        places.setdefault(module, []).append(path)
    for module, seen in hooks.outputs.items():
        made = [array for path in places[module] for array in recorded_outputs(trace, path)]
        for output in seen:
            if made:  # dropout in evaluation mode and the like do nothing
                assert any(np.array_equal(output, array) for array in made), places[module]


def test_gradients_are_those_of_a_run_without_it(name: str) -> None:
    """Given the upstream gradients that the trace drew, an unobserved backward finds the same."""
    trace = traced(name)
    again, inputs = build(name)
    roots = _floating(again(*inputs))
    generator = np.random.default_rng(0)
    total = sum(
        ((root * Tensor(generator.standard_normal(root.shape).astype(np.float32))).sum() for root in roots),
        start=Tensor(np.float32(0)),
    )
    total.backward()
    shares: dict[str, np.ndarray] = {}
    for record in trace.operations:
        for array, gradient in zip(record.inputs, record.arrays.input_gradients, strict=False):
            if array.name is not None and gradient is not None:
                shares[array.name] = shares.get(array.name, 0) + gradient
    expected = {path: p.grad.numpy() for path, p in again.named_parameters() if p.grad is not None}
    assert shares.keys() == expected.keys()
    for path, gradient in expected.items():
        np.testing.assert_allclose(shares[path], gradient, rtol=1e-4, atol=1e-5 * abs(gradient).max())


def _floating(output: object) -> list[Tensor]:
    if isinstance(output, dict):
        return _floating(tuple(output.values()))
    values = output if isinstance(output, tuple) else (output,)
    flat = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return [part for part in flat if isinstance(part, Tensor) and part.requires_grad]


def test_statistics_are_those_of_the_arrays(name: str) -> None:
    for record in traced(name).operations:
        pairs = [
            *zip(record.inputs, record.arrays.inputs, strict=True),
            *zip(record.outputs, record.arrays.outputs, strict=True),
            *zip(record.gradients, record.arrays.gradients, strict=True),
            *zip(record.input_gradients, record.arrays.input_gradients, strict=True),
        ]
        for array, elements in pairs:
            if array is None or elements is None:
                assert array is elements
                continue
            assert (array.shape, array.dtype) == (elements.shape, str(elements.dtype))
            assert array.bytes == elements.nbytes
            assert array.statistics.minimum == elements.min()
            assert array.statistics.maximum == elements.max()
            assert sum(array.statistics.counts) == elements.size
            np.testing.assert_allclose(array.statistics.mean, elements.mean(dtype=float), atol=1e-12)


@pytest.mark.parametrize(
    ("build_model", "shape"),
    [
        (models.lenet5, (1, 32, 32)),
        (lambda: models.googlenet_bn(num_classes=3), (3, 32, 32)),
        (lambda: nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.ConvTranspose2d(3, 4, 2)), (3, 7, 5)),
        (lambda: nn.Sequential(nn.LocallyConnected2d(2, 3, (6, 5), 3)), (2, 6, 5)),
    ],
)
def test_multiply_adds_and_parameters_are_the_summarys(build_model, shape: tuple[int, int, int]) -> None:
    model = build_model().eval()
    rows = {row.path: row for row in summarize(model, shape).walk()}
    trace = minidnn.trace(model, np.zeros((1, *shape), np.float32), backward=False)
    for path, row in rows.items():
        own = [record for record in trace.operations if record.module == path]
        assert sum(record.multiply_adds for record in own) == row.mult_adds, path
        names = {name: array.size for record in own for name, array in record.parameters.items()}
        assert sum(names.values()) == (row.parameters if row.output_shape else 0), path
    assert {module.path: module.parameters for module in trace.modules} == {
        path: row.parameters for path, row in rows.items()
    }


def test_auxiliary_heads_are_results_too() -> None:
    trace = traced("googlenet")
    assert type(trace.output).__name__ == "GoogLeNetOutputs"
    assert [tensor.requires_grad for tensor in trace.output] == [False, False, False]
    results = [record.module for record in trace.operations if record.makes_result]
    assert sorted(results) == ["aux1.fc2", "aux2.fc2", "fc"]
    branches = next(record for record in trace.operations if record.function == "Concat")
    assert len(branches.parents) == 4


def test_a_module_in_several_places_is_named_by_the_place_where_it_runs() -> None:
    paths = [record.module for record in traced("lenet5_paper").operations if record.function == "Tanh"]
    assert paths == ["activation", "s2.activation", "activation", "s4.activation", "activation", "activation"]


def test_several_inputs_and_outputs_by_name() -> None:
    trace = traced("several")
    assert trace.output["none"] is None
    assert trace.output["joined"].shape == (5, 8)
    assert len(trace.output["halves"]) == 2
    by_function = {record.function: record for record in trace.operations}
    assert by_function["Concat"].parents == (0, 2)
    assert [array.role for array in by_function["Concat"].inputs] == ["arrays[0]", "arrays[1]"]
    assert [array.role for array in trace.operations[1].inputs] == ["x", "weight"]  # without bias
    assert trace.operations[1].reads_input


def test_in_place_operations_are_followed() -> None:
    trace = traced("in place")
    path = [record for record in trace.operations if record.outputs[0].dtype == "float32"]
    functions = [record.function for record in path]
    assert functions == ["Conv2d", "BatchNormTraining", "ReLU", "Conv2d", "BatchNormTraining", "Add", "ReLU"]
    for earlier, later in itertools.pairwise(path):
        assert earlier.index in later.parents
        assert np.array_equal(earlier.arrays.outputs[0], later.arrays.inputs[0])
    assert path[1].arrays.outputs[0].min() < 0 <= path[2].arrays.outputs[0].min()
    assert path[2].arguments == {"inplace": True}


class Writes(nn.Module):
    """Writes into a view and reads its base, without gradients."""

    def forward(self, x: Tensor) -> Tensor:
        base = x * 2.0
        row = base[1]
        row += 1.0
        base[0, :2] = 5.0
        return base.exp()


def test_what_is_written_into_views_reaches_their_base() -> None:
    x = np.random.default_rng(3).standard_normal((3, 4)).astype(np.float32)
    trace = minidnn.trace(Writes(), x, backward=False, keep_arrays=True)
    records = {record.function: record for record in trace.operations}
    expected = 2 * x
    expected[1] += 1
    expected[0, :2] = 5
    last = trace.operations[-1]
    assert last.function == "Exponential"
    assert np.array_equal(last.arrays.inputs[0], expected)
    assert last.parents == (records["SliceAssign"].index,)
    assert records["Add"].index in records["SliceAssign"].parents
    assert np.array_equal(trace.output.numpy(), np.exp(expected))


def test_the_mode_decides_which_operations_run() -> None:
    model, (x,) = build("in place")
    functions = {record.function for record in minidnn.trace(model.eval(), x).operations}
    assert "BatchNormInference" in functions
    assert "BatchNormTraining" not in functions


def test_without_backward_it_is_inference() -> None:
    model, (x,) = build("lenet5")
    trace = minidnn.trace(model, x, backward=False)
    calls = [call for record in trace.operations for call in record.kernels]
    assert {call.direction for call in calls} == {"forward"}
    assert "conv2d_forward_prepared" in {call.operation for call in calls}
    assert all(record.gradients == record.input_gradients == () for record in trace.operations)
    assert all(record.backward_seconds is None for record in trace.operations)
    assert "arrays" not in repr(trace.operations[0])
    assert trace.operations[0].arrays is None


def test_kernels_are_those_that_ran() -> None:
    model, (x,) = build("lenet5")
    with kernels.use(backend="reference", conv2d_forward="im2col"):
        trace = minidnn.trace(model, x)
    first = trace.operations[0]
    assert [(call.operation, call.backend) for call in first.kernels] == [
        ("conv2d_forward", "reference"),
        ("conv2d_backward_weight", "reference"),
        ("conv2d_backward_bias", "reference"),
    ]
    assert first.kernels[0].version == "im2col"
    for record in trace.operations:
        taken = {"forward": record.forward_seconds, "backward": record.backward_seconds}
        for direction, seconds in taken.items():
            spent = sum(call.seconds for call in record.kernels if call.direction == direction)
            assert spent <= seconds


def test_a_loss_is_where_backward_starts() -> None:
    model, (x,) = build("lenet5")
    labels = np.array([3, 1])
    trace = minidnn.trace(model, x, keep_arrays=True, loss=lambda scores: cross_entropy(scores, labels))
    last = trace.operations[-1]
    assert (last.module, last.function, last.makes_result) == ("", "CrossEntropy", True)
    assert last.arguments == {"ignore_index": -100, "label_smoothing": 0.0, "reduction": "mean"}
    assert last.arrays.gradients[0] == 1
    cross_entropy(model(x), labels).backward()
    first = trace.operations[0].arrays.input_gradients[1]
    np.testing.assert_array_equal(first, model.c1.weight.grad.numpy())


def test_an_input_that_requires_grad_is_differentiated() -> None:
    x = Tensor(np.float32([[1.0, -2.0]]), requires_grad=True)
    trace = minidnn.trace(nn.ReLU(), x)
    assert trace.operations[0].input_gradients[0].shape == (1, 2)
    assert x.grad is None


def test_what_hooks_compute_in_backward_is_not_recorded() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    model[0].register_full_backward_hook(lambda module, grad_inputs, grad_outputs: (grad_inputs[0] * 2.0,))
    x = Tensor(np.float32([[1.0, -2.0]]), requires_grad=True)
    trace = minidnn.trace(model, x)
    assert [record.function for record in trace.operations] == ["Boundary", "Linear", "Boundary", "Tanh"]
    doubled, plain = trace.operations[0].input_gradients[0], trace.operations[1].input_gradients[0]
    assert doubled.statistics.maximum == pytest.approx(2 * plain.statistics.maximum)


def test_what_a_tensors_hook_computes_is_not_recorded() -> None:
    class Hooked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 3)

        def forward(self, x: Tensor) -> Tensor:
            y = functional.tanh(self.linear(x))
            y.register_hook(lambda gradient: gradient * 2.0)
            return y

    trace = minidnn.trace(Hooked(), np.float32([[1.0, -2.0]]))
    assert [record.function for record in trace.operations] == ["Linear", "Tanh"]


def _itself(x: Tensor) -> Tensor:
    return x


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": _itself}, TypeError, "model must be a Module, got function"),
        ({"backward": "yes"}, TypeError, "backward"),
        ({"keep_arrays": "no"}, TypeError, "keep_arrays"),
        ({"backward": False, "loss": _itself}, ValueError, "loss must be None without backward"),
        ({"loss": lambda y: 3.0}, TypeError, "loss must return a Tensor, got float"),
        ({"loss": _itself}, ValueError, r"loss must return one element, got shape \(1, 2\)"),
        ({"loss": lambda y: y.sum().detach()}, ValueError, "loss must depend on a parameter"),
        ({"model": nn.ReLU()}, ValueError, "backward=True needs an output that depends on"),
    ],
)
def test_bad_arguments(arguments: dict, error: type[Exception], message: str) -> None:
    given = {"model": nn.Linear(3, 2), "x": np.zeros((1, 3), np.float32), **arguments}
    with pytest.raises(error, match=message):
        minidnn.trace(**given)


def test_records_of_a_module_and_all_below() -> None:
    trace = traced("residual block")
    below = trace.within("downsample")
    assert [record.module for record in below][:2] == ["downsample.0", "downsample.1"]
    assert all(record.module.startswith("downsample.") for record in below)
    assert trace.within("") == trace.operations
