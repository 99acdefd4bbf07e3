"""What is gathered of a network: operations, blocks, ladders, answers; and plain JSON of it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import minidnn
import models
from kernels import registry
from minidnn import Tensor, functional, nn, no_grad
from minidnn.tracing import Trace
from models.explorer import gather, render, trace_subject
from models.explorer.schema import Block, Numbers, Page, to_json
from models.explorer.sources import Library
from models.explorer.subject import Subject
from models.summary import summarize
from tests.models.explorer.small import Everything, subject_of


def test_operations_of_lenet(lenet_page: Page) -> None:
    labels = [operation.label for operation in lenet_page.operations]
    assert labels[:7] == ["c1", "activation", "s2", "c3", "activation", "s4", "c5"]
    by_label = {operation.label: operation for operation in lenet_page.operations}
    assert by_label["c3"].output_shapes == ((1, 16, 10, 10),)
    assert by_label["f6"].parameters == 10_164
    table = summarize(models.create("lenet5"), (1, 32, 32))
    for column, name in (("parameters", "parameters"), ("mult_adds", "multiply_adds")):
        assert sum(getattr(one, name) for one in lenet_page.operations) == table.total(column)
    assert by_label["c1"].forward_source is not None
    assert by_label["c1"].forward_source.file == "minidnn/functional/convolution.py"


def test_answers_are_the_networks(lenet_page: Page, lenet_subject: Subject) -> None:
    with no_grad():
        scores = lenet_subject.network(lenet_subject.x)
        expected = functional.softmax(scores, dim=1).numpy()[0]
    assert [name for name, _ in lenet_page.answers] == [f"class {i}" for i in np.argsort(-expected)[:5]]
    np.testing.assert_allclose(
        [share for _, share in lenet_page.answers], np.sort(expected)[:-6:-1], rtol=1e-5
    )


def test_gradients_are_those_of_the_winning_score(lenet_trace: Trace) -> None:
    (last,) = [record for record in lenet_trace.operations if record.module == "output"]
    assert last.arrays is not None
    scores, gradient = last.arrays.outputs[0], last.arrays.gradients[0]
    assert gradient is not None
    np.testing.assert_array_equal(gradient, np.eye(10, dtype=np.float32)[[scores.argmax()]])


def test_blocks_hold_every_operation_once_and_in_order() -> None:
    subject = subject_of(models.resnet20().eval(), (3, 32, 32), 0)
    trace = trace_subject(subject)
    tree = gather(subject, trace).tree

    def walk(block: Block) -> list[int]:
        return [
            index for part in block.parts for index in (walk(part) if isinstance(part, Block) else [part])
        ]

    assert walk(tree) == list(range(len(trace.operations)))
    layer = next(part for part in tree.parts if isinstance(part, Block))
    assert (layer.name, layer.path) == ("layer1", "layer1")
    assert [part.path for part in layer.parts if isinstance(part, Block)] == [f"layer1.{i}" for i in range(3)]


def test_a_ladder_has_every_version_and_its_source() -> None:
    library = Library()
    ladder = library.ladder("conv2d_forward")
    rows = registry.ladders("conv2d_forward")
    assert [(one.backend, one.name, one.idea) for one in ladder.versions] == [
        (row.backend, row.name, row.idea) for row in rows
    ]
    assert "Edge contract" in ladder.contract
    loops = ladder.versions[0]
    assert library.texts[loops.parts[0]].text.startswith('@implements(conv2d_forward, "loops"')
    direct = next(one for one in ladder.versions if (one.backend, one.name) == ("gpu", "direct"))
    files = [library.texts[part].file for part in direct.parts]
    assert "kernels/conv2d/conv2d.cu" in files
    again = library.ladder("conv2d_forward")
    assert again == ladder


def test_a_formula_of_an_activation_is_found() -> None:
    library = Library()
    ladder = library.ladder("relu_forward")
    numba = [one for one in ladder.versions if one.backend == "cpu"]
    files = {library.texts[part].file for one in numba for part in one.parts}
    assert "kernels/activation/cpu.py" in files


def test_what_is_repeated_is_kept_once(lenet_page: Page) -> None:
    places = [(text.file, text.line) for text in lenet_page.texts]
    assert len(places) == len(set(places))


def test_json_is_plain_and_compact(lenet_page: Page) -> None:
    text = to_json(lenet_page)
    content = json.loads(text)
    assert text.startswith('{"model":"lenet5","summary":"')
    assert content["model"] == "lenet5"
    assert len(text) < 1_500_000


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_has_no_numbers_that_are_none(value: float) -> None:
    assert json.loads(to_json({"x": np.float32(value)})) == {"x": str(float(value))}


def test_numbers_are_exact() -> None:
    values = np.random.default_rng(3).standard_normal((3, 5)).astype(np.float32)
    packed = Numbers.of(values)
    import base64

    np.testing.assert_array_equal(
        np.frombuffer(base64.b64decode(packed.data), "<f4").reshape(packed.shape), values
    )
    assert [float(np.float32(json.loads(to_json(float(value))))) for value in values[0]] == values[0].tolist()


def test_odd_names_do_not_break_out_of_the_page() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("</script><b>&\u2028\"'", nn.Linear(3, 2))

        def forward(self, x: Tensor) -> Tensor:
            return next(self.children())(x.flatten(1))

    subject = Subject(
        "<!--<script>", "</title>", Odd(), np.ones((1, 3, 1, 1), np.float32), np.zeros((2, 2), np.uint8), ()
    )
    html = render(gather(subject, trace_subject(subject)))
    assert html.count("</script>") == 2
    assert "<!--" not in html
    data = html.partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(data)["model"] == "<!--<script>"
    assert json.loads(data)["operations"][1]["label"].startswith("</script><b>&")


def test_training_shows_masks_and_the_batchs_statistics() -> None:
    minidnn.manual_seed(1)
    subject = subject_of(Everything().train(), (4, 11, 9), 1)
    kinds = {operation.function for operation in gather(subject, trace_subject(subject)).operations}
    assert {"Dropout", "BatchNormTraining"} <= kinds
