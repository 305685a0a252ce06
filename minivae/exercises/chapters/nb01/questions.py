"""The predictions of notebook 01."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "01.noise",
        "A classifier was trained to tell heavy cats from light ones. What does it say about white "
        "noise?",
        ("light", "unsure", "heavy"),
        "heavy",
        "It can only weigh the pixels that it is given, and has no answer for what is no cat.",
    ),
    Prediction(
        "01.dimmed",
        "The heavy cats are dimmed until they have less white than the light ones, and the "
        "classifier is trained again. What does it say about white noise?",
        ("light", "unsure", "heavy"),
        "heavy",
        "Heavy cats need not be whiter as a whole for it. Noise has white at all places, and those "
        "that speak for a heavy cat weigh more in all than those that speak for a light one.",
    ),
    Prediction(
        "01.underflow",
        "A picture of 784 pixels, each with probability 0.5. What is their product in float32?",
        ("tiny", "zero", "nan"),
        "zero",
        "0.5^784 is about 1e-236, and the smallest float32 is about 1e-45. Its log, -543 nats, is "
        "an ordinary number.",
    ),
    Prediction(
        "01.explaining-away",
        "A patient has cough and fever; flu and pneumonia can both cause them. A test confirms the "
        "flu. Is pneumonia now more, as much or less probable than just before the test?",
        ("more", "as much", "less"),
        "less",
        "The flu explains most of what was seen, so cough and fever say much less about pneumonia, "
        "though still a little: the two diseases are independent before x is seen, but not after.",
    ),
    Prediction(
        "01.empty",
        "A model of cats of any weight and position, with ears, tail, tilt and eyes as in one "
        "photograph, scores this photograph upside down, and an empty picture, all black. Which "
        "gets the higher log p?",
        ("upside down", "alike", "empty"),
        "empty",
        "The score adds up pixels, and does not ask how much a picture looks like a cat. The empty "
        "one is wrong only where a cat should be, and least under the lightest cat; the other "
        "misses a part of any upright cat, and is white where the model expected black.",
    ),
    Prediction(
        "01.rounded",
        "1000 photographs of one cat, and its drawing with each pixel rounded to the likelier "
        "colour. Where does the score of the rounded drawing lie: below, among or above those of "
        "the photographs?",
        ("below", "among", "above"),
        "above",
        "It takes the likelier side of every coin, so no picture scores higher under this z. Each "
        "photograph has many coins that fell against the odds.",
    ),
    Prediction(
        "01.upper-half",
        "100 photographs of one cat. In how many is the posterior of its chonk wider with the "
        "upper half covered than with nothing covered?",
        ("half", "most", "all"),
        "most",
        "Averaged over all cats and their photographs, the variance of a posterior cannot grow by "
        "seeing more; for a single photograph it can.",
    ),
)

RECALL: tuple[Recall, ...] = ()  # the first notebook has nothing to look back on
