"""A test of a likelihood by what a probability must do, which sees what no gradient check sees."""

import numpy as np

from minivae import ops
from minivae.exercises.compare import kind_of
from minivae.exercises.exercise import Exercise, WrongAnswer, planted_module, stub


def likelihood_is_right(nll):
    """The probabilities of all images sum to 1, and each pixel is on as often as its logit says"""
    D = 4
    images = ((np.arange(2**D)[:, None] >> np.arange(D)) & 1).astype(float)  # all that there are
    both = 1.5 * np.random.default_rng(0).normal(size=(2, D))  # logits of two examples
    value = nll(np.repeat(both, 2**D, axis=0), np.tile(images, (2, 1)))
    if np.shape(value) != (2 * 2**D,):
        return False
    for logits, p in zip(both, np.exp(-value).reshape(2, 2**D), strict=True):
        shares = p @ images  # how often each pixel is on
        if not (abs(p.sum() - 1) < 1e-6 and np.allclose(shares, 1 / (1 + np.exp(-logits)))):
            return False
    return True


# ---- what is tested ------------------------------------------------------------------------------


def _right(logits, x):
    return (((logits > 0) - x) * logits + np.log1p(np.exp(-np.abs(logits)))).sum(axis=1)


def _cases():
    def named(name, nll):
        nll.__name__ = name
        return (nll,)

    def planted(name):
        module = planted_module(name)
        return named(name.replace("-", "_"), lambda l, x: module.bernoulli_nll_forward(l, x)[0])

    return [
        named("as_written", lambda logits, x: _right(logits, x)),
        named("of_the_package", lambda logits, x: ops.bernoulli_nll_forward(logits, x)[0]),
        planted("bernoulli-mean-over-pixels"),
        planted("bernoulli-black-pixels-forgotten"),
        named("half", lambda logits, x: _right(logits, x) / 2),
        named("ones_and_zeros_swapped", lambda logits, x: _right(-logits, x)),
        named("logits_doubled", lambda logits, x: _right(2 * logits, x)),
        named("logits_moved", lambda logits, x: _right(logits + 0.3, x)),
        named("a_constant_off", lambda logits, x: _right(logits, x) - 0.01),
        named("squared_error", lambda l, x: ((1 / (1 + np.exp(-l)) - x) ** 2).sum(axis=1)),
        named("first_logits_for_all", lambda logits, x: _right(logits[:1] + 0 * logits, x)),
        named("logits_of_other_examples", lambda logits, x: _right(logits[::-1], x)),
        named("mean_over_the_batch", lambda logits, x: _right(logits, x).mean()),
    ]


def _judged(answer, nll):
    """In words, what the test says, and whether it has asked for every image."""
    asked = {}

    def watched(logits, x):
        rows = np.broadcast_arrays(np.asarray(logits, float), np.asarray(x, float))
        for row, image in zip(*rows, strict=True):
            asked.setdefault(tuple(row), set()).add(tuple(image))
        return nll(np.asarray(logits, float), np.asarray(x, float))

    verdict = answer(watched)
    if not isinstance(verdict, bool | np.bool_):
        return f"it returns {kind_of(verdict)}, and neither True nor False"
    if not verdict:
        return "it refuses"
    if not any(len(images) == 2 ** len(row) for row, images in asked.items()):
        return "it accepts without having asked for every image that there is"
    return "it accepts"


def _over_all_images(agree, D=3, scale=1.5):
    """A flawed test: agree(the logits, all images, their probabilities), with one row of logits."""

    def test(nll):
        images = ((np.arange(2**D)[:, None] >> np.arange(D)) & 1).astype(float)
        logits = scale * np.random.default_rng(1).normal(size=D)
        value = nll(np.tile(logits, (2**D, 1)), images)
        if np.shape(value) != (2**D,):
            return False
        return bool(agree(logits, images, np.exp(-np.asarray(value))))

    return test


def _both(logits, images, p):
    return abs(p.sum() - 1) < 1e-6 and np.allclose(p @ images, 1 / (1 + np.exp(-logits)))


def _over_two_rows(tolerance):
    """The reference, with this tolerance for the sum and for the shares."""

    def test(nll):
        images = ((np.arange(16)[:, None] >> np.arange(4)) & 1).astype(float)
        both = 1.5 * np.random.default_rng(0).normal(size=(2, 4))
        value = nll(np.repeat(both, 16, axis=0), np.tile(images, (2, 1)))
        if np.shape(value) != (32,):
            return False
        p = np.exp(-value).reshape(2, 16)
        off = abs(p @ images - 1 / (1 + np.exp(-both)))
        return bool((abs(p.sum(axis=1) - 1) <= tolerance).all() and (off <= tolerance).all())

    return test


def _closed_form(nll):
    rng = np.random.default_rng(2)
    logits, x = rng.normal(size=(3, 4)), (rng.random((3, 4)) < 0.5).astype(float)
    value = nll(logits, x)
    return np.shape(value) == (3,) and bool(np.allclose(value, _right(logits, x)))


LIKELIHOOD_TEST = Exercise(
    id="06.likelihood-test",
    title="write a test that sees a wrong likelihood whose gradient is right",
    stub=stub("""
        def nll_is_right(nll):    # nll(logits, x): (B, D), (B, D) -> (B,) nats; x is 0 or 1
            ...                   # -> True or False, without the formula of the nll
    """),
    reference=likelihood_is_right,
    cases=_cases,
    observe=_judged,
    mistakes=(
        WrongAnswer(
            "sum-only",
            _over_all_images(lambda logits, images, p: abs(p.sum() - 1) < 1e-6),
            "With 1 and 0 swapped, the probabilities of all images still sum to 1. Ask also how "
            "often each pixel is on.",
        ),
        WrongAnswer(
            "shares-only",
            _over_all_images(
                lambda logits, images, p: np.allclose(
                    p @ images / p.sum(), 1 / (1 + np.exp(-logits))
                )
            ),
            "The shares are divided by the sum, so that a constant too much or too little does not "
            "show: ask also whether the sum is 1.",
        ),
        WrongAnswer(
            "one-pixel",
            _over_all_images(_both, D=1),
            "With one pixel, a mean over the pixels is their sum: take two or more.",
        ),
        WrongAnswer(
            "logits-zero",
            _over_all_images(_both, scale=0),
            "With logits of 0 every pixel is on in half of the images, also if the logits are "
            "doubled or their sign is turned: take generic ones.",
        ),
        WrongAnswer(
            "one-example",
            _over_all_images(_both),
            "It does not show if other rows' logits are used: give it a batch with two different "
            "rows of logits, and look at the sum and the shares of each.",
        ),
        WrongAnswer(
            "coarse",
            _over_two_rows(0.05),
            "The sum is known exactly, so no wide tolerance is needed: with this one a likelihood "
            "that is one per cent off passes.",
        ),
        WrongAnswer(
            "closed-form",
            _closed_form,
            "This compares with the formula, which is what is in doubt: a slip in deriving it "
            "would be in both. Ask what probabilities must do.",
        ),
    ),
    hints=(
        "What must the probabilities of all images that there are do? With few pixels you can "
        "write all of them down.",
        "exp(-nll) over all 2^D images sums to 1. And how often is pixel d on?",
        "For logits with nothing special about them, two different rows: p.sum() is 1, and "
        "p @ images is sigmoid(logits).",
    ),
)
