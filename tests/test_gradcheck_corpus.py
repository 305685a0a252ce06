"""`check_grad` on the whole corpus: no right gradient is called wrong, and no wrong one right."""

import numpy as np
import pytest

from minivae import gradcheck
from minivae.studies.checkers import corpus
from minivae.studies.checkers.case import RANDOM, SMOOTH

CASES = corpus.all_cases()
LARGE = 300  # variables; larger cases take longer, and are slow tests
FAST = 3  # of the wrong gradients of each case, so many are in the fast suite
MOST_UNTOLD = 0.05  # of the smooth cases


def marked(case):
    slow = [pytest.mark.slow] if case.x.size > LARGE else []
    return pytest.param(case, id=f"{case.field}: {case.name}", marks=slow)


each = pytest.mark.parametrize("case", [marked(case) for case in CASES])


def verdict(case, df):
    with np.errstate(all="ignore"):
        return gradcheck.check_grad(case.f, df, case.x.copy()).verdict


def allowed(case, expected):
    return {"cannot tell"} if case.kind == RANDOM else {expected, "cannot tell"}


def rotated(case):
    """The wrong gradients, beginning with another one in each case."""
    names = list(case.wrong)
    start = len(case.name) % len(names)
    return names[start:] + names[:start]


@each
def test_a_right_gradient_is_not_called_wrong(case):
    assert verdict(case, case.df) in allowed(case, "right")


@each
def test_wrong_gradients_are_not_called_right(case):
    for name in rotated(case)[:FAST]:
        assert verdict(case, case.wrong[name]) in allowed(case, "wrong"), name


@pytest.mark.slow
@each
def test_no_wrong_gradient_is_called_right(case):
    for name in rotated(case)[FAST:]:
        assert verdict(case, case.wrong[name]) in allowed(case, "wrong"), name


@pytest.mark.slow
def test_smooth_functions_are_nearly_always_told():
    smooth = [case for case in CASES if case.kind == SMOOTH]
    untold = [case.name for case in smooth if verdict(case, case.df) == "cannot tell"]
    assert len(untold) <= MOST_UNTOLD * len(smooth), untold


@pytest.mark.slow
def test_mistakes_in_smooth_functions_are_nearly_always_told():
    smooth = [(case, df) for case in CASES if case.kind == SMOOTH for df in case.wrong.values()]
    untold = [case.name for case, df in smooth if verdict(case, df) == "cannot tell"]
    assert len(untold) <= MOST_UNTOLD * len(smooth), untold
