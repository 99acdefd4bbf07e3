"""The pages build without a warning, and what was built is whole."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT
from tests.program import ENVIRONMENT

NEEDED = ("sphinx", "furo", "myst_parser", "latex2mathml")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"the `docs` extra is not installed: {', '.join(MISSING)}")
def test_the_pages_build(tmp_path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    result = subprocess.run(
        [*command, "-d", str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "html")],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    for page in PAGES:
        assert (tmp_path / "html" / page).with_suffix(".html").is_file(), page
    walk = (tmp_path / "html" / "walks" / "conv2d.html").read_text()
    assert "<math" in walk
    assert "kernels/conv2d/reference.py" in walk
    # Nothing is fetched from elsewhere, so that the pages can be read without a network.
    assert not re.findall(r'(?:src|href)="https?://[^"]*\.(?:js|css)[^"]*"', walk)


def test_docstrings_become_what_sphinx_reads() -> None:
    pytest.importorskip("sphinx")
    from project_docstrings import convert

    lines = [
        "Return a * b_c.",
        "",
        "    y = a * b",
        "",
        "where `a_b` is code.",
        "",
        "Shapes: x (N, *spatial).",
    ]
    convert(None, "function", "f", None, None, lines)  # type: ignore[arg-type]
    assert lines[0] == "Return a \\* b\\_c."
    assert "    y = a * b" in lines[lines.index("::") :]
    assert "where `a_b` is code." in lines
    assert lines[lines.index("Shapes:") + 1] == "    x (N, \\*spatial)."


@pytest.mark.parametrize(
    ("path", "name", "first"),
    [
        ("kernels/linear/reference.py", "linear_forward_loops", "@implements("),
        ("minidnn/functional/dropout.py", "Dropout.backward", "def backward"),
        ("kernels/conv2d/conv2d.cu", "im2col", "// columns[n, channel"),
        ("kernels/cuda/window.cuh", "FOR_EACH_TAP", "// The body runs"),
        ("kernels/batch_norm/batch_norm.cu", "Moments", "struct Moments {"),
    ],
)
def test_excerpts_are_found_by_name(path: str, name: str, first: str) -> None:
    from excerpts import excerpt

    found = excerpt(path, name)
    assert found.text.startswith(first)
    assert (ROOT / path).read_text().splitlines()[found.line - 1].strip().startswith(first)
    assert found.text.count("{") == found.text.count("}")


@pytest.mark.parametrize("path", ["kernels/linear/reference.py", "kernels/linear/linear.cu"])
def test_a_name_that_is_gone_is_an_error(path: str) -> None:
    from excerpts import excerpt

    with pytest.raises(LookupError, match=f"{path} has no gone"):
        excerpt(path, "gone")


def test_an_excerpt_without_its_docstring() -> None:
    from excerpts import excerpt

    whole = excerpt("kernels/linear/reference.py", "linear_forward_loops")
    bare = excerpt("kernels/linear/reference.py", "linear_forward_loops", docstring=False)
    assert '"""' in whole.text
    assert '"""' not in bare.text
    assert bare.text.splitlines()[-1] == whole.text.splitlines()[-1]
