"""A test of a KL by draws, which sees what no gradient check can see."""

import numpy as np

from minivae import ops
from minivae.exercises.chapters.nb06.draws import OtherDraws
from minivae.exercises.compare import kind_of
from minivae.exercises.exercise import Exercise, WrongAnswer, planted_module, stub


def kl_is_right(kl):
    """Compare with the average of log q - log p over draws, at generic points, by its own error"""
    rng = np.random.default_rng(0)
    mu, logvar = 1.5 * rng.normal(size=(2, 3, 2))
    eps = rng.normal(size=(100_000, 3, 2))
    z = mu + np.exp(logvar / 2) * eps
    each = (z**2 - eps**2 - logvar) / 2  # log q(z) - log p(z); both log 2 pi cancel
    standard_error = each.std(axis=0) / np.sqrt(len(each))
    value = kl(mu, logvar)
    if np.shape(value) != mu.shape:
        return False
    return bool((np.abs(value - each.mean(axis=0)) <= 5 * standard_error).all())


RUNS = 20  # of the test on a right KL, each with other draws

CLOSEST = 0.04  # nats: what `slightly_too_large` has too much in every entry

BLIND = (
    "kl-half-lost",
    "kl-constant-lost",
    "kl-logvar-as-log-sigma",
    "kl-mean-over-latents",
    "kl-sign-of-logvar",
)


def _right(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar) / 2


def _reversed(mu, logvar):
    """KL(N(0, 1) || q)"""
    return ((1 + mu**2) * np.exp(-logvar) - 1 + logvar) / 2


def _one_latent_off(mu, logvar):
    kl = _right(mu, logvar)
    kl[:, -1] *= 1.1
    return kl


def _first_example_for_all(mu, logvar):
    return np.broadcast_to(_right(mu, logvar)[:1], np.shape(mu))


def _kl_cases():
    def named(name, kl):
        kl.__name__ = name
        return (kl,)

    def planted(name):
        module = planted_module(name)
        return named(name.replace("-", "_"), lambda mu, lv: module.gaussian_kl_forward(mu, lv)[0])

    as_written = named("as_written", lambda mu, logvar: _right(mu, logvar))
    as_written[0].runs = RUNS
    return [
        as_written,
        named("of_the_package", lambda mu, logvar: ops.gaussian_kl_forward(mu, logvar)[0]),
        *map(planted, BLIND),
        named("reversed", lambda mu, logvar: _reversed(mu, logvar)),
        named("last_latent_off", lambda mu, logvar: _one_latent_off(mu, logvar)),
        named("latents_in_another_order", lambda mu, logvar: _right(mu, logvar)[:, ::-1]),
        named("first_example_for_all", lambda mu, logvar: _first_example_for_all(mu, logvar)),
        named("slightly_too_large", lambda mu, logvar: _right(mu, logvar) + CLOSEST),
        named("per_example", lambda mu, logvar: _right(mu, logvar).sum(axis=1)),
    ]


def _judged(answer, kl):
    """In words, what the test says; about the first right KL, with other draws in each run."""
    verdicts = set()
    for run in range(getattr(kl, "runs", 1)):
        with OtherDraws(answer, run) as draws:
            verdict = answer(kl)
        if not isinstance(verdict, bool | np.bool_):
            return f"it returns {kind_of(verdict)}, and neither True nor False"
        if verdict and not draws.seen():
            return "it accepts without a draw: compare with an average over draws of z from q"
        verdicts.add(bool(verdict))
    if len(verdicts) == 2:
        return "it accepts with some draws, refuses with others: is the bar too narrow?"
    return "it accepts" if verdicts.pop() else "it refuses"


def _against_draws(mu, logvar, agree, seed=1, n=100_000):
    """A flawed test: agree(value, each), where `each` holds log q - log p of each draw."""

    def test(kl):
        eps = np.random.default_rng(seed).normal(size=(n, *mu.shape))
        z = mu + np.exp(logvar / 2) * eps
        return bool(agree(kl(mu, logvar), (z**2 - eps**2 - logvar) / 2))

    return test


_MU, _LOGVAR = np.array([[0.8, -1.2], [0.3, 2.0]]), np.array([[-1.1, 0.6], [0.9, -0.4]])


def _close(value, each):
    if np.shape(value) != each.shape[1:]:
        return False
    return (np.abs(value - each.mean(axis=0)) <= 0.05).all()


def _within_its_error(value, each):
    if np.shape(value) != each.shape[1:]:
        return False
    return (np.abs(value - each.mean(axis=0)) <= 5 * each.std(axis=0) / np.sqrt(len(each))).all()


KL_TEST = Exercise(
    id="06.kl-test",
    title="write a test that sees a wrong KL whose gradient is right",
    stub=stub("""
        def kl_is_right(kl):    # kl(mu, logvar): (B, L), (B, L) -> (B, L) nats, against N(0, 1)
            ...                 # -> True or False, by draws from q
    """),
    reference=kl_is_right,
    cases=_kl_cases,
    observe=_judged,
    heavy=True,
    mistakes=(
        WrongAnswer(
            "at-the-prior",
            _against_draws(np.zeros((2, 2)), np.zeros((2, 2)), _close),
            "Where q is the prior, several wrong formulas give 0 as well: take a generic mu and "
            "logvar.",
        ),
        WrongAnswer(
            "at-logvar-0",
            _against_draws(_MU, np.zeros((2, 2)), _close),
            "At logvar = 0 a wrong use of logvar does not show: take a generic one.",
        ),
        WrongAnswer(
            "one-latent",
            _against_draws(np.array([[0.8]]), np.array([[-1.1]]), _close),
            "With one latent, a mean over the latents is their sum: take two or more.",
        ),
        WrongAnswer(
            "one-example",
            _against_draws(_MU[:1], _LOGVAR[:1], _within_its_error),
            "A KL that uses the first example for all of them passes: take two or more that "
            "differ, and compare each.",
        ),
        WrongAnswer(
            "fixed-bar",
            _against_draws(_MU, _LOGVAR, _close),
            "The bar is fixed at a width that does not come from the draws, and a KL that is 0.04 "
            "nats too large everywhere lies within it. Take a few standard errors of the average.",
        ),
        WrongAnswer(
            "total-only",
            _against_draws(
                _MU,
                _LOGVAR,
                lambda value, each: abs(np.sum(value) - each.mean(axis=0).sum()) <= 0.1,
            ),
            "Only the total is compared: a result of the wrong shape passes.",
        ),
        WrongAnswer(
            "never-negative",
            _against_draws(_MU, _LOGVAR, lambda value, each: (np.asarray(value) >= 0).all()),
            "That a KL is never negative does not make a number the KL: half of it is not negative "
            "either.",
        ),
        WrongAnswer(
            "closed-form",
            lambda kl: (
                np.shape(kl(_MU, _LOGVAR)) == _MU.shape
                and np.allclose(kl(_MU, _LOGVAR), _right(_MU, _LOGVAR))
            ),
            "This compares with the closed form, which is what is in doubt: a slip in deriving it "
            "would be in both. Average log q(z) - log p(z) over draws.",
        ),
        WrongAnswer(
            "too-strict",
            _against_draws(
                _MU,
                _LOGVAR,
                lambda value, each: (
                    value.shape == each.shape[1:] and np.allclose(value, each.mean(axis=0))
                ),
            ),
            "It refuses a right KL. Is what you average log q(z) - log p(z), over draws from q? "
            "And an average scatters: do you ask whether the difference is within a few of its "
            "standard errors?",
        ),
        WrongAnswer(
            "two-standard-errors",
            _against_draws(
                _MU,
                _LOGVAR,
                lambda value, each: (
                    value.shape == each.shape[1:]
                    and (
                        np.abs(value - each.mean(axis=0))
                        <= 2 * each.std(axis=0) / np.sqrt(len(each))
                    ).all()
                ),
            ),
            "Two standard errors are exceeded by chance once in 22 comparisons, and you make "
            "several: a right KL is refused now and then. Take four or five.",
        ),
        WrongAnswer(
            "too-few-draws",
            _against_draws(
                _MU,
                _LOGVAR,
                lambda value, each: (
                    value.shape == each.shape[1:]
                    and (np.abs(value - each.mean(axis=0)) <= each.std(axis=0)).all()
                ),
            ),
            "The scatter of single draws is no error bar of their average: divide by the root of "
            "their number.",
        ),
    ),
    hints=(
        "The KL is the average of log q(z) - log p(z) over draws z from q.",
        "With z = mu + sigma eps it is the average of (z^2 - eps^2 - logvar) / 2.",
        "100,000 draws, a generic mu and logvar of shape (3, 2); compare shape and every entry, "
        "within 5 std / sqrt(n): with 2, one comparison in 22 fails by chance.",
    ),
)
