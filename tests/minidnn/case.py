"""The case tables of functional and nn: one call that PyTorch and minidnn must answer alike.

Every file of tests/minidnn/functional/cases/ exports `CASES: list[Case]`, every file of
tests/minidnn/nn/cases/ exports `CASES: list[ModuleCase]`. The live comparison with PyTorch and the stored
references for machines without it both come from these tables.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import minidnn
from tests.kernels.sample import Draw


@dataclass(frozen=True)
class Case:
    """One call of a function.

    Attributes:
        function: its name in minidnn.functional, and in torch.nn.functional unless `torch` says otherwise.
        label: what is odd about it.
        inputs: draws the positional arguments: arrays, None, lists of arrays or plain values.
        keywords: further arguments, the same for both libraries.
        torch: dotted path of the reference, e.g. "torchvision.ops.roi_pool".
        reduction_length: terms in the longest sum of any direction; by default the largest input's size.
        constants: positions of floating inputs that are not differentiated.
    """

    function: str
    label: str
    inputs: Callable[[Draw], Sequence[Any]]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    torch: str | None = None
    reduction_length: int | None = None
    constants: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.function}-{self.label}"


@dataclass(frozen=True)
class ModuleCase:
    """One module, built with the same arguments in both libraries, given the same parameters and inputs.

    Attributes:
        module: the class's name in minidnn.nn, and in torch.nn unless `torch` says otherwise.
        label: what is odd about it.
        arguments, keywords: the constructor's.
        inputs: draws forward's positional arguments.
        torch: dotted path of the reference, e.g. "torchvision.ops.RoIPool".
        training: whether the modules are in training mode.
        reduction_length: as for Case.
        constants: as for Case.
    """

    module: str
    label: str
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    inputs: Callable[[Draw], Sequence[Any]]
    torch: str | None = None
    training: bool = True
    reduction_length: int | None = None
    constants: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.module}-{self.label}"


def collect(package: str) -> list[Any]:
    """All cases of a package's files, e.g. collect("tests.minidnn.functional.cases")."""
    home = importlib.import_module(package)
    files = sorted(module.name for module in pkgutil.iter_modules(home.__path__))
    return [case for name in files for case in importlib.import_module(f"{package}.{name}").CASES]


@dataclass
class Answer:
    """What a call gave: outputs, and the gradients of its differentiated inputs and parameters by name."""

    outputs: list[np.ndarray]
    gradients: dict[str, np.ndarray | None]


def upstreams(outputs: Sequence[np.ndarray], seed: int = 7) -> list[np.ndarray | None]:
    """A random upstream gradient for every floating output, exact in float32."""
    draw = Draw(seed)
    return [
        draw.normal(*output.shape).astype(output.dtype) if output.dtype.kind == "f" else None
        for output in outputs
    ]


def map_arrays(function: Callable[[np.ndarray], Any], value: Any) -> Any:
    """Apply `function` to every array in a nest of lists and tuples."""
    if isinstance(value, np.ndarray):
        return function(value)
    if isinstance(value, list | tuple):
        return type(value)(map_arrays(function, item) for item in value)
    return value


def leaves(value: Any, kind: type) -> list[Any]:
    """All objects of one type in a nest of lists and tuples, in order."""
    if isinstance(value, kind):
        return [value]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item, kind)]
    return []


def run_ours(
    function: Callable[..., Any],
    case: Case | ModuleCase,
    inputs: Sequence[Any],
    draw_upstreams: Callable[[Sequence[np.ndarray]], list[np.ndarray | None]] = upstreams,
) -> Answer:
    """Call ours on tensors and send random upstream gradients back through every floating output."""
    arguments = [
        map_arrays(
            lambda array, fixed=position in case.constants: minidnn.Tensor(
                array, requires_grad=array.dtype.kind == "f" and not fixed
            ),
            value,
        )
        for position, value in enumerate(inputs)
    ]
    keywords = case.keywords if isinstance(case, Case) else {}
    outputs = leaves(function(*arguments, **keywords), minidnn.Tensor)
    arrays = [output.detach().numpy() for output in outputs]
    for output, upstream in zip(outputs, draw_upstreams(arrays), strict=True):
        if upstream is not None and output.requires_grad:
            output.backward(upstream, retain_graph=True)
    gradients = {
        f"input {i}": None if leaf.grad is None else leaf.grad.numpy()
        for i, leaf in enumerate(leaves(arguments, minidnn.Tensor))
        if leaf.requires_grad
    }
    return Answer(arrays, gradients)


def run_our_module(
    case: ModuleCase,
    before: Mapping[str, np.ndarray],
    inputs: Sequence[Any],
    dtype: Any,
    draw_upstreams: Callable[[Sequence[np.ndarray]], list[np.ndarray | None]] = upstreams,
) -> tuple[Answer, dict[str, np.ndarray]]:
    """Build our module with the state `before`, run it, and return the answer and the state it leaves."""
    module = getattr(minidnn.nn, case.module)(*case.arguments, **case.keywords)
    module.to(dtype).train(case.training)
    module.load_state_dict(before)
    answer = run_ours(module, case, inputs, draw_upstreams)
    for name, parameter in module.named_parameters():
        answer.gradients[name] = None if parameter.grad is None else parameter.grad.numpy()
    return answer, {name: value.numpy() for name, value in module.state_dict().items()}


def compare(got: Answer, want: Answer, tolerance: float) -> None:
    """Require equal shapes and values: relative to each array's largest magnitude, integers exactly."""
    assert len(got.outputs) == len(want.outputs)
    for i, (ours, theirs) in enumerate(zip(got.outputs, want.outputs, strict=True)):
        compare_arrays(f"output {i}", ours, theirs, tolerance)
    assert got.gradients.keys() == want.gradients.keys()
    for name, theirs in want.gradients.items():
        ours = got.gradients[name]
        if ours is None or theirs is None:
            # A gradient that one library leaves out must be zero in the other.
            present = theirs if ours is None else ours
            assert present is None or not np.any(present), f"gradient of {name} is missing"
        else:
            compare_arrays(f"gradient of {name}", ours, theirs, tolerance)


def compare_arrays(what: str, ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    assert ours.shape == theirs.shape, f"{what} has shape {ours.shape} where {theirs.shape} is needed"
    if ours.dtype.kind in "iub":
        assert np.array_equal(ours, theirs), f"{what} differs"
        return
    finite = np.isfinite(theirs)
    assert np.array_equal(np.where(finite, 0, ours), np.where(finite, 0, theirs), equal_nan=True), what
    if finite.any():
        scale = max(float(np.abs(theirs[finite]).max()), 1e-30)
        error = float(np.abs(ours[finite].astype(np.float64) - theirs[finite]).max()) / scale
        assert error <= tolerance, f"{what}: relative error {error:.3g} above {tolerance:.3g}"


def tolerance(case: Case | ModuleCase, inputs: Sequence[Any], dtype: Any) -> float:
    """1e-9 in float64; in float32 what rounding may cost a sum of K terms, 8 sqrt(K) eps."""
    if dtype == np.float64:
        return 1e-9
    sizes = [leaf.size for leaf in leaves(list(inputs), np.ndarray)]
    length = case.reduction_length or max([1, *sizes])
    return 8 * float(np.sqrt(length)) * float(np.finfo(np.float32).eps)
