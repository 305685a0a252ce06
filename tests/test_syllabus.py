"""Each goal that a notebook names is tested by one of its exercises; the syllabus is fresh."""

import pytest

from minivae.exercises.catalogue import exercises
from notebooks import make_syllabus
from notebooks.make_syllabus import exercises_in, introduction

each = pytest.mark.parametrize("source", make_syllabus.SOURCES, ids=lambda path: path.stem)


@each
def test_each_goal_names_exercises_of_the_notebook_that_test_it(source):
    """In its first cell: "- derive the ELBO (`02.elbo`);"."""
    goals = introduction(source).goals
    assert goals
    assert [words for words, ids in goals if not ids] == []
    named = {id for _, ids in goals for id in ids}
    assert named <= set(exercises_in(source))


def test_every_exercise_is_in_a_notebook():
    found = [id for source in make_syllabus.SOURCES for id in exercises_in(source)]
    assert sorted(found) == sorted(exercises())


@each
def test_the_exercises_tell_of_progress_and_review(source):
    """Readers would not find them otherwise."""
    at_the_end = source.read_text(encoding="utf-8").split("## Exercises")[1]
    assert "`progress()`" in at_the_end
    assert "`review()`" in at_the_end


def test_a_goal_without_an_exercise_is_found(tmp_path):
    source = tmp_path / "03_x.py"
    source.write_text(
        "# %% [markdown]\n# # 03 · Title\n#\n# **What you will be able to do**\n"
        "# - derive it (`03.kl`, `03.kl-backward`);\n# - say what it means.\n#\n"
        "# **Builds on** notebook 02. Reading time:\n# about 35 minutes.\n\n# %%\n",
        encoding="utf-8",
    )
    head = introduction(source)
    assert head.goals == [("derive it", ["03.kl", "03.kl-backward"]), ("say what it means", [])]
    assert (head.title, head.builds_on, head.minutes) == ("03 · Title", "notebook 02", 35)


def test_the_syllabus_is_up_to_date():
    """After an edit of a notebook's first cell or of the exercises: `python
    notebooks/make_syllabus.py`."""
    assert make_syllabus.TARGET.read_text(encoding="utf-8") == make_syllabus.page()
