"""What a planted mistake is."""

from typing import NamedTuple

from minivae.mistakes.witnesses import GRADIENT

BLIND = "It passes: the gradient of the wrong formula is right."
TOO_MILD = "It passes: the formula is right, and overflows only at extreme logits."


class Edit(NamedTuple):
    """Replaces `right`, which occurs once in the function, with `wrong`."""

    function: str
    right: str
    wrong: str


class Mistake(NamedTuple):
    """One mistake: its edits of `minivae.ops`, `vae`, `conditional` or `gan`, and how it shows."""

    name: str
    module: str  # "ops", "vae", "conditional" or "gan"
    edits: tuple[Edit, ...]
    sentence: str  # what is wrong
    symptom: str  # what a gradient check of the whole VAE says
    witness: str  # what detects it: GRADIENT, or another constant of `witnesses`

    @property
    def target(self) -> str:
        """The first function that is changed, such as "ops.dense_backward"."""
        return f"{self.module}.{self.edits[0].function}"


def in_ops(
    name: str,
    *edits: tuple[str, str, str],
    sentence: str,
    symptom: str,
    witness: str = GRADIENT,
) -> Mistake:
    """A mistake in `minivae.ops`; each edit is (function, right, wrong)."""
    return Mistake(name, "ops", tuple(Edit(*e) for e in edits), sentence, symptom, witness)


def in_vae(
    name: str,
    *edits: tuple[str, str, str],
    sentence: str,
    symptom: str,
    witness: str = GRADIENT,
) -> Mistake:
    """A mistake in `minivae.vae`; each edit is (function, right, wrong)."""
    return Mistake(name, "vae", tuple(Edit(*e) for e in edits), sentence, symptom, witness)


def in_conditional(
    name: str,
    *edits: tuple[str, str, str],
    sentence: str,
    symptom: str,
    witness: str = GRADIENT,
) -> Mistake:
    """A mistake in `minivae.conditional`; each edit is (function, right, wrong)."""
    made = tuple(Edit(*e) for e in edits)
    return Mistake(name, "conditional", made, sentence, symptom, witness)


def in_gan(
    name: str,
    *edits: tuple[str, str, str],
    sentence: str,
    symptom: str,
    witness: str = GRADIENT,
) -> Mistake:
    """A mistake in `minivae.gan`; each edit is (function, right, wrong)."""
    return Mistake(name, "gan", tuple(Edit(*e) for e in edits), sentence, symptom, witness)
