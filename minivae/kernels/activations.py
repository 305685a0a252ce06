"""The activations of a dense layer, each in one place: its row of the table ACTIVATION_FUNCTIONS.

An activation is a pair of functions of one number: y = f(a), and the derivative f'(a) computed from
y, because the forward pass keeps y. To add one, write the pair and its row.
"""

from collections.abc import Callable
from typing import Any

from minivae.kernels.compilation import compiled, inlined
from minivae.kernels.elementary import exp, expm1, log1p_unit, tanh


@compiled
def _tanh_slope(y):
    return type(y)(1) - y * y


@compiled
def _relu(a):
    zero = type(a)(0)
    return zero if a <= zero else a  # NaN stays NaN


@compiled
def _relu_slope(y):
    return type(y)(1) if y > type(y)(0) else y  # where y is not positive it is 0 or NaN


@compiled
def _softplus(a):
    """log(1 + exp(a)), without overflow; error at most 4 ulp in float32; NaN for NaN."""
    zero = type(a)(0)
    return (zero if a <= zero else a) + log1p_unit(exp(-abs(a)))


@compiled
def _softplus_slope(y):
    """sigmoid(a) = 1 - exp(-y)."""
    return -expm1(-y)


ACTIVATION_FUNCTIONS = {  # name: (f, slope)
    "tanh": (tanh, _tanh_slope),
    "relu": (_relu, _relu_slope),
    "softplus": (_softplus, _softplus_slope),
}
ACTIVATIONS = (*ACTIVATION_FUNCTIONS, "none")
# the codes that compiled functions use
CODES = {name: code for code, name in enumerate(ACTIVATIONS)}
NO_ACTIVATION = CODES["none"]


# The two functions below choose a loop by the code of the activation. There is one loop for each
# activation, so that LLVM vectorizes it. The choice is a chain of functions, one for each row of
# the table, which numba inlines into one.


def _forward_chain(functions: list[tuple[int, Callable]]) -> Any:
    if not functions:
        return _end_of_forward_chain
    (own_code, f), *others = functions
    otherwise = _forward_chain(others)

    @inlined
    def choose(numbers, code):
        if code == own_code:
            for j in range(len(numbers)):
                numbers[j] = f(numbers[j])
        else:
            otherwise(numbers, code)

    return choose


@inlined
def _end_of_forward_chain(numbers, code):
    pass


def _backward_chain(slopes: list[tuple[int, Callable]]) -> Any:
    if not slopes:
        return _end_of_backward_chain
    (own_code, slope), *others = slopes
    otherwise = _backward_chain(others)

    @inlined
    def choose(dy, y, code, da):
        if code == own_code:
            for j in range(len(y)):
                da[j] = dy[j] * slope(y[j])
        else:
            otherwise(dy, y, code, da)

    return choose


@inlined
def _end_of_backward_chain(dy, y, code, da):
    pass


_rows = [(CODES[name], *pair) for name, pair in ACTIVATION_FUNCTIONS.items()]
_choose_forward = _forward_chain([(code, f) for code, f, _ in _rows])
_choose_backward = _backward_chain([(code, slope) for code, _, slope in _rows])


@compiled
def activate(numbers, code):
    """numbers = f(numbers), in place; nothing for NO_ACTIVATION."""
    _choose_forward(numbers, code)


@compiled
def activation_gradient(dy, y, code, da):
    """da = dy f'(a), from y = f(a). Flat arrays; not for NO_ACTIVATION, where da is dy."""
    _choose_backward(dy, y, code, da)
