"""Whatever an answer is or does, `check` gives a clear verdict and nothing breaks."""

import sys
import threading
import time

import numpy as np
import pytest
from answers import right_kl

from minivae import errors
from minivae import exercises as api
from minivae.exercises import execution, grading
from minivae.exercises.cards import CORRECT, NOT_YET, UNKNOWN
from minivae.exercises.catalogue import exercises

pytestmark = pytest.mark.usefixtures("progress_file")


def explicit_none(mu, logvar):
    return None


def forgotten_return(mu, logvar):
    right_kl(mu, logvar)


@pytest.mark.parametrize("answer", [explicit_none, forgotten_return, lambda mu, logvar: None])
def test_none_asks_for_a_return(answer):
    verdict = api.check("03.kl", answer)
    assert verdict.status == NOT_YET
    assert "returns None" in verdict.body
    assert "`return`" in verdict.body


BAD = {
    "not a function": (np.ones(3), "expected the function itself"),
    "a string": ("gaussian_kl", "the answer is a string"),
    "too few arguments": (lambda mu: mu, "yours takes (mu)"),
    "too many arguments": (lambda mu, logvar, eps: mu, "yours takes (mu, logvar, eps)"),
    "a list": (lambda mu, logvar: list(right_kl(mu, logvar)), "yours is a list"),
    "a single number": (lambda mu, logvar: 0.5, "yours is a single number"),
    "a tuple": (lambda mu, logvar: (right_kl(mu, logvar), 0), "yours is a tuple"),
    "complex": (lambda mu, logvar: right_kl(mu, logvar) + 0j, "yours is complex"),
    "wrong shape": (lambda mu, logvar: mu, "shape (1, 1); expected (1,)"),
    "integers": (lambda mu, logvar: right_kl(mu, logvar).astype(int), "holds int"),
    "float32": (lambda mu, logvar: right_kl(mu, logvar).astype(np.float32), "float32"),
    "objects": (lambda mu, logvar: right_kl(mu, logvar).astype(object), "object"),
    "NaN": (lambda mu, logvar: right_kl(mu, logvar) * np.nan, "not a number, in 1 of 1"),
    "a view of the input": (lambda mu, logvar: mu[:, 0], "yours     [1.]"),
    "a generator": (lambda mu, logvar: (yield mu), "`return` the result instead of `yield`"),
    "a matrix": (lambda mu, logvar: np.asmatrix(right_kl(mu, logvar)), "np.matrix"),
    "a dict": (lambda mu, logvar: {"kl": right_kl(mu, logvar)}, "yours is a dict"),
    "itself": (lambda mu, logvar: right_kl, "yours is the function right_kl"),
    "a question": (lambda mu, logvar: input("? "), "raised    EOFError"),
    "exit": (lambda mu, logvar: sys.exit(3), "raised    SystemExit: 3"),
    "an interrupt": (lambda mu, logvar: (_ for _ in ()).throw(KeyboardInterrupt), "Keyboard"),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("kind", BAD)
def test_bad_answers_get_a_clear_verdict(kind):
    answer, said = BAD[kind]
    verdict = api.check("03.kl", answer)
    assert verdict.status == NOT_YET
    assert said in verdict.body
    assert "could not examine" not in verdict.body


def test_a_coroutine_is_named():
    async def answer(mu, logvar):
        return right_kl(mu, logvar)

    assert "async def" in api.check("03.kl", answer).body


def test_an_object_whose_methods_all_raise_is_graded():
    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError(name)

        def __repr__(self):
            raise RuntimeError("repr")

        def __call__(self, mu, logvar):
            return self

        def __eq__(self, other):
            raise RuntimeError("eq")

        __hash__ = None

    assert api.check("03.kl", Hostile()).status == NOT_YET
    assert api.check("03.blind-spot", Hostile()).status == NOT_YET
    assert api.check("02.rise-and-fall", Hostile()).status == NOT_YET
    assert api.check("07.weights", Hostile()).status == NOT_YET
    assert api.check("06.name-the-bug", Hostile()).status == NOT_YET
    assert api.check(Hostile(), right_kl).status == UNKNOWN


@pytest.mark.parametrize("id", [e.id for e in exercises().values() if e.cases is None])
@pytest.mark.parametrize("answer", [None, 3, "x", [], [1, 2], np.ones((2, 2)), {}, right_kl])
def test_value_exercises_take_any_answer(id, answer):
    verdict = grading.grade(exercises()[id], answer)
    assert verdict.status == NOT_YET
    assert "could not examine" not in verdict.body


@pytest.mark.parametrize("id", [e.id for e in exercises().values() if e.cases])
def test_function_exercises_take_any_result(id):
    """`compare` describes what is wrong; the checker's own last resort is not needed."""
    n = len(exercises()[id].cases()[0])
    names = [f"a{i}" for i in range(n)]
    for result in ("[1]", "()", "{}", "'x'", "1j", "a0", "lambda: 0"):
        answer = eval(f"lambda {', '.join(names)}: {result}")
        verdict = grading.grade(exercises()[id], answer)
        assert verdict.status == NOT_YET, result
        assert "could not examine" not in verdict.body, result


def test_an_unknown_id_suggests_the_closest():
    verdict = api.check("03.k1", right_kl)
    assert verdict.status == UNKNOWN
    assert 'did you mean "03.kl"' in verdict.body
    assert 'did you mean "03.kl"' in api.hint("03.k1").body
    assert 'did you mean "03.kl"' in api.solution("03.k1").body
    with pytest.raises(errors.MinivaeError, match=r"did you mean '03\.kl'"):
        api.use("03.k1", right_kl)


@pytest.mark.parametrize("id", [None, 3, right_kl, ["03.kl"], b"03.kl"])
def test_an_id_that_is_not_text_is_unknown(id):
    assert api.check(id, right_kl).status == UNKNOWN


def test_an_error_is_shown_with_the_readers_own_line():
    def answer(mu, logvar):
        total = mu + logvar
        return np.linalg.inv(total[0])

    verdict = api.check("03.kl", answer)
    line = answer.__code__.co_firstlineno + 2
    assert "raised    LinAlgError" in verdict.body
    assert f"line {line}, in answer:  return np.linalg.inv(total[0])" in verdict.body


def test_an_endless_loop_is_stopped_and_shown(monkeypatch):
    monkeypatch.setattr(execution, "TIME_LIMIT", 0.2)

    def answer(mu, logvar):
        while True:
            mu = mu + 1

    before = threading.active_count()
    verdict = api.check("03.kl", answer)
    assert verdict.status == NOT_YET
    assert "stopped: no result" in verdict.body
    assert "in answer" in verdict.body  # and where it was
    assert threading.active_count() == before


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="no clock of a thread")
def test_the_time_of_other_programs_does_not_count(monkeypatch):
    """A right answer takes longer than the limit, as on a busy machine, but computes little."""
    monkeypatch.setattr(execution, "TIME_LIMIT", 0.2)

    def answer(mu, logvar):
        time.sleep(0.3)
        return right_kl(mu, logvar)

    monkeypatch.setattr(execution, "WAITING", 100)
    assert api.check("03.kl", answer).status == CORRECT


def softsign(a, out):
    out[:] = a / (np.abs(a) + np.float32(1))


@pytest.mark.parametrize(
    ("id", "answer"),
    [
        ("05.gradient-check", exercises()["05.gradient-check"].reference),
        ("07.one-batch", exercises()["07.one-batch"].reference),
        ("08.trap", softsign),
    ],
)
def test_right_answers_that_compute_or_compile_for_long_get_more_time(id, answer, monkeypatch):
    monkeypatch.setattr(execution, "TIME_LIMIT", 0.001)
    assert api.check(id, answer).status == CORRECT


def test_an_endless_loop_that_sleeps_is_stopped(monkeypatch):
    monkeypatch.setattr(execution, "TIME_LIMIT", 0.1)

    def answer(mu, logvar):
        while True:
            time.sleep(0.01)

    before = threading.active_count()
    assert "stopped: no result" in api.check("03.kl", answer).body
    assert threading.active_count() == before


def test_a_loop_that_will_not_stop_is_left_behind(monkeypatch):
    monkeypatch.setattr(execution, "TIME_LIMIT", 0.2)
    release = threading.Event()

    def answer(mu, logvar):
        while not release.is_set():
            try:
                time.sleep(0.01)
            except BaseException:
                continue

    try:
        verdict = api.check("03.kl", answer)
    finally:
        release.set()
    assert "restart the kernel" in verdict.body


def test_endless_recursion_is_an_error_like_any_other():
    def answer(mu, logvar):
        return answer(mu, logvar)

    assert "RecursionError" in api.check("03.kl", answer).body


def test_printing_is_noted_and_bounded(monkeypatch, capsys):
    def answer(mu, logvar):
        print("x" * 10_000_000)
        return right_kl(mu, logvar)

    verdict = api.check("03.kl", answer)
    assert verdict.status == CORRECT
    assert "it prints" in verdict.body
    assert len(capsys.readouterr().out) < 1000


def test_a_warning_is_noted():
    def answer(mu, logvar):
        np.log(np.zeros(1))
        return right_kl(mu, logvar)

    verdict = api.check("03.kl", answer)
    assert verdict.status == CORRECT
    assert "divide by zero" in verdict.body


def test_a_changed_error_state_is_reported_and_undone():
    def answer(mu, logvar):
        np.seterr(all="raise")
        return right_kl(mu, logvar)

    before = np.geterr()
    verdict = api.check("03.kl", answer)
    assert verdict.status == NOT_YET
    assert "error state" in verdict.body
    assert np.geterr() == before


def test_changing_an_argument_is_reported():
    def answer(mu, logvar):
        mu *= mu
        return (mu + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2

    assert "changes its argument mu" in api.check("03.kl", answer).body


def test_changing_an_array_within_a_dict_or_a_list_is_reported():
    right = exercises()["06.repair"].reference

    def step(params, x, eps):
        loss, grads = right(params, x, eps)
        params["mu_b"] -= grads["mu_b"]
        return loss, grads

    def forget(params, x, eps):
        result = right(params, x, eps)
        params.pop("mu_b")
        return result

    assert "changes its argument params['mu_b'] in place" in api.check("06.repair", step).body
    assert "changes its argument params in place" in api.check("06.repair", forget).body
    assert (
        grading.changed_part("a", [np.zeros(2), (np.ones(2),)], [np.zeros(2), (np.zeros(2),)])
        == "a[1][0]"
    )
    assert grading.changed_part("a", {"k": [1.0, 2.0]}, {"k": [1.0, 3.0]}) == "a['k'][1]"
    assert grading.changed_part("a", {"k": [1.0, np.nan]}, {"k": [1.0, np.nan]}) is None


def test_fresh_noise_is_reported():
    def answer(mu, logvar, eps):
        return mu + np.exp(logvar / 2) * np.random.default_rng().standard_normal(mu.shape)

    said = api.check("04.reparameterize", answer).body
    assert "another value at each call: use the noise that is passed in" in said


def test_draws_where_no_noise_is_passed_in_are_reported():
    def answer(x, W, v):
        return float(np.exp(np.random.default_rng().standard_normal()))

    body = api.check("02.draws", answer).body
    assert "another value at each call: it must not depend on chance" in body
    assert "passed in" not in body


def test_shared_memory_is_noted_where_the_reference_has_none():
    def answer(dz, logvar, eps):
        return dz, dz * eps * np.exp(logvar / 2) / 2

    verdict = api.check("04.reparameterize-backward", answer)
    assert verdict.status == CORRECT
    assert "shares memory" in verdict.body
