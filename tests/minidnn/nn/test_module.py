"""Module: attributes, walking, modes, state, hooks and looks."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, nn
from minidnn.nn import Module, Parameter


class Affine(Module):
    """y = a x + b, with a buffer that counts calls."""

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.scale = Parameter(np.full(size, 2.0))
        self.shift = Parameter(np.ones(size))
        self.register_buffer("calls", Tensor(0))
        self.register_buffer("scratch", Tensor(np.zeros(1)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.calls = Tensor(self.calls.data + 1)
        return x * self.scale + self.shift

    def extra_repr(self) -> str:
        return f"size={self.scale.shape[0]}"


class Net(Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = Affine()
        self.blocks = nn.Sequential(Affine(), Affine())
        self.shared = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.shared(self.blocks(self.first(x)))


NAMES = [
    "first.scale",
    "first.shift",
    "blocks.0.scale",
    "blocks.0.shift",
    "blocks.1.scale",
    "blocks.1.shift",
]


def test_walking() -> None:
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES, "a shared module is walked once"
    assert [name for name, _ in net.named_children()] == ["first", "blocks", "shared"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "blocks", "blocks.0", "blocks.1"]
    assert len(list(net.parameters())) == 6
    assert len(list(net.parameters(recurse=False))) == 0
    assert [name for name, _ in net.named_buffers()][:2] == ["first.calls", "first.scratch"]
    assert len(list(net.buffers())) == 6
    assert net.get_submodule("blocks.1") is net.blocks[1]
    with pytest.raises(ValueError, match="target 'blocks.7' leads to no module: Sequential has no '7'"):
        net.get_submodule("blocks.7")
    seen: list[Module] = []
    assert net.apply(seen.append) is net
    assert seen[-1] is net
    assert seen[0] is net.first


def test_attributes_move_between_their_homes() -> None:
    module = Affine()
    module.shift = None
    assert [name for name, _ in module.named_parameters()] == ["scale"]
    del module.scale
    assert not list(module.parameters())
    with pytest.raises(AttributeError, match="Affine has no attribute 'scale'"):
        module.scale  # noqa: B018
    module.note = "plain attributes stay plain"
    assert module.note.startswith("plain")
    del module.note
    module.late = Affine()
    assert "late.scale" in module.state_dict()


@pytest.mark.parametrize(
    ("assign", "message"),
    [
        (lambda m: setattr(m, "scale", 1.0), "scale must be a Parameter or None, got float"),
        (lambda m: setattr(m, "calls", 1.0), "calls must be a Tensor or None, got float"),
        (lambda m: setattr(Net(), "first", 1.0), "first must be a Module or None, got float"),
        (lambda m: m.register_parameter("p", Tensor([1.0])), "parameter must be a Parameter or None"),
        (lambda m: m.register_buffer("p", 1), "tensor must be a Tensor or None"),
        (lambda m: m.add_module("p", 1), "module must be a Module or None"),
        (lambda m: m.train("yes"), "mode must be True or False, got 'yes'"),
        (lambda m: m.to("int64"), "dtype must be floating, got int64"),
        (lambda m: m.load_state_dict([1]), "state_dict must be a mapping, got list"),
    ],
)
def test_wrong_types(assign: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        assign(Affine())


@pytest.mark.parametrize("name", ["", "a.b", "forward"])
def test_wrong_names(name: str) -> None:
    with pytest.raises(ValueError, match="name must be"):
        Affine().register_buffer(name, None)


def test_a_name_and_its_store_hold_the_same_object() -> None:
    def agree(module: Affine) -> bool:
        stored = {**module._parameters, **module._buffers}
        return all(getattr(module, name) is member for name, member in stored.items())

    module = Affine()
    module.scale = Parameter(np.zeros(2))
    module.register_parameter("shift", None)
    module.register_buffer("calls", Tensor(3))
    assert agree(module)
    assert (module.scale.numpy().sum(), module.shift, module.calls.item()) == (0, None, 3)
    assert agree(copy.deepcopy(module))
    assert agree(pickle.loads(pickle.dumps(module)))
    del module.scale
    with pytest.raises(AttributeError, match="Affine has no attribute 'scale'"):
        module.scale  # noqa: B018 - to look for it is the test
    assert "scale" not in module.state_dict()


def test_a_forgotten_super_call_is_explained() -> None:
    class Forgetful(Module):
        def __init__(self) -> None:
            self.weight = Parameter(np.ones(1))

    with pytest.raises(TypeError, match=r"Forgetful must call super\(\).__init__\(\) before assigning"):
        Forgetful()


def test_modes_and_freezing() -> None:
    net = Net().eval()
    assert not any(module.training for module in net.modules())
    assert all(module.training for module in net.train().modules())
    net.requires_grad_(False)
    assert not net(Tensor(np.ones(2))).requires_grad
    net.requires_grad_()
    net(Tensor(np.ones(2))).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all(not parameter.grad.numpy().any() for parameter in net.parameters())
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_conversion_keeps_the_parameters_identity() -> None:
    net = Affine()
    scale = net.scale
    net(Tensor(np.ones(2))).sum().backward()
    net.float()
    assert net.scale is scale
    assert scale.dtype == np.float32
    assert scale.grad is not None
    assert scale.grad.dtype == np.float32
    assert net.calls.dtype == np.int64
    assert net.double().shift.dtype == np.float64
    x = Tensor(np.ones(2))
    net(x).sum().backward()


def test_state_round_trip() -> None:
    source, target = Net(), Net()
    for parameter in source.parameters():
        minidnn.init.normal_(parameter)
    source.first.calls = Tensor(5)
    state = {name: value.numpy().copy() for name, value in source.state_dict().items()}
    assert "shared.scale" in state
    assert not any("scratch" in name for name in state)
    result = target.load_state_dict(state)
    assert result == ([], [])
    for name, value in target.state_dict().items():
        assert np.array_equal(value.numpy(), state[name])
    assert target.first.calls.item() == 5


def test_state_is_cast_to_the_parameters_type() -> None:
    module = Affine().float()
    module.load_state_dict({"scale": np.array([1.0, 2.0]), "shift": [3, 4], "calls": 7})
    assert module.scale.dtype == np.float32
    assert np.array_equal(module.shift.numpy(), [3, 4])


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    module = Affine()
    good = {name: value.numpy() + 1 for name, value in module.state_dict().items()}
    for wrong, message in [
        ({**good, "extra": 1.0}, "state_dict has unknown extra; Affine needs exactly its own names"),
        ({"scale": good["scale"]}, "state_dict lacks shift, calls; Affine needs"),
        (
            {**good, "shift": np.ones(3)},
            r"state_dict\['shift'\] has shape \(3,\), this module needs \(2,\)",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            module.load_state_dict(wrong)
        assert np.array_equal(module.scale.numpy(), [2.0, 2.0])
    result = module.load_state_dict({"scale": good["scale"], "extra": 1.0}, strict=False)
    assert result.missing_keys == ["shift", "calls"]
    assert result.unexpected_keys == ["extra"]
    assert np.array_equal(module.scale.numpy(), [3.0, 3.0])


def test_loading_counts_as_a_change_in_place() -> None:
    module = Affine()
    loss = (module(Tensor(np.ones(2), requires_grad=True)) ** 2).sum()
    module.load_state_dict({"scale": np.ones(2), "shift": np.ones(2), "calls": 0})
    with pytest.raises(ValueError, match="changed in place"):
        loss.backward()


def test_forward_hooks() -> None:
    module = Affine()
    seen: list[Any] = []
    pre = module.register_forward_pre_hook(lambda m, inputs: (inputs[0] * 10.0,))
    post = module.register_forward_hook(lambda m, inputs, output: seen.append(inputs) or output + 0.5)
    result = module(Tensor(np.array([1.0, 2.0])))
    assert np.array_equal(result.numpy(), [21.5, 41.5])
    assert np.array_equal(seen[0][0].numpy(), [10.0, 20.0])
    pre.remove()
    post.remove()
    assert np.array_equal(module(Tensor(np.array([1.0, 2.0]))).numpy(), [3.0, 5.0])


def test_backward_hooks_see_both_sides_and_may_replace_the_inputs_gradient() -> None:
    module = Affine()
    seen: list[Any] = []

    def hook(owner: Module, grad_inputs: Any, grad_outputs: Any) -> Any:
        seen.append((owner, grad_inputs[0].numpy().copy(), grad_outputs[0].numpy().copy()))
        return (grad_inputs[0] * 100.0,)

    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    with module.register_full_backward_hook(hook):
        module(x).backward(np.array([1.0, 3.0]))
    owner, grad_input, grad_output = seen[0]
    assert owner is module
    assert np.array_equal(grad_output, [1.0, 3.0])
    assert np.array_equal(grad_input, [2.0, 6.0])
    assert x.grad is not None
    assert np.array_equal(x.grad.numpy(), [200.0, 600.0])
    module(x).backward(np.array([1.0, 3.0]))
    assert len(seen) == 1


def test_backward_hooks_leave_integers_and_named_tuples_alone() -> None:
    from typing import NamedTuple

    class Pair(NamedTuple):
        value: Tensor
        index: Tensor

    class Both(Module):
        def forward(self, x: Tensor) -> Pair:
            return Pair(x * 2.0, x.argmax())

    module = Both()
    seen: list[Any] = []
    module.register_full_backward_hook(lambda m, grad_inputs, grad_outputs: seen.append(grad_outputs))
    result = module(Tensor(np.array([1.0, 5.0]), requires_grad=True))
    assert isinstance(result, Pair)
    assert result.index.item() == 1
    result.value.backward(np.array([1.0, 2.0]))
    assert np.array_equal(seen[0][0].numpy(), [1.0, 2.0])


def test_copies() -> None:
    net = Net()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin.shared is twin.first, "sharing survives"
        assert not np.shares_memory(twin.first.scale.data, net.first.scale.data)
        assert list(twin.state_dict()) == list(net.state_dict())


def test_repr_is_a_tree() -> None:
    assert repr(nn.Sequential(Affine(3))) == "Sequential(\n  (0): Affine(size=3)\n)"
    assert repr(Parameter(np.ones(1, np.float32))) == (
        "Parameter containing:\ntensor([1.], requires_grad=True)"
    )


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(TypeError, match="Module must define forward"):
        Module()(1)
