"""check, hint, solution and use: what a reader is told about right and wrong answers."""

import sys
from functools import partial
from itertools import product

import numpy as np
import pytest
from answers import empty, right_kl, twice

from minivae import exercises as api
from minivae.exercises import compare, grading
from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises

pytestmark = pytest.mark.usefixtures("progress_file")


def test_a_right_answer_is_correct():
    assert api.check("03.kl", right_kl).status == CORRECT


def test_a_wrong_answer_shows_the_smallest_failing_input_and_the_exact_ratio():
    verdict = api.check("03.kl", twice)
    assert verdict.status == NOT_YET
    assert "mu = [[1.]]" in verdict.body
    assert "logvar = [[0.5]]" in verdict.body
    assert "yours     [1.14872]" in verdict.body
    assert "expected  [0.57436]" in verdict.body
    assert "exactly twice the right value" in verdict.body


def test_an_answer_that_knows_the_cases_by_heart_fails():
    known = {repr(args): right_kl(*args) for args in exercises()["03.kl"].cases()}

    def by_heart(mu, logvar):
        return known.get(repr((mu, logvar)), np.zeros(len(mu)))

    verdict = api.check("03.kl", by_heart)
    assert verdict.status == NOT_YET
    assert "yours     [0., 0., 0.]" in verdict.body


@pytest.mark.parametrize("id", [id for id, e in exercises().items() if e.fresh])
def test_the_reference_is_right_whatever_is_drawn(id, monkeypatch):
    seeds = iter(range(100))
    monkeypatch.setattr(grading, "new_seed", lambda: next(seeds))
    exercise = exercises()[id]
    for _ in range(50):
        assert grading.grade(exercise, exercise.reference).status == CORRECT
    assert next(seeds) == 50  # one for each check


def test_the_mistake_is_named_from_the_second_failure_on():
    half_lost = exercises()["03.kl"].mistakes[0].says
    assert half_lost not in api.check("03.kl", twice).body
    assert half_lost in api.check("03.kl", twice).body


def test_hint_names_the_mistake_after_one_failure():
    api.check("03.kl", twice)
    card = api.hint("03.kl")
    assert exercises()["03.kl"].hints[0] in card.body
    assert exercises()["03.kl"].mistakes[0].says in card.body


def test_hints_come_one_after_another_and_stay_at_the_last():
    shown = [api.hint("03.kl").body for _ in range(4)]
    hints = exercises()["03.kl"].hints
    assert [sum(hint in body for hint in hints) for body in shown] == [1, 2, 3, 3]


def test_solution_shows_the_source_that_checks():
    assert "np.exp(logvar) - 1 - logvar" in api.solution("03.kl").body


def test_a_wrong_answer_that_nobody_listed_is_rejected_without_a_name():
    verdict = api.check("03.kl", lambda mu, logvar: right_kl(mu, logvar) * 1.0001)
    assert verdict.status == NOT_YET
    assert verdict.mistake is None
    assert "at        " in verdict.body


def test_an_answer_that_is_wrong_only_in_larger_cases_is_rejected():
    def answer(mu, logvar):
        return right_kl(mu, logvar) + (0.1 if len(mu) > 1 else 0)

    assert api.check("03.kl", answer).status == NOT_YET


def test_no_broadcasting():
    """A result of shape (1, 2) is wrong where (3, 2) is expected, although the two broadcast."""

    def answer(mu, logvar, eps):
        return (mu + np.exp(logvar / 2) * eps)[:1]

    assert "shape (1, 2); expected (3, 2)" in api.check("04.reparameterize", answer).body


@pytest.mark.slow
def test_a_numba_answer_is_checked():
    numba = pytest.importorskip("numba", reason="there is no numba here")

    @numba.njit
    def answer(mu, logvar, eps):
        return mu + np.exp(logvar / 2) * eps

    assert api.check("04.reparameterize", answer).status == CORRECT


def test_a_ufunc_and_a_method_are_functions_too():
    class Layer:
        def forward(self, x, W, b):
            return x @ W + b

    assert api.check("05.dense", Layer().forward).status == CORRECT
    assert api.check("05.sigmoid", np.tanh).mistake == "tanh-itself"


@pytest.mark.parametrize(
    ("shift", "said"),
    [
        (lambda kl: -kl, "the right size with the wrong sign"),
        (lambda kl: kl / 2, "exactly half the right value"),
        (lambda kl: kl + 0.5, "too large by exactly 1/2"),
        (lambda kl: kl - np.log(2 * np.pi) / 2, "too small by exactly log(2 pi)/2"),
        (lambda kl: 0 * kl + np.inf, "yours     [inf]"),
    ],
)
def test_a_simple_pattern_in_the_error_is_named(shift, said):
    assert said in api.check("03.kl", lambda mu, logvar: shift(right_kl(mu, logvar))).body


def test_a_whole_number_may_be_an_index_and_is_not_called_twice_another():
    assert "exactly twice the right value" in compare.difference(4.0, 2.0)
    assert compare.difference(4, 2) == "yours     4\nexpected  2"


def test_a_factor_that_is_a_size_is_explained():
    body = api.check("03.kl", lambda mu, logvar: right_kl(mu, logvar) / mu.shape[1]).body
    assert "3 times too small; 3 is the number of columns of mu" in body


def test_a_blocked_product_may_also_loop_over_single_entries():
    """As in `kernels/plain_products.py`: an entry is read often, but only within its block."""

    def answer(A, B, block):
        I, K, J = A.shape[0], A.shape[1], B.shape[1]
        C = np.zeros((I, J))
        for i0, k0, j0 in product(range(0, I, block), range(0, K, block), range(0, J, block)):
            for i, k in product(range(i0, min(i0 + block, I)), range(k0, min(k0 + block, K))):
                for j in range(j0, min(j0 + block, J)):
                    C[i, j] += A[i, k] * B[k, j]
        return C

    assert api.check("08.blocked", answer).status == CORRECT


def test_an_array_of_the_same_shape_may_be_made_without_reading():
    """np.zeros_like reads no entry, np.sum reads them all."""

    def answer(make, logits, x):
        nll, dlogits = np.zeros(len(x)), make(logits)
        for b in range(x.shape[0]):
            for d in range(x.shape[1]):
                l = logits[b, d]
                e = np.exp(-abs(l))
                nll[b] += max(l, 0.0) + np.log1p(e) - x[b, d] * l
                dlogits[b, d] = (1.0 if l > 0 else e) / (1 + e) - x[b, d]
        return nll, dlogits

    for make in (np.zeros_like, np.empty_like):
        assert api.check("08.fused", partial(answer, make)).status == CORRECT
    summed = api.check("08.fused", partial(answer, lambda logits: np.sum(logits) * logits))
    assert "read the entries one by one" in summed.body


def test_a_kl_that_is_right_only_for_distributions_is_correct():
    """The terms p - q sum to zero where p and q both sum to one."""

    def answer(q, prior, likelihood):
        kl = (q * np.log(q / prior) + (prior - q)).sum(axis=1)
        return ((q * np.log(likelihood)).sum(axis=1) - kl).mean()

    assert api.check("02.batch-bug", answer).status == CORRECT


def test_wrong_answers_on_no_list_are_rejected_with_the_failing_input():
    wrong = {
        "01.settled": lambda log_p, low, high, counts, tolerance: (float(low), counts[-1]),
        "02.weights-with-gap": lambda gap: (np.exp(-gap), 2 - np.exp(-gap)),
        "03.kl-backward": lambda dkl, mu, logvar: (dkl[:, None] * mu, np.tanh(logvar)),
        "04.yes-or-no": lambda f, b, logit: float(np.median(f) + logit),
        "05.bernoulli-nll": lambda logits, x: (np.abs(logits) - x * logits).sum(axis=1),
        "05.logsumexp-backward": lambda dy, a: 0.9 * dy[:, None] * (a > 0),
        "06.k-samples": lambda dz, mu, logvar, eps: (dz.max(axis=0), logvar),
        "07.adam": lambda flat, grad, m, v, step, lr: flat.__isub__(lr * grad),
        "08.loop-order": lambda X, dA: np.zeros((X.shape[1], dA.shape[1])),
        "09.missing-nats": lambda log_w, K: np.full(log_w.shape[1], 1 / K),
        "10.turning-price": lambda variances, R: float(np.log(variances).sum()),
    }
    for id, answer in wrong.items():
        verdict = api.check(id, answer)
        assert verdict.status == NOT_YET, id
        assert verdict.mistake is None, id
        assert verdict.body.startswith("at        "), id


def test_the_card_is_escaped_html_and_plain_text():
    def answer(mu, logvar):
        raise ValueError("<script>alert(1)</script>")

    verdict = api.check("03.kl", answer)
    assert "<script>" in str(verdict)
    assert "<script>" not in verdict.html
    assert "&lt;script&gt;" in verdict.html


def test_check_prints_once_where_there_is_no_notebook(capsys):
    api.check("03.kl", right_kl)
    assert capsys.readouterr().out == "✓ 03.kl: correct\n"


def test_check_works_in_a_terminal_without_unicode(monkeypatch):
    class Ascii:
        encoding = "ascii"
        text = ""

        def write(self, text):
            self.text += text.encode("ascii").decode()

    out = Ascii()
    monkeypatch.setattr(sys, "stdout", out)
    api.check("03.kl", right_kl)
    monkeypatch.undo()
    assert "03.kl: correct" in out.text


# ---- use ---------------------------------------------------------------------------------------


def test_use_gives_the_readers_function_once_it_passes(capsys):
    assert api.use("03.kl", right_kl) is right_kl
    assert "yours" in capsys.readouterr().out


@pytest.mark.parametrize("answer", [empty, twice, None, ...])
def test_use_gives_the_reference_until_then(answer, capsys):
    assert api.use("03.kl", answer) is exercises()["03.kl"].reference
    assert "the reference" in capsys.readouterr().out
