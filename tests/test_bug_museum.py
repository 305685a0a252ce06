"""The bug museum shows each planted mistake by its symptom."""

import json
import re

import numpy as np

from minivae import exercises as api
from minivae import mistakes


def test_a_walk_through_the_museum():
    said = []
    answers = iter(["x", "a", "b", "c", ""])
    right, asked = api.museum(lambda prompt: next(answers), said.append, np.random.default_rng(0))
    assert asked == 3
    assert 0 <= right <= 3
    text = "\n".join(said)
    assert "a, b or c; an empty line quits" in text
    assert text.count("A gradient check of the whole VAE says") == 4
    assert said[-1].endswith(f"{right} of 3 named")


def test_the_museum_ends_with_the_input():
    def ask(prompt):
        raise EOFError

    assert api.museum(ask, lambda text: None) == (0, 0)


def test_every_exhibit_can_be_shown_and_named():
    """The right mistake is always among the choices, and only one of them has the symptom."""
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
