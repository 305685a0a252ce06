"""Measured numbers that contradict each other, or what is said of them, are noticed.

Nothing here depends on how fast the machine is: the numbers are planted.
"""

import itertools
import math
import re
from pathlib import Path

import pytest

from minivae.studies import races
from minivae.studies.races import Contradiction, Timing, checked, race
from notebooks import build

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks" / "src").glob("08[abc]_*.py"))


def planted(*results):
    """A measurement that gives these results, one after another, and the last one for ever."""
    left = list(results)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def claims(times):
    """What notebooks 08a to 08c assert of their bars."""
    return {
        "products take less than the step": races.part_of(times["products"], times["step"]),
        "the tile stays below the roof": races.below_roof(times["tile"], times["roof"]),
        "two threads are at most twice as fast": races.within_threads(
            times["one"], times["two"], 2
        ),
        "the package keeps up": times["package"] < 1.5 * times["blas"],
    }


GOOD = {
    "products": 3.0, "step": 4.3, "tile": 117.0, "roof": 117.6, "one": 4.0, "two": 2.1,
    "package": 2.3, "blas": 2.2,
}  # fmt: skip
CONTRADICTORY = {  # as they once stood in a notebook
    "products take less than the step": {"products": 6.58, "step": 4.33},
    "the tile stays below the roof": {"tile": 65.0, "roof": 56.0},
    "two threads are at most twice as fast": {"one": 3.3, "two": 1.0},
    "the package keeps up": {"package": 6.58, "blas": 2.27},
}


@pytest.fixture
def strict(monkeypatch):
    monkeypatch.setenv(races.STRICT, "1")


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("sentence", CONTRADICTORY)
def test_a_build_with_a_contradiction_is_refused(sentence):
    bad = GOOD | CONTRADICTORY[sentence]
    with pytest.raises(Contradiction, match=f"did not hold: {sentence}.*quiet"):
        checked(planted(bad), claims)


@pytest.mark.usefixtures("strict")
def test_a_disturbed_measurement_is_repeated(capsys):
    bad = GOOD | CONTRADICTORY["the package keeps up"]
    assert checked(planted(bad, bad, GOOD), claims) is GOOD
    assert capsys.readouterr().out.startswith(
        "(measured 3 times, as this did not hold before: the pa"
    )
    with pytest.raises(Contradiction, match="measured 2 times"):
        checked(planted(bad, bad, GOOD), claims, tries=2)


def test_a_reader_is_told_and_goes_on(monkeypatch, capsys):
    monkeypatch.delenv(races.STRICT, raising=False)
    bad = GOOD | CONTRADICTORY["the package keeps up"]
    assert checked(planted(bad), claims) is bad
    assert capsys.readouterr().out == "Not so on this machine, just now: the package keeps up\n"
    assert checked(planted(GOOD), claims) is GOOD
    assert capsys.readouterr().out == ""


def test_where_nobody_reads_the_times_they_are_measured_once(monkeypatch, capsys):
    monkeypatch.setenv(races.STRICT, "0")
    bad = GOOD | CONTRADICTORY["the package keeps up"]
    assert checked(planted(bad, GOOD), claims) is bad
    assert capsys.readouterr().out == "Not so on this machine, just now: the package keeps up\n"
    ticks = iter([0, 5])
    assert race({"a": lambda: None}, rounds=3, turn=0, clock=lambda: next(ticks)) == {"a": 5}


@pytest.mark.usefixtures("strict")
def test_a_claim_that_is_not_a_number_does_not_hold():
    with pytest.raises(Contradiction):
        checked(planted(math.nan), lambda t: {"it is fast": t < 1})


def test_equal_rates_are_within_the_slack_and_no_more():
    assert races.below_roof(1.02, 1)
    assert not races.below_roof(1.05, 1)
    assert races.within_threads(2.02, 1, 2)
    assert not races.within_threads(2.2, 1, 2)


SOURCE = """# %%
import sys; sys.path[:0] = [".", ".."]
from minivae.studies.races import checked

# %% tags=["timing"]
step = checked(lambda: {{"products": {products}, "step": 4.33}},
               lambda t: {{"products take less than the step": t["products"] < t["step"]}})
print(step)
"""


@pytest.mark.slow
def test_a_notebook_with_planted_numbers_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "target", lambda source: tmp_path / f"{source.stem}.ipynb")
    monkeypatch.setattr(build, "fingerprint", lambda source: "")
    source = tmp_path / "08z_planted.py"
    source.write_text(SOURCE.format(products=6.58))
    with pytest.raises(SystemExit, match=r"08z_planted\.ipynb is refused: .*products take less"):
        build.build(source)
    assert not (tmp_path / "08z_planted.ipynb").exists()
    source.write_text(SOURCE.format(products=3.0))
    build.build(source)
    assert "'products': 3.0" in (tmp_path / "08z_planted.ipynb").read_text()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_races_of_the_notebooks_are_in_cells_that_measure(path):
    """Those cells' outputs are not compared with the committed ones."""
    cells = re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    racing = [cell for cell in cells if re.search(r"^\w.*(?:checked|race|profile)\(", cell, re.M)]
    assert len(racing) > 4
    assert [cell for cell in racing if 'tags=["timing"]' not in cell.splitlines()[0]] == []


# ---- the race ----------------------------------------------------------------------------------


def test_the_fastest_call_of_a_turn_counts_and_the_median_of_the_rounds():
    ticks = iter([0, 5, 10, 12, 20, 21])  # three calls of 5, 2 and 1 seconds, in three rounds
    calls = []
    times = race({"a": lambda: calls.append(1)}, rounds=3, turn=0, clock=lambda: next(ticks))
    assert times == {"a": 2}
    assert (times["a"].low, times["a"].high) == (1.5, 3.5)
    assert len(calls) == 4  # once before, to compile


def test_contestants_take_turns():
    order = []
    count = itertools.count()
    race(
        {name: lambda name=name: order.append(name) for name in "ab"},
        rounds=2, turn=0, clock=lambda: next(count),
    )  # fmt: skip
    assert order == ["a", "b", "a", "b", "a", "b"]


def test_a_timing_is_a_number_with_quartiles():
    timing = Timing([1.0, 2.0, 3.0, 4.0, 100.0])
    assert timing == 3
    assert (timing.low, timing.high) == (2, 4)
    assert timing / 2 == 1.5


def test_show_gives_rates_with_the_slow_quartile_first(capsys):
    races.show({"x": Timing([1.0, 2.0, 4.0])}, 8e9)
    assert capsys.readouterr().out.split() == ["x", "4.00", "GFLOP/s", "(2.67", "to", "5.33)"]


# ---- helpers -------------------------------------------------------------------------------------


def test_an_aligned_array_begins_a_cache_line():
    import numpy as np

    for shape in ((3,), (5, 7), (1, 1)):
        array = np.arange(np.prod(shape), dtype=float).reshape(shape)
        copy = races.aligned(array)
        assert copy.ctypes.data % 64 == 0
        assert copy.dtype == np.float32
        np.testing.assert_array_equal(copy, array)


def test_cache_sizes_are_read_where_linux_tells_them(tmp_path):
    for i, (level, kind, size) in enumerate(
        [("1", "Data", "32K"), ("1", "Instruction", "64K"), ("2", "Unified", "1024K")]
    ):
        folder = tmp_path / f"index{i}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(text + "\n")
    (tmp_path / "index3").mkdir()  # without its files
    assert races.cache_sizes(tmp_path) == {"L1": 32 * 1024, "L2": 1024 * 1024}
    assert races.cache_sizes(tmp_path / "nothing") == {}
