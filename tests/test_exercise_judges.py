"""Exercises of notebooks 01 and 03 that are judged: right answers of many kinds, and edges."""

from itertools import count

import numpy as np
import pytest

from minivae import exercises as api
from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises

pytestmark = pytest.mark.usefixtures("progress_file")


def dice(coin):
    """A loaded die or a fair one: two tosses of it, of which one sees how many are high."""
    loaded = "loaded" if coin(0.25) else "fair"
    return loaded, sum(coin(0.75 if loaded == "loaded" else 0.5) for _ in range(2))


def dice_joint(z, x):
    p = 0.75 if z == "loaded" else 0.5
    ways = (1, 2, 1)[x]
    return np.log((0.25 if z == "loaded" else 0.75) * ways * p**x * (1 - p) ** (2 - x))


def dice_score(x):
    return np.log(sum(np.exp(dice_joint(z, x)) for z in ("loaded", "fair")))


def dice_sample(n, rng):
    return [dice(lambda p: rng.random() < p)[1] for _ in range(n)]


def broken_noise(coin):
    """A story with pairs that cannot occur: a machine that works makes no noise."""
    broken = coin(0.1)
    return broken, (coin(0.6), coin(0.2)) if broken else (coin(0.3), 0)


def broken_joint(z, x):
    if not z:
        return np.log(0.9 * (0.3, 0.7)[1 - x[0]]) if x[1] == 0 else -np.inf
    return np.log(0.1 * (0.6 if x[0] else 0.4) * (0.2 if x[1] else 0.8))


def broken_score(x):
    return np.logaddexp(broken_joint(0, x), broken_joint(1, x))


def broken_sample(n, rng):
    return [broken_noise(lambda p: np.int64(rng.random() < p))[1] for _ in range(n)]


def machine(**parts):
    """The dice, with some of their parts replaced."""
    whole = {"run": dice, "sample": dice_sample, "log_joint": dice_joint, "score": dice_score}
    return tuple((whole | parts).values())


COUNT = count()  # something else each time, without a coin


def never_ends(coin):
    while coin(0.5):
        pass
    return 0, 0


RIGHT = (
    ("01.machine", machine()),
    ("01.machine", [broken_noise, broken_sample, broken_joint, broken_score]),
    ("01.story", ([0.9, 0.05, 0.05], [[0.9, 0.1], [0.2, 0.8], [0.2, 0.8]])),  # two explain it best
    ("01.story", ([1 - 1e-12, 1e-12], [[0.9, 0.1], [0.2, 0.8]])),
    ("01.story", ([0.99, 0.01], [[1 - 1e-12, 1e-12], [1 - 5e-12, 5e-12]])),
    ("01.helping", [[0.5, 0], [0.1, 1]]),
    ("01.helping", np.array([[0.2, 0.3], [0.1, 0.9]])),
    ("03.blind-spot", (np.array([[0.5, (1 + 2**0.5) / 2]]), np.array([[0.3, -0.8]]))),
    ("03.blind-spot", ([[2] + [0.5] * 8], [[1, 2, -1, 3, 0.4, 1, -2, 0.7, 0.1]])),
    ("03.parting", np.array([2.52])),
    ("03.turns", ["jump", "jump", "slide", "jump", "slide"]),
)

WRONG = (
    ("01.machine", machine(run=lambda coin: (coin(0.5), coin(0.5))), "independent"),
    (
        "01.machine",
        machine(run=lambda coin: (coin(0.5), next(COUNT))),
        "must come from coin",
    ),
    ("01.machine", machine(run=lambda coin: (coin(1.5), 1)), "expected a probability"),
    ("01.machine", machine(run=lambda coin: (0, [1])), "tuples of them"),
    ("01.machine", machine(run=lambda coin: coin(0.5)), "two things"),
    ("01.machine", machine(run=never_ends), "more than 20 coins"),
    (
        "01.machine",
        machine(sample=lambda n, rng: dice_sample(n, np.random.default_rng(5))[1:]),
        "returned 19999 x",
    ),
    (
        "01.machine",
        machine(sample=lambda n, rng: dice_sample(n, np.random.default_rng())),
        "must come from rng",
    ),
    (
        "01.machine",
        machine(sample=lambda n, rng: [dice(lambda p: rng.random() < p)] * n),
        "x without z",
    ),
    (
        "01.machine",
        machine(sample=lambda n, rng: [dice(lambda p: rng.random() < p)[1]] * n),
        "the share of x",
    ),
    ("01.machine", machine(log_joint=lambda z, x: np.exp(dice_joint(z, x))), "take its log"),
    (
        "01.machine",
        machine(log_joint=lambda z, x: dice_joint(z, x) - np.log((1, 2, 1)[x])),
        "expected 1",
    ),
    ("01.machine", machine(log_joint=lambda z, x: dice_joint(z, 2 - x)), "run gives this pair"),
    ("01.machine", machine(log_joint=lambda z, x: float("nan")), "expected 1"),
    ("01.machine", machine(score=lambda x: np.exp(dice_score(x))), "p(x) itself"),
    ("01.machine", machine(score=lambda x: x.nothing), "raised AttributeError"),
    ("01.machine", (dice, dice_joint, dice_score), "four functions"),
    ("01.story", ([0.4, 0.6], [[0.5, 0.5], [0.5, 0.5]]), "also the likeliest given x"),
    ("01.helping", [[0.1, 0.73], [0.73, 0.919]], "less"),
    ("01.helping", [[0, 0], [0, 1]], "the same"),
    ("01.helping", [[0.1, 0], [0.3, 0]], "never a symptom"),
    ("01.helping", [[0.1, float("nan")], [0.3, 0]], "no probability"),
    ("01.helping", [0.1, 0.2], "expected (2, 2)"),
    ("03.blind-spot", ([[2, 3]], [[1, 2]]), "another value"),
    ("03.blind-spot", ([[1.5, 0.5, 0.5, 0.5]], [[0, 0, 0, 0]]), "so does: "),
    ("03.blind-spot", (np.array([[np.nan]]), np.array([[0.3]])), "finite"),
    ("03.blind-spot", (np.ones((2, 2)), np.ones((2, 2))), "expected (1, L)"),
    ("03.parting", 5.04, "the distance between the two hills"),
    ("03.parting", 2.54, "is a bound"),
    ("03.parting", 2.485, "not only at 0"),
    ("03.parting", 1.25, "twice that"),
    ("03.parting", 7.0, "does not jump"),
    ("03.turns", ["jump"] * 5, "3 of 5"),
    ("03.turns", ["leap"] * 5, '"jump" or "slide"'),
)


@pytest.mark.parametrize(("id", "answer"), RIGHT)
def test_right_answers_of_other_kinds_pass(id, answer):
    assert api.check(id, answer).status == CORRECT


@pytest.mark.parametrize(("id", "answer", "said"), WRONG)
def test_wrong_answers_are_told_what_is_wrong(id, answer, said):
    verdict = api.check(id, answer)
    assert verdict.status == NOT_YET
    assert said in verdict.body


def test_an_impossible_picture_has_no_posterior():
    """01.log-posterior: log p(x) is -inf, and 0 / 0 is nan; the other x are not touched."""
    log_likelihood = np.array([[-np.inf, -1.0], [-np.inf, -2.0]])
    answer = exercises()["01.log-posterior"].reference(np.log([0.5, 0.5]), log_likelihood)
    assert answer[0][0] == -np.inf
    assert np.isnan(answer[1][:, 0]).all()
    assert np.isfinite(answer[0][1])
    assert answer[1][:, 1].sum() == pytest.approx(1)


def test_functions_are_shown_by_their_names():
    verdict = api.check("01.machine", machine(score=lambda x: 0.0))
    assert verdict.body.startswith("yours     (dice, dice_sample, dice_joint, <lambda>)\n")
