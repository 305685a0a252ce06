"""`python -m minivae compare-checkers`: the counts, the file, the tables, and README's numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny

from minivae.errors import MinivaeError
from minivae.studies.checkers import checkers, compare, corpus, random_draws, results
from minivae.studies.checkers.case import KINDS, Field, Problem

ROOT = Path(__file__).parents[1]
COMMITTED = ROOT / results.RESULTS

smooth = Field("a field")


@smooth("parabola")
def _parabola():
    return Problem(lambda x: (x**2).sum(), lambda x: 2 * x, np.array([1.0, -2.0, 3.0]))


def fake(name, verdict):
    return checkers.Checker(name, "numpy", "a call", lambda f, df, x: verdict)


def test_verdicts_are_counted_by_what_was_given_and_the_misjudged_are_named():
    (case,) = smooth.cases()
    judged = compare.judge_corpus(fake("credulous", "right"), [case])
    slight = [name for name in case.wrong if "1e-4" in name]
    others = [name for name in case.wrong if name not in slight]
    assert judged["counts"]["right"]["smooth"]["right"] == 1
    assert judged["counts"]["wrong"]["smooth"]["right"] == len(others)
    assert judged["counts"]["slightly wrong"]["smooth"]["right"] == len(slight) == 3
    assert judged["named"] == {
        "wrong called right": {"a field: parabola": others},
        "slightly wrong called right": {"a field: parabola": slight},
    }
    judged = compare.judge_corpus(fake("strict", "wrong"), [case])
    assert judged["counts"]["wrong"]["smooth"]["wrong"] == len(others)
    assert judged["named"] == {"right called wrong": {"a field: parabola": ["the right gradient"]}}


def test_a_checker_that_breaks_off_is_counted_as_that():
    def breaks(f, df, x):
        raise ZeroDivisionError

    judged = compare.judge_corpus(checkers.Checker("broken", "numpy", "", breaks), smooth.cases())
    assert judged["counts"]["right"]["smooth"]["raises"] == 1


@pytest.mark.parametrize("checker", checkers.CHECKERS, ids=lambda checker: checker.name)
def test_every_checker_tells_a_plainly_wrong_gradient_from_the_right_one(checker):
    if not checker.is_installed():
        pytest.skip(f"{checker.package} is not installed")
    (case,) = smooth.cases()
    x = case.x.reshape(3, 1)
    assert checkers.verdict_of(checker, case.f, case.df, x) == "right"
    assert checkers.verdict_of(checker, case.f, lambda x: 3 * x, x) == "wrong"


@pytest.mark.parametrize("checker", checkers.CHECKERS, ids=lambda checker: checker.name)
def test_every_checker_has_a_mode_for_many_variables(checker):
    if not checker.is_installed():
        pytest.skip(f"{checker.package} is not installed")
    calls = []

    def f(x):
        calls.append(1)
        return (x * x).sum()

    x = np.linspace(-1, 1, checkers.MANY_VARIABLES + 1)
    assert checkers.verdict_of(checker, f, lambda x: 4 * x, x) == "wrong"
    assert len(calls) < checkers.MANY_VARIABLES


@pytest.mark.parametrize("checker", checkers.CHECKERS, ids=lambda checker: checker.name)
def test_a_second_run_gives_the_same_verdicts(checker):
    """Cases made afresh draw the same noise, and the checkers' own directions have fixed seeds."""
    if not checker.is_installed():
        pytest.skip(f"{checker.package} is not installed")
    first, second = (compare.judge_corpus(checker, random_draws.field.cases()) for _ in range(2))
    assert first == second


def test_the_command_writes_the_file_and_prints_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    results.RESULTS.parent.mkdir()
    absent = checkers.Checker("absent one", "no_such_package", "", None)
    monkeypatch.setattr(compare, "CHECKERS", (fake("credulous", "right"), absent))
    monkeypatch.setattr(corpus, "FIELDS", (smooth,))
    status, out, err = tiny.command(capsys, "compare-checkers")
    assert status == 0
    assert "credulous" in out
    assert "leaving out absent one: no_such_package is not installed" in err
    written = results.RESULTS.read_text()
    status, out, _ = tiny.command(capsys, "compare-checkers", "--json")
    assert json.loads(out) == json.loads(written) == results.read()
    assert results.RESULTS.read_text() == written


def test_elsewhere_the_command_says_at_once_where_to_run_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, out, err = tiny.command(capsys, "compare-checkers")
    assert (status, out) == (2, "")
    assert "project's root" in err


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "results.json"
    path.write_text('{"versions": {}}')
    with pytest.raises(MinivaeError, match="compare-checkers"):
        results.read(path)


# ---- the committed results -------------------------------------------------------------------


def test_the_committed_results_are_of_this_corpus():
    committed = results.read(COMMITTED)
    assert committed["corpus"] == compare.describe_corpus(corpus.all_cases())
    assert [c["name"] for c in committed["checkers"]] == [c.name for c in checkers.CHECKERS]
    assert [c["call"] for c in committed["checkers"]] == [c.call for c in checkers.CHECKERS]
    for checker in committed["checkers"]:
        for given in results.GIVEN:
            of_kind = {kind: sum(checker["counts"][given][kind].values()) for kind in KINDS}
            assert of_kind == committed["corpus"][given]


def test_the_counts_are_those_of_the_named_gradients():
    for checker in results.read(COMMITTED)["checkers"]:
        for said, cases in checker["named"].items():
            given, called, verdict = said.partition(" called ")
            counts = [
                of_verdict[verdict if called else said]
                for g in ([given] if called else results.GIVEN)
                for of_verdict in checker["counts"][g].values()
            ]
            assert sum(counts) == sum(map(len, cases.values())), (checker["name"], said)


def test_readme_shows_the_committed_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert results.markdown_table(results.read(COMMITTED)) in readme


def test_the_text_table_has_every_checker_in_both_parts():
    lines = results.text_table(results.read(COMMITTED)).splitlines()
    for checker in checkers.CHECKERS:
        assert sum(line.startswith(f"{checker.name}  ") for line in lines) == 2
