"""Latents that say nothing, and latents that say little: told apart by what q does."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

TOLERANCE = 0.05


def latent_states(mu, logvar):
    """What q(z_j|x) does over the images, latent by latent"""
    kl = (mu**2 + np.exp(logvar) - 1 - logvar) / 2
    words = []
    for j in range(mu.shape[1]):
        same = np.ptp(mu[:, j]) < 0.05 and np.ptp(logvar[:, j]) < 0.05
        prior = np.abs(mu[:, j]).max() < 0.05 and np.abs(logvar[:, j]).max() < 0.05
        if prior:
            words.append("collapsed")
        elif same:
            words.append("constant")
        elif kl[:, j].mean() >= 0.1:
            words.append("active")
        else:
            words.append("rare" if kl[:, j].max() > 1 else "weak")
    return words


def _cases():
    rng = np.random.default_rng(75)
    N = 20

    def tiny():
        return 0.02 * rng.uniform(-1, 1, N)  # within the tolerance

    some = np.zeros(N)
    some[7] = 1.0
    quarter = np.arange(N) % 4 == 0
    columns = {  # name: mu, logvar
        "collapsed": (tiny(), tiny()),
        "weak, through mu": (0.25 * rng.uniform(-1, 1, N), tiny()),
        "rare": (1.8 * some + tiny(), -0.7 * some + tiny()),
        "active": (rng.standard_normal(N), -2 + tiny()),
        "weak, nearly active": (0.65 * rng.uniform(-1, 1, N), tiny()),
        "constant, through mu": (0.9 + tiny(), tiny()),
        "constant, through logvar": (tiny(), -1.2 + tiny()),
        "constant, little of it": (tiny() - 0.3, tiny()),
        "weak, through logvar": (tiny(), 0.3 * rng.uniform(-1, 1, N)),
        "active, through logvar": (tiny(), -1 + rng.uniform(-0.8, 0.8, N)),
        "rare, both signs": (-1.7 * some + tiny(), tiny()),
        "weak, more through logvar": (tiny(), 0.5 * np.sign(np.arange(N) % 2 - 0.5)),
        "active, on one side": (-1.5 + 0.3 * rng.uniform(-1, 1, N), tiny()),
        "active, for a quarter of the images": (1.2 * quarter + tiny(), tiny()),
        "weak, in between": (0.4 * rng.uniform(-1, 1, N), tiny()),
    }
    mu, logvar = (np.stack(part, axis=1).round(3) for part in zip(*columns.values(), strict=True))
    one_of_many = np.zeros((2000, 1))
    one_of_many[1234] = 1.6  # its standard deviation is 0.036, its largest KL 1.28
    return [
        *((mu[:, [j]], logvar[:, [j]]) for j in range(len(columns))),  # few enough to be shown
        (mu, logvar),
        (one_of_many, np.zeros_like(one_of_many)),
    ]


def _as_text(answer, mu, logvar):
    """The words, in a line; any sequence of words will do."""
    words = answer(mu, logvar)
    return words if isinstance(words, str) or words is None else ", ".join(map(str, words))


def _states(prior, same, active, rare):
    """A wrong answer: with another test in one of the places."""

    def wrong(mu, logvar):
        kl = (mu**2 + np.exp(logvar) - 1 - logvar) / 2
        words = []
        for m, v, k in zip(mu.T, logvar.T, kl.T, strict=True):
            if prior(m, v, k):
                words.append("collapsed")
            elif same(m, v, k):
                words.append("constant")
            elif active(m, v, k):
                words.append("active")
            else:
                words.append("rare" if rare(m, v, k) else "weak")
        return words

    return wrong


def _prior(m, v, k):
    return max(np.abs(m).max(), np.abs(v).max()) < TOLERANCE


def _same(m, v, k):
    return max(np.ptp(m), np.ptp(v)) < TOLERANCE


def _active(m, v, k):
    return k.mean() >= 0.1


def _rare(m, v, k):
    return k.max() > 1


LATENTS = Exercise(
    id="07.latents",
    title="collapsed latents told from weak ones",
    stub=stub("""
        def latent_states(mu, logvar):    # (N, L), (N, L): q of N images
            ...      # -> L words. "same" means: to within 0.05, in mu and in logvar.
                     # "collapsed": q is the same as the prior, for every image
                     # "constant": q is the same for all images, but not the prior
                     # "active": neither, and the mean KL is 0.1 nats or more
                     # "rare": neither; a mean KL below 0.1, but above 1 for some image
                     # "weak": the rest
    """),
    reference=latent_states,
    cases=_cases,
    observe=_as_text,
    mistakes=(
        WrongAnswer(
            "by-the-mean-kl",
            _states(lambda m, v, k: k.mean() < 0.1, _same, _active, _rare),
            "A latent whose KL is small on average is called collapsed. It may say a little about "
            "every image, or much about a few.",
        ),
        WrongAnswer(
            "mean-of-mu",
            _states(
                lambda m, v, k: max(abs(m.mean()), abs(v.mean())) < TOLERANCE, _same, _active, _rare
            ),
            "The mean of mu over the images can be 0 while mu differs from image to image: ask "
            "about every image.",
        ),
        WrongAnswer(
            "by-the-standard-deviation",
            _states(_prior, lambda m, v, k: max(m.std(), v.std()) < TOLERANCE, _active, _rare),
            "A small standard deviation does not mean the same for all images: one image in "
            "thousands hardly changes it. Take the largest minus the smallest.",
        ),
        WrongAnswer(
            "logvar-ignored",
            _states(
                lambda m, v, k: np.abs(m).max() < TOLERANCE,
                lambda m, v, k: np.ptp(m) < TOLERANCE,
                _active,
                _rare,
            ),
            "Only mu is looked at. A latent can differ from the prior, and from image to image, in "
            "logvar alone.",
        ),
        WrongAnswer(
            "sign-forgotten",
            _states(lambda m, v, k: max(m.max(), v.max()) < TOLERANCE, _same, _active, _rare),
            "A mu or a logvar far below 0 passes for 0: compare its absolute value.",
        ),
        WrongAnswer(
            "constant-is-collapsed",
            _states(_same, _same, _active, _rare),
            "A q that is the same for all images need not be the prior: then it says nothing, and "
            "costs nats all the same.",
        ),
        WrongAnswer(
            "constant-is-active",
            _states(_prior, lambda m, v, k: False, _active, _rare),
            "A latent can cost nats and say nothing: first ask whether q differs between images.",
        ),
        WrongAnswer(
            "never-rare",
            _states(_prior, _same, _active, lambda m, v, k: False),
            "The mean over the images hides a few that it says much about: look at the largest KL.",
        ),
        WrongAnswer(
            "rare-before-active",
            _states(_prior, _same, lambda m, v, k: k.mean() >= 0.1 and k.max() <= 1, _rare),
            "Most active latents have some image above 1 nat too; they are active by their mean.",
        ),
        WrongAnswer(
            "logvar-for-log-sigma",
            _states(
                _prior,
                _same,
                lambda m, v, k: (m**2 + np.exp(2 * v) - 1 - 2 * v).mean() / 2 >= 0.1,
                _rare,
            ),
            "The variance is exp(logvar), not exp(2 logvar).",
        ),
        WrongAnswer(
            "kl-without-half",
            _states(_prior, _same, lambda m, v, k: 2 * k.mean() >= 0.1, _rare),
            "The KL is twice what it should be: it is (mu^2 + sigma^2 - 1 - logvar) / 2.",
        ),
    ),
    hints=(
        "Three questions in this order: is q the prior for every image? Is q the same for every "
        "image? How large is the KL, on average and at most?",
        "np.abs(mu).max(axis=0) and np.ptp(mu, axis=0), and the same for logvar.",
        "prior = both np.abs(...).max(axis=0) < 0.05; same = both np.ptp(..., axis=0) < 0.05; "
        "then kl.mean(axis=0) >= 0.1, then kl.max(axis=0) > 1.",
    ),
)
