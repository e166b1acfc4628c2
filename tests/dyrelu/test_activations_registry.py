"""The list of variants, which must be there without Paddle, and the sentences for bad names and options."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dyrelu import activations
from dyrelu.errors import DyReLUError, UnknownVariantError

pytestmark = pytest.mark.nopaddle

COMMON = ("reduction", "k", "zero_init", "min_hidden")


def test_names() -> None:
    assert activations.names() == (
        "dyrelu_a",
        "dyrelu_b",
        "dyrelu_c",
        "identity",
        "relu",
        "relu6",
        "relu_parallel",
        "se_relu",
        "static_maxout",
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", ()),
        ("relu6", ()),
        ("relu_parallel", ()),
        ("identity", ()),
        ("dyrelu_a", COMMON),
        ("dyrelu_b", COMMON),
        ("dyrelu_c", (*COMMON, "spatial", "tau")),
        ("se_relu", ("reduction", "zero_init", "min_hidden")),
        ("static_maxout", ("k",)),
    ],
)
def test_options(name: str, expected: tuple[str, ...]) -> None:
    assert activations.options(name) == expected


def test_names_and_options_leave_paddle_alone() -> None:
    program = (
        "import sys; sys.modules['paddle'] = None\n"
        "import dyrelu\n"
        "print([dyrelu.activations.options(name) for name in dyrelu.activations.names()])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_gets_the_choices() -> None:
    with pytest.raises(
        UnknownVariantError, match=r"'dyrelu_x' is unknown: .*dyrelu_a, dyrelu_b, dyrelu_c, identity, relu"
    ):
        activations.build("dyrelu_x")


@pytest.mark.parametrize("module", ["base", "__init__", ""])
def test_a_module_that_is_no_variant_is_no_name(module: str) -> None:
    with pytest.raises(UnknownVariantError):
        activations.options(module)


def test_the_package_has_no_other_attributes() -> None:
    import dyrelu

    assert "models" in dir(dyrelu)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dyrelu.nothing


def test_every_error_has_the_one_root() -> None:
    from dyrelu import errors

    kinds = [getattr(errors, name) for name in errors.__all__]
    assert all(issubclass(kind, DyReLUError) for kind in kinds)
