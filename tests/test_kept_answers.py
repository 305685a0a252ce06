"""An answer that passed is kept as text and used in another session, whatever its form."""

import linecache

import numpy as np
import pytest

from minivae import exercises as api
from minivae.errors import MinivaeError
from minivae.exercises import capture, checker
from minivae.exercises.cards import CORRECT

pytestmark = pytest.mark.usefixtures("progress_file")

# The Gaussian KL in many forms; each cell leaves the answer in `answer`.
KEPT = {
    "a function": """
import numpy as np
def answer(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
""",
    "a constant of NumPy's, an array and a list": """
import numpy as np
HALF, ONE, AXES = np.float64(0.5), np.array([1.0]), [1]
def answer(mu, logvar):
    return HALF * (mu**2 + np.exp(logvar) - ONE - logvar).sum(axis=AXES[0])
""",
    "infinity and a dict": """
import numpy as np
LIMITS = {"low": -np.inf, "high": float("inf")}
def answer(mu, logvar):
    return np.clip((mu**2 + np.exp(logvar) - 1 - logvar).sum(1) / 2, LIMITS["low"], LIMITS["high"])
""",
    "helpers that use each other": """
from numpy import exp
def half(a): return a / 2
def inner(mu, logvar): return half(mu**2 + exp(logvar) - 1 - logvar)
def answer(mu, logvar): return inner(mu, logvar).sum(axis=1)
""",
    "a lambda": """
import numpy as np
answer = lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
""",
    "a lambda of several lines, among others": """
import numpy as np
twice, answer = (lambda a: 2 * a), (
    lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar)
    .sum(axis=1) / 2
)
""",
    "a closure": """
import numpy as np
def make(half):
    def kl(mu, logvar):
        return half * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
    return kl
answer = make(0.5)
""",
    "a default and a decorator": """
import functools
import numpy as np
HALF = 0.5
def twice(f):
    @functools.wraps(f)
    def wrapped(*args):
        return 2 * f(*args)
    return wrapped
def quarter(mu, logvar, half=HALF):
    return half * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
def answer(mu, logvar, f=quarter):
    return 2 * f(mu, logvar)
""",
    "a method": """
import numpy as np
class Gaussian:
    def __init__(self, half):
        self.half = half
    def kl(self, mu, logvar):
        return self.half * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
answer = Gaussian(0.5).kl
""",
    "an object that is called": """
import numpy as np
class KL:
    def __call__(self, mu, logvar):
        return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
answer = KL()
""",
    "a partial function": """
import functools
import numpy as np
def scaled(half, mu, logvar):
    return half * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
answer = functools.partial(scaled, 0.5)
""",
    "another name for a function": """
import numpy as np
def my_kl(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
answer = my_kl
""",
    "compiled by numba": """
import numpy as np
from numba import njit
@njit
def answer(mu, logvar):  # numba takes seconds for the same in whole arrays
    kl = np.zeros(len(mu))
    for b in range(len(mu)):
        for l in range(mu.shape[1]):
            kl[b] += (mu[b, l]**2 + np.exp(logvar[b, l]) - 1 - logvar[b, l]) / 2
    return kl
""",
}

NOT_KEPT = {
    "a generator": (
        """
import numpy as np
rng = np.random.default_rng(0)
def answer(mu, logvar):
    rng.random()
    return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
""",
        "rng, a Generator",
    ),
    "a counter": (
        """
import numpy as np
def make():
    calls = 0
    def answer(mu, logvar):
        nonlocal calls
        calls += 1
        return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
    return answer
answer = make()
""",
        "changes a variable",
    ),
    "a large array": (
        """
import numpy as np
table = np.zeros(10**5)
def answer(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2 + table[0]
""",
        "an array of 100000 numbers",
    ),
    "a class with parents": (
        """
import numpy as np
class Base: pass
class KL(Base):
    def __call__(self, mu, logvar):
        return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
answer = KL()
""",
        "a class with parents",
    ),
}


def cell_name(text):
    return f"<cell {hash(text)}>"


def run_cell(text):
    """Run a cell as a notebook does: its source is known by a name that is no file's."""
    name = cell_name(text)
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    namespace = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), namespace)
    return namespace["answer"]


@pytest.mark.parametrize("form", KEPT)
def test_an_answer_of_any_form_is_used_in_the_next_session(form):
    verdict = api.check("03.kl", run_cell(KEPT[form]))
    assert (verdict.status, verdict.body) == (CORRECT, "")
    checker.passed.clear()  # another session: only the progress file connects the two
    del linecache.cache[cell_name(KEPT[form])]
    backend = api.my_backend()
    assert backend.yours == ("03.kl",)
    kl, _ = backend.gaussian_kl_forward(np.ones((2, 3)), np.zeros((2, 3)))
    np.testing.assert_allclose(kl, 0.5)


@pytest.mark.parametrize("form", NOT_KEPT)
def test_what_cannot_be_kept_is_said_when_it_passes(form):
    text, reason = NOT_KEPT[form]
    verdict = api.check("03.kl", run_cell(text))
    assert verdict.status == CORRECT
    assert "only this session can use it" in verdict.body
    assert reason in verdict.body
    assert api.my_backend().yours == ("03.kl",)
    checker.passed.clear()
    assert api.my_backend().yours == ()


def test_an_answer_that_a_changed_variable_has_spoiled_is_not_used():
    """A training with it would go wrong silently."""
    answer = run_cell(KEPT["a constant of NumPy's, an array and a list"])
    api.check("03.kl", answer)
    answer.__globals__["HALF"] = 5.0
    assert api.my_backend().yours == ()


def test_values_come_back_as_they_were():
    import math

    namespace = {}
    values = [
        math.nan, -math.inf, 1 + 2j, b"a", None, (), (1,), {1, 2}, frozenset(), {"a": [1.5]},
        np.float32(0.1), np.bool_(True), np.int8(-3), np.zeros((0, 3)), np.eye(2, dtype=np.float32),
    ]  # fmt: skip
    for value in values:
        parts = capture._Parts()
        text = parts.expression(value)
        exec(parts.source() + f"back = {text}", namespace)
        back = namespace["back"]
        assert type(back) is type(value)
        np.testing.assert_array_equal(back, value)
        if isinstance(value, np.ndarray):
            assert (back.dtype, back.shape) == (value.dtype, value.shape)


def test_use_records_a_pass_and_says_why_an_answer_fails():
    def wrong(mu, logvar):
        return mu[:, 0]

    assert api.use("03.kl", wrong) is not wrong
    rows = {row["id"]: row for row in api.summary()["exercises"]}
    assert rows["03.kl"]["fails"] == 1
    right = run_cell(KEPT["a function"])
    assert api.use("03.kl", right) is right
    assert api.summary()["done"] == 1


def test_use_does_not_give_away_a_value():
    value = next(e for e in checker.exercises().values() if e.cases is None)
    with pytest.raises(MinivaeError, match="asks for a value"):
        api.use(value.id)
