"""Sequential, ModuleList and Concat."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, nn
from minidnn.nn import Concat, Module, ModuleList, Parameter, Sequential


class Add(Module):
    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = Parameter(np.array(amount, np.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.amount


def amounts(modules: Any) -> list[float]:
    return [module.amount.item() for module in modules]


def test_sequential_runs_in_order() -> None:
    net = Sequential(Add(1), nn.Sequential(Add(2), Add(3)))
    assert net(Tensor(np.array(0.0))).item() == 6
    assert list(net.state_dict()) == ["0.amount", "1.0.amount", "1.1.amount"]
    x = Tensor(np.array(1.5))
    assert Sequential()(x) is x


def test_sequential_with_names() -> None:
    net = Sequential(OrderedDict(stem=Add(1), head=Add(2)))
    assert list(net.state_dict()) == ["stem.amount", "head.amount"]
    assert net.head.amount.item() == 2
    assert list(net[1:].state_dict()) == ["head.amount"]


def test_a_name_goes_with_its_module() -> None:
    net = Sequential(OrderedDict(stem=Add(1), head=Add(2)))
    del net[0]
    assert not hasattr(net, "stem")
    assert net.head is net[0]
    net.insert(0, Add(3))
    assert not hasattr(net, "head"), "the members are numbered now"
    assert amounts(net) == [3, 2]


@pytest.mark.parametrize("kind", [lambda *m: Sequential(*m), lambda *m: ModuleList(m)])
def test_list_access(kind: Any) -> None:
    modules = kind(Add(0), Add(1), Add(2), Add(3))
    assert len(modules) == 4
    assert amounts(modules) == [0, 1, 2, 3]
    assert modules[-1].amount.item() == 3
    assert amounts(modules[1:3]) == [1, 2]
    assert type(modules[1:3]) is type(modules)
    modules[1] = Add(9)
    modules.insert(0, Add(8)).append(Add(7)).extend([Add(6)])
    assert amounts(modules) == [8, 0, 9, 2, 3, 7, 6]
    del modules[0]
    del modules[-2:]
    assert amounts(modules) == [0, 9, 2, 3]
    assert list(modules.state_dict()) == [f"{i}.amount" for i in range(4)]
    with pytest.raises(IndexError, match="index 4 is out of range for 4 modules"):
        modules[4]
    with pytest.raises(TypeError, match="a member must be a Module, got int"):
        modules.append(3)


def test_module_list_adds_in_place() -> None:
    modules = ModuleList([Add(1)])
    modules += [Add(2)]
    assert amounts(modules) == [1, 2]


def test_concat_joins_the_branches() -> None:
    x = Tensor(np.arange(6.0).reshape(1, 2, 3), requires_grad=True)
    branches = Concat(Sequential(), Add(10), dim=1)
    joined = branches(x)
    assert joined.shape == (1, 4, 3)
    assert np.array_equal(joined.numpy()[:, 2:], x.numpy() + 10)
    joined.backward(np.arange(12.0).reshape(1, 4, 3))
    assert x.grad is not None
    assert np.array_equal(x.grad.numpy().ravel(), [0 + 6, 1 + 7, 2 + 8, 3 + 9, 4 + 10, 5 + 11])
    assert "dim=1" in repr(branches)
    with pytest.raises(ValueError, match="branches must hold at least one module"):
        Concat()
