"""An answer that is still empty, or has a blank left, counts as not attempted."""

import linecache

import numpy as np
import pytest
from answers import empty, right_kl, twice

from minivae import exercises as api
from minivae.exercises import inspection, store
from minivae.exercises.cards import CORRECT, NOT_ATTEMPTED, NOT_YET
from minivae.exercises.catalogue import exercises

pytestmark = pytest.mark.usefixtures("progress_file")


def only_pass(mu, logvar):
    pass


def only_docstring(mu, logvar):
    """Only a docstring: return something here."""


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
def test_an_empty_answer_is_told_by_its_source_not_by_its_instructions(answer, monkeypatch):
    """Versions of Python differ in the instructions: here they are those of a real answer."""
    here = answer.__code__
    place = {"co_name": here.co_name, "co_filename": here.co_filename,
             "co_firstlineno": here.co_firstlineno}  # fmt: skip
    monkeypatch.setattr(answer, "__code__", twice.__code__.replace(**place))
    assert inspection.is_empty(answer, "")


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


def test_source_that_has_changed_since_is_not_used(tmp_path):
    """The file has changed: in that line there is no function now, or another one.

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


def test_ellipsis_as_an_index_is_not_a_blank():
    def answer(dkl, mu, logvar):
        every = dkl[..., None]
        return every * mu, every * (np.exp(logvar) - 1) / 2

    assert api.check("03.kl-backward", answer).status == CORRECT
