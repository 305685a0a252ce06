"""The exercises' machinery: every kind of answer gets a clear verdict, and nothing gets lost."""

import datetime
import importlib.util
import json
import linecache
import os
import re
import sys
import threading
import time
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from minivae import errors, mistakes, ops, vae
from minivae import exercises as api
from minivae.exercises import checker, questions, run, store
from minivae.exercises.backend import BLOCKS
from minivae.exercises.cards import CORRECT, NOT_ATTEMPTED, NOT_YET, UNKNOWN
from minivae.exercises.catalogue import exercises

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "notebooks" / "src").glob("[0-9][0-9]_*.py"))


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    path = tmp_path / "progress.json"
    monkeypatch.setenv("MINIVAE_PROGRESS", str(path))
    monkeypatch.setattr(checker, "passed", {})
    monkeypatch.setattr("minivae.exercises.backend.passed", checker.passed)
    return path


@pytest.fixture
def clock(monkeypatch):
    """A calendar that the test turns: clock(3) is three days on."""
    day = [datetime.date(2026, 1, 1)]
    monkeypatch.setattr(store, "today", lambda: day[0])

    def later(days):
        day[0] += datetime.timedelta(days=days)

    return later


def right_kl(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2


def twice(mu, logvar):
    return 2 * right_kl(mu, logvar)


def fresh(name):
    """Another interpreter's memory: nothing but the progress file connects the two."""
    checker.passed.clear()
    return name


# ---- verdicts ----------------------------------------------------------------------------------


def test_correct():
    assert api.check("03.kl", right_kl).status == CORRECT


def test_a_wrong_answer_shows_the_smallest_failing_input_and_the_clean_ratio():
    verdict = api.check("03.kl", twice)
    assert verdict.status == NOT_YET
    assert "mu = [[1.]]" in verdict.body
    assert "logvar = [[0.5]]" in verdict.body
    assert "yours     [1.14872]" in verdict.body
    assert "expected  [0.57436]" in verdict.body
    assert "exactly twice too large" in verdict.body


def test_the_mistake_is_named_from_the_second_failure_on():
    half_lost = mistakes.find("kl-half-lost").sentence.split(":")[0]
    assert half_lost not in api.check("03.kl", twice).body
    assert half_lost in api.check("03.kl", twice).body


def test_hint_names_the_mistake_after_one_failure():
    api.check("03.kl", twice)
    card = api.hint("03.kl")
    assert exercises()["03.kl"].hints[0] in card.body
    assert mistakes.find("kl-half-lost").sentence in card.body


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


def test_wrong_only_in_the_larger_cases_is_found():
    def answer(mu, logvar):
        return right_kl(mu, logvar) + (0.1 if len(mu) > 1 else 0)

    assert api.check("03.kl", answer).status == NOT_YET


def empty(mu, logvar): ...


def only_pass(mu, logvar):
    pass


def only_docstring(mu, logvar):
    """Nothing but words: return something here."""


def blanks(dy, y):
    slope = ...
    da = dy * slope
    return da


def one_blank(dy, y):
    slope = 1 - y**2
    da = ...
    return da, slope


def returned_blank(dy, y):
    return ...


@pytest.mark.parametrize("answer", [empty, only_pass, only_docstring, ...])
def test_an_empty_answer_is_not_attempted(answer, progress_file):
    assert api.check("03.kl", answer).status == NOT_ATTEMPTED
    assert not progress_file.exists()  # so that a notebook untouched leaves no trace


@pytest.mark.parametrize("answer", [blanks, one_blank, returned_blank])
def test_an_open_blank_is_not_attempted(answer):
    assert api.check("05.tanh-backward", answer).status == NOT_ATTEMPTED


@pytest.mark.parametrize("answer", [empty, only_pass, only_docstring, blanks, returned_blank])
def test_what_an_interpreter_makes_of_an_empty_answer_does_not_matter(answer, monkeypatch):
    """Another Python makes other instructions of the same source: here, those of an answer."""
    here = answer.__code__
    place = {"co_name": here.co_name, "co_filename": here.co_filename,
             "co_firstlineno": here.co_firstlineno}  # fmt: skip
    monkeypatch.setattr(answer, "__code__", twice.__code__.replace(**place))
    assert run.is_empty(answer, "")


def without_source(body):
    namespace = {"np": np}
    exec(f"def gaussian_kl(mu, logvar):\n    {body}", namespace)
    return namespace["gaussian_kl"]


@pytest.mark.parametrize("body", ["...", "pass", "'words'", "'words'; ...", "return None"])
def test_an_empty_answer_without_source_is_not_attempted(body):
    assert api.check("03.kl", without_source(body)).status == NOT_ATTEMPTED


def test_an_untouched_stub_with_blanks_and_without_source_is_not_attempted():
    namespace = {}
    exec(exercises()["05.tanh-backward"].stub, namespace)
    assert api.check("05.tanh-backward", namespace["tanh_backward"]).status == NOT_ATTEMPTED


@pytest.mark.parametrize("body", ["return 'words'", "return 0", "return mu", "'words'; mu + 1"])
def test_an_answer_without_source_is_an_attempt(body):
    assert api.check("03.kl", without_source(body)).status == NOT_YET


def test_source_that_has_changed_since_is_not_believed(tmp_path):
    """The file is another one now: no function, or another function, stands in that line.

    The answer is checked all the same, and the other function is not kept in its place.
    """
    path = tmp_path / "answer.py"
    for now in ("# gone\n", "def other(): ...\n", "kl = (\n", ""):
        path.write_text(now)
        namespace = {"right_kl": right_kl}
        exec(compile("def kl(mu, logvar): return right_kl(mu, logvar)", path, "exec"), namespace)
        linecache.checkcache(str(path))
        assert api.check("03.kl", namespace["kl"]).status == CORRECT
        assert "source" not in store.load()[0]["exercises"]["03.kl"]


def test_a_stub_left_above_code_is_an_attempt():
    def answer(mu, logvar):
        ...
        return mu

    assert api.check("03.kl", answer).status == NOT_YET


def test_ellipsis_as_an_index_is_no_blank():
    def answer(dkl, mu, logvar):
        every = dkl[..., None]
        return every * mu, every * (np.exp(logvar) - 1) / 2

    assert api.check("03.kl-backward", answer).status == CORRECT


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


def test_an_object_that_breaks_everything_is_survived():
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
    assert api.check("03.tell-apart", Hostile()).status == NOT_YET
    assert api.check("02.order", Hostile()).status == NOT_YET
    assert api.check("07.silent-beta", Hostile()).status == NOT_YET
    assert api.check("06.name-the-bug", Hostile()).status == NOT_YET
    assert api.check(Hostile(), right_kl).status == UNKNOWN


@pytest.mark.parametrize("id", [e.id for e in exercises().values() if e.cases is None])
@pytest.mark.parametrize("answer", [None, 3, "x", [], [1, 2], np.ones((2, 2)), {}, right_kl])
def test_value_exercises_take_any_answer(id, answer):
    verdict = checker.grade(exercises()[id], answer)
    assert verdict.status == NOT_YET
    assert "could not examine" not in verdict.body


@pytest.mark.parametrize("id", [e.id for e in exercises().values() if e.cases])
def test_no_function_exercise_stumbles_over_odd_results(id):
    """Each way of being wrong is told by compare, not by the last resort."""
    n = len(exercises()[id].cases()[0])
    names = [f"a{i}" for i in range(n)]
    for result in ("[1]", "()", "{}", "'x'", "1j", "a0", "lambda: 0"):
        answer = eval(f"lambda {', '.join(names)}: {result}")
        verdict = checker.grade(exercises()[id], answer)
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
def test_an_id_that_is_no_text_is_survived(id):
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
    monkeypatch.setattr(run, "TIME_LIMIT", 0.2)

    def answer(mu, logvar):
        while True:
            mu = mu + 1

    before = threading.active_count()
    verdict = api.check("03.kl", answer)
    assert verdict.status == NOT_YET
    assert "stopped: no result" in verdict.body
    assert "in answer" in verdict.body  # and where it was
    assert threading.active_count() == before


def test_a_loop_that_will_not_stop_is_left_behind(monkeypatch):
    monkeypatch.setattr(run, "TIME_LIMIT", 0.2)
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


def test_a_changed_error_state_is_told_and_undone():
    def answer(mu, logvar):
        np.seterr(all="raise")
        return right_kl(mu, logvar)

    before = np.geterr()
    verdict = api.check("03.kl", answer)
    assert verdict.status == NOT_YET
    assert "error state" in verdict.body
    assert np.geterr() == before


def test_changing_an_argument_is_told():
    def answer(mu, logvar):
        mu *= mu
        return (mu + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2

    assert "changes its argument mu" in api.check("03.kl", answer).body


def test_fresh_noise_is_told():
    def answer(mu, logvar, eps):
        return mu + np.exp(logvar / 2) * np.random.default_rng().standard_normal(mu.shape)

    assert "another value at each call" in api.check("04.reparameterize", answer).body


def test_shared_memory_is_noted_where_the_reference_has_none():
    def answer(dz, logvar, eps):
        return dz, dz * eps * np.exp(logvar / 2) / 2

    verdict = api.check("04.reparameterize-backward", answer)
    assert verdict.status == CORRECT
    assert "shares memory" in verdict.body


def test_no_broadcasting():
    """A (1, 2) where (3, 2) is expected is a shape, not a value."""

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
        (lambda kl: kl / 2, "exactly half as large"),
        (lambda kl: kl + 0.5, "too large by exactly 1/2"),
        (lambda kl: kl - np.log(2 * np.pi) / 2, "too small by exactly log(2 pi)/2"),
        (lambda kl: 0 * kl + np.inf, "yours     [inf]"),
    ],
)
def test_clean_clues(shift, said):
    assert said in api.check("03.kl", lambda mu, logvar: shift(right_kl(mu, logvar))).body


def test_a_factor_that_is_a_size_is_explained():
    body = api.check("03.kl", lambda mu, logvar: right_kl(mu, logvar) / mu.shape[1]).body
    assert "3 times too small; 3 is the number of columns of mu" in body


def test_blocks_may_also_be_loops_over_their_entries():
    """As in `plain_products.py`: an entry is read often, but while its piece is near."""

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


def test_a_kl_that_needs_distributions_may_have_them():
    """The terms - q + p sum to nothing, if both sum to one."""

    def answer(q, p):
        seen = q > 0
        return float((q[seen] * np.log(q[seen] / p[seen])).sum() + (p - q).sum())

    assert api.check("02.kl-discrete", answer).status == CORRECT


def test_ten_invented_wrong_answers_are_rejected_with_the_failing_input():
    """None of these is on a list."""
    invented = {
        "01.log-sum-exp": lambda a: np.log(np.exp(a - 1).sum(axis=0)) + 1.0001,
        "02.kl-discrete": lambda q, p: float(np.abs(q - p).sum()),
        "03.kl-backward": lambda dkl, mu, logvar: (dkl[:, None] * mu, np.tanh(logvar)),
        "04.pathwise": lambda df, eps, logvar: (float(np.median(df)), float(logvar)),
        "05.bernoulli-nll": lambda logits, x: (np.abs(logits) - x * logits).sum(axis=1),
        "05.central-difference": lambda f, x, h: 3 * x**2,
        "06.heads-backward": lambda a, b, c, d: np.maximum(a @ c.T, b @ d.T),
        "07.adam": lambda flat, grad, m, v, step, lr: flat.__isub__(lr * grad),
        "08.loop-order": lambda A, B: np.zeros((len(A), B.shape[1])),
        "09.effective-samples": lambda log_w: np.full(log_w.shape[1], float(len(log_w))),
        "10.rotate": lambda mean, variances, R: (R @ mean, np.outer(variances, variances)),
    }
    for id, answer in invented.items():
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


def test_a_terminal_without_unicode_is_survived(monkeypatch):
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


# ---- what is kept ------------------------------------------------------------------------------


def test_progress_survives_a_restart(progress_file):
    api.check("03.kl", twice)
    api.check("03.kl", right_kl)
    api.check("05.dense", lambda x, W, b: x)
    rows = {row["id"]: row for row in api.summary()["exercises"]}
    assert rows["03.kl"] == {
        "id": "03.kl",
        "title": exercises()["03.kl"].title,
        "status": CORRECT,
        "fails": 1,
        "hints": 0,
    }
    assert rows["05.dense"]["status"] == NOT_YET
    assert rows["01.evidence"]["status"] == NOT_ATTEMPTED
    assert json.loads(progress_file.read_text())["exercises"]["03.kl"]["fails"] == 1


def test_the_report_names_what_comes_next():
    for id in ("01.log-sum-exp", "01.evidence"):
        api.check(id, exercises()[id].reference)
    text = api.report()
    assert f"2 of {len(exercises())} exercises done" in text
    assert "next: 01.posterior" in text


DAMAGED = {
    "empty": b"",
    "no JSON": b"{",
    "not text": b"\xff\xfe\x00",
    "a list": b"[]",
    "another version": b'{"version": 99}',
    "a section missing": b'{"version": 1, "exercises": {}}',
    "a wrong type": b'{"version": 1, "exercises": {"03.kl": {"fails": "x"}}, "answers": {},'
    b' "review": {}}',
    "no table": b'{"version": 1, "exercises": {"03.kl": 3}, "answers": {}, "review": {}}',
    "an answer that is a number": b'{"version": 1, "exercises": {}, "answers": {"a": 3},'
    b' "review": {}}',
    "a date that is none": b'{"version": 1, "exercises": {}, "answers": {},'
    b' "review": {"a": {"box": 0, "due": "x"}}}',
    "a box that is none": b'{"version": 1, "exercises": {}, "answers": {},'
    b' "review": {"a": {"box": 7, "due": "2026-01-01"}}}',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_set_aside_and_said_so(damage, progress_file):
    progress_file.write_bytes(DAMAGED[damage])
    verdict = api.check("03.kl", right_kl)
    assert verdict.status == CORRECT
    assert "damaged" in verdict.body
    assert progress_file.with_name("progress.json.damaged").read_bytes() == DAMAGED[damage]
    assert api.summary()["done"] == 1
    assert "damaged" not in api.check("03.kl", right_kl).body


def test_an_unwritable_place_keeps_progress_for_the_session(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIVAE_PROGRESS", str(tmp_path / "no such folder" / "progress.json"))
    monkeypatch.setattr(store, "_unsaved", {})
    assert "for this session only" in api.check("03.kl", right_kl).body
    assert api.check("05.dense", exercises()["05.dense"].reference).body == ""  # said once
    assert api.summary()["done"] == 2


def test_a_folder_in_the_files_place_is_survived(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIVAE_PROGRESS", str(tmp_path))
    monkeypatch.setattr(store, "_unsaved", {})
    monkeypatch.setattr(os, "replace", _refuse)
    assert api.check("03.kl", right_kl).status == CORRECT


def _refuse(*args):
    raise PermissionError("no")


def test_the_default_place_is_hidden_and_ignored_by_git(monkeypatch):
    monkeypatch.delenv("MINIVAE_PROGRESS")
    place = store.path()
    assert place == ROOT / ".minivae_progress.json"
    assert ".minivae_progress*" in (ROOT / ".gitignore").read_text().split()


# ---- predictions, recall, review -----------------------------------------------------------------


def test_a_prediction_is_stored_and_shown_beside_the_truth():
    api.predict("02.log-of-average", "high")
    card = api.reveal("02.log-of-average")
    assert card.title == "02.log-of-average: you predicted high; it is low"
    assert "Jensen" in card.body


def test_a_right_prediction_says_so():
    api.predict("02.log-of-average", "low")
    assert "it is so" in api.reveal("02.log-of-average").title


def test_an_open_prediction_is_asked_and_the_truth_shown_alone(progress_file):
    assert '"low" or "right" or "high"' in api.predict("02.log-of-average").body
    assert api.reveal("02.log-of-average").title == "02.log-of-average: low"
    assert not progress_file.exists()


@pytest.mark.parametrize("answer", ["lo", 3, None, ["low"]])
def test_a_prediction_outside_the_choices_is_not_stored(answer, progress_file):
    assert "not one of the answers" in api.predict("02.log-of-average", answer).title
    assert not progress_file.exists()


def test_a_truth_that_the_notebook_finds():
    """It is not asked again: outside the notebook nobody could mark the answer."""
    api.predict("10.chonk", "yes")
    assert "it is no" in api.reveal("10.chonk", "no").title
    assert "missing" in api.reveal("10.chonk").title
    assert store.load()[0]["review"] == {}


def test_a_notebook_that_is_run_again_does_not_bring_back_what_was_learnt(clock):
    """Its cells still hold the first answers."""

    def run_all():
        api.predict("02.log-of-average", "high")
        api.reveal("02.log-of-average")
        api.recall("03", "a")

    run_all()
    missed = store.load()[0]["review"]
    assert "02.log-of-average" in missed
    store.update(lambda state: state["review"].clear())  # as after the last of the reviews
    run_all()
    assert store.load()[0]["review"] == {}
    api.predict("02.log-of-average", "right")
    api.reveal("02.log-of-average")
    assert "02.log-of-average" in store.load()[0]["review"], "another wrong answer is a new miss"


def test_unknown_predictions_suggest_the_closest():
    assert 'did you mean "02.elbo-up"' in api.predict("02.elbo_up", "always").body
    assert "no such prediction" in api.reveal(7).title


def test_every_notebook_from_two_on_has_three_recall_questions():
    for n in range(2, 11):
        asked = questions.recall_of(f"{n:02d}")
        assert len(asked) == 3
        assert all(int(q.source) < n for q in asked)
        assert all(q.right in questions.LETTERS and len(q.options) == 3 for q in asked)


def test_question_ids_and_answers_are_sound():
    ids = [q.id for q in (*questions.PREDICTIONS, *questions.RECALL)]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & set(exercises())
    assert all(p.truth is None or p.truth in p.options for p in questions.PREDICTIONS)
    assert {p.id[:2] for p in questions.PREDICTIONS} == {f"{n:02d}" for n in range(1, 11)}


def test_the_right_recall_answers_are_spread_over_the_letters():
    right = [q.right for q in questions.RECALL]
    assert all(right.count(letter) >= 3 for letter in questions.LETTERS)


def test_recall_marks_each_answer():
    right = [q.right for q in questions.recall_of("03")]
    body = api.recall("03", right[0], ..., "d").body
    assert body.startswith("✓ 1.")
    assert "2. " in body
    assert "'d' is not one of a, b, c" in body
    wrong = "a" if right[1] != "a" else "b"
    assert "rather: " in api.recall("03", right[0], wrong).body


def test_recall_untouched_leaves_no_trace(progress_file):
    api.recall("03", ..., ..., ...)
    assert not progress_file.exists()


@pytest.mark.parametrize("notebook", ["01", "11", 3, None])
def test_recall_of_a_notebook_without_questions(notebook):
    assert "no questions" in api.recall(notebook).title


def due():
    return api.summary()["due"]


def test_a_missed_question_comes_back_after_1_3_and_7_days(clock):
    api.predict("02.log-of-average", "high")
    api.reveal("02.log-of-average")
    asked, said = [], []

    def answer(letter):
        def ask(prompt):
            asked.append(prompt)
            return letter

        return ask

    assert due() == []
    for days in (1, 3, 7):
        clock(days - 1)
        assert due() == []
        clock(1)
        assert due() == ["02.log-of-average"]
        api.review_session(answer("a"), said.append)  # "low" is the first
    assert due() == []
    clock(1000)
    assert due() == []
    assert len(asked) == 3


def test_a_miss_in_the_review_begins_again(clock):
    api.recall("03", "a")
    clock(1)
    api.review_session(lambda prompt: "b", lambda text: None)
    clock(3)
    assert due() == ["03.r1"]
    api.review_session(lambda prompt: "c", lambda text: None)
    assert due() == []
    clock(1)
    assert due() == ["03.r1"]


def test_a_missed_exercise_comes_back_until_it_passes_again(clock):
    api.check("03.kl", twice)
    api.check("03.kl", right_kl)
    clock(1)
    said = []
    api.review_session(lambda prompt: "", said.append)
    assert "write it again in notebook 03" in said[-1]
    assert "write it again in notebook 03" in api.review().body
    assert due() == ["03.kl"]
    api.check("03.kl", right_kl)
    assert due() == []
    clock(3)
    assert due() == ["03.kl"]


def test_the_review_ends_with_the_input(clock):
    api.recall("03", "a", "a", "a")
    clock(1)

    def ask(prompt):
        raise EOFError

    api.review_session(ask, lambda text: None)
    assert len(due()) >= 2


def test_nothing_due():
    said = []
    api.review_session(lambda prompt: "a", said.append)
    assert said == ["nothing is due today"]


# ---- the museum --------------------------------------------------------------------------------


def test_a_walk_through_the_museum():
    said = []
    answers = iter(["x", "a", "b", "c", ""])
    right, asked = api.museum(lambda prompt: next(answers), said.append, np.random.default_rng(0))
    assert asked == 3
    assert 0 <= right <= 3
    text = "\n".join(said)
    assert "a, b or c; an empty line leaves" in text
    assert text.count("A gradient check of the whole VAE says") == 4
    assert said[-1].endswith(f"{right} of 3 named")


def test_the_museum_ends_with_the_input():
    def ask(prompt):
        raise EOFError

    assert api.museum(ask, lambda text: None) == (0, 0)


def test_every_exhibit_can_be_shown_and_named():
    """With the right letter each time, all are named: the right one is always among the choices."""
    said = []
    by_sentence = {m.sentence: m for m in mistakes.MISTAKES}

    def ask(prompt):
        shown = re.findall(r"^  ([abc])  (.*)$", said[-1], re.MULTILINE)
        symptom = re.search(r"VAE says: (.*)", said[-1])[1]
        fitting = [letter for letter, text in shown if by_sentence[text].symptom == symptom]
        assert len(fitting) == 1
        return fitting[0]

    right, asked = api.museum(ask, said.append, np.random.default_rng(1))
    assert right == asked == len(mistakes.MISTAKES)


def test_exhibits_are_plain_data():
    assert json.loads(json.dumps(api.exhibits()))["exhibits"][0].keys() == {
        "name",
        "where",
        "symptom",
        "mistake",
        "caught_by",
    }


# ---- my_backend --------------------------------------------------------------------------------

SPECS = [
    vae.Spec(5, (4,), 2),
    vae.Spec(5, (4, 3), 2, activation="relu", free_bits=0.1),
    vae.Spec(5, (4,), 2, likelihood="gaussian"),
]


@pytest.mark.parametrize("spec", SPECS)
def test_my_backend_gives_the_gradients_of_ops(spec):
    backend = api.my_backend()
    rng = np.random.default_rng(0)
    params = vae.unpack(vae.init_params(spec, rng, dtype=np.float64), spec)
    x = (rng.random((3, 5)) < 0.5).astype(float)
    one, many = rng.standard_normal((3, 2)), rng.standard_normal((4, 3, 2))
    for run_, eps in ((vae.elbo_and_grads, one), (vae.iwae_and_grads, many)):
        mine, right = run_(params, x, eps, spec, ops=backend), run_(params, x, eps, spec)
        np.testing.assert_allclose(mine.loss, right.loss, rtol=1e-12)
        np.testing.assert_allclose(mine.flat_grads, right.flat_grads, rtol=1e-9, atol=1e-12)
    sampled = vae.sample(params, 4, np.random.default_rng(1), spec, ops=backend)
    np.testing.assert_allclose(sampled, vae.sample(params, 4, np.random.default_rng(1), spec))


def train(backend, steps=5):
    spec = SPECS[0]
    rng = np.random.default_rng(0)
    flat = vae.init_params(spec, rng)
    params, m, v = vae.unpack(flat, spec), np.zeros_like(flat), np.zeros_like(flat)
    for step in range(1, steps + 1):
        x = (rng.random((8, 5)) < 0.3).astype(np.float32)
        eps = rng.standard_normal((8, 2), dtype=np.float32)
        result = vae.elbo_and_grads(params, x, eps, spec, ops=backend)
        backend.adam_step(flat, result.flat_grads, m, v, step, 1e-2)
    return flat


def test_my_backend_trains_as_ops_does():
    np.testing.assert_allclose(train(api.my_backend()), train(ops), rtol=1e-4, atol=1e-6)


HELPER = 0.5


def helper(a):
    return a * HELPER


def kl_with_a_helper(mu, logvar):
    return helper((mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1))


def test_my_backend_finds_answers_of_another_session():
    """With the helpers, constants and imports that the answer used."""
    api.check("03.kl", kl_with_a_helper)
    fresh("another session")
    backend = api.my_backend()
    assert backend.yours == ("03.kl",)
    assert "03.kl" not in backend.borrowed
    kl, _ = backend.gaussian_kl_forward(np.ones((2, 3)), np.zeros((2, 3)))
    np.testing.assert_allclose(kl, 0.5)


@pytest.mark.parametrize(
    "source",
    [
        "def f(mu, logvar):\n    return mu",
        "def f(mu, logvar: return",
        "raise SystemError",
        "x = 3",
        "",
    ],
)
def test_a_kept_answer_that_no_longer_passes_is_not_used(source):
    api.check("03.kl", right_kl)
    store.update(lambda state: state["exercises"]["03.kl"].update(source=source))
    fresh("another session")
    assert api.my_backend().yours == ()


def test_a_failing_answer_is_not_in_the_backend():
    api.check("03.kl", twice)
    assert api.my_backend().yours == ()


def test_the_poster_claims_no_more_than_is_so(tmp_path):
    spec = SPECS[0]
    images = np.random.default_rng(0).random((9, 4, 4))
    none = api.poster(images, api.my_backend(), spec)
    assert "0 of the 11 functions" in none.axes[0].get_title()
    for id in BLOCKS:
        api.use(id, exercises()[id].reference)
    path = tmp_path / "poster.png"
    fig = api.poster(images, api.my_backend(), spec, path)
    assert fig.axes[0].get_title() == "drawn by gradients you wrote"
    assert path.read_bytes().startswith(b"\x89PNG")


# ---- the notebooks -----------------------------------------------------------------------------


def placed(source):
    return re.findall(r'^(?:\w+ = )?(check|use)\("([^"]+)", (\w+)\)', source, re.MULTILINE)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_holds_the_stubs_of_its_exercises(path):
    """The stub as the catalogue has it, checked under its name: so that solutions can stand in."""
    source = path.read_text(encoding="utf-8")
    checked = {id: name for verb, id, name in placed(source) if verb == "check"}
    own = {e.id: e for e in exercises().values() if e.notebook == path.name[:2]}
    assert checked == {id: e.name for id, e in own.items()}
    assert [id for id, e in own.items() if e.stub not in source] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_notebooks_questions_exist(path):
    source = path.read_text(encoding="utf-8")
    predicted = re.findall(r'^predict\("([^"]+)"', source, re.MULTILINE)
    revealed = re.findall(r'^reveal\("([^"]+)"', source, re.MULTILINE)
    known = {p.id for p in questions.PREDICTIONS if p.id.startswith(path.name[:3].rstrip("_"))}
    assert set(predicted) <= known
    assert sorted(predicted) == sorted(revealed)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_an_untouched_notebook_says_not_attempted(path):
    """From the committed outputs, which another test holds to be those of the source."""
    built = ROOT / "notebooks" / f"{path.stem}.ipynb"
    notebook = json.loads(built.read_text(encoding="utf-8"))
    cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    for cell in cells:
        text = "".join(cell["source"])
        for verb, id, _ in placed(text):
            if verb == "check":
                assert f"{id}: {NOT_ATTEMPTED}" in json.dumps(cell["outputs"], ensure_ascii=False)


def solved(exercise):
    """The text that a reader who knows everything would put in place of the stub."""
    text = exercise.source()
    if exercise.cases and exercise.reference.__name__ != exercise.name:
        text += f"\n{exercise.name} = {exercise.reference.__name__}"
    return text


@pytest.mark.slow
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_solved_notebook_is_correct_throughout(path):
    pytest.importorskip("jupytext", reason="executing notebooks needs jupytext and nbclient")
    pytest.importorskip("nbclient", reason="executing notebooks needs jupytext and nbclient")
    spec = importlib.util.spec_from_file_location("build", ROOT / "notebooks" / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)

    def solve(notebook):
        for cell in notebook.cells:
            for exercise in exercises().values():
                cell.source = cell.source.replace(exercise.stub, solved(exercise))
        return notebook

    executed = build.execute(path, solve)
    text = json.dumps([c.get("outputs", []) for c in executed.cells], ensure_ascii=False)
    for exercise in exercises().values():
        if exercise.notebook == path.name[:2]:
            assert f"{exercise.id}: {CORRECT}" in text
