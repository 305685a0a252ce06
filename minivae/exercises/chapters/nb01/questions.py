"""The predictions of notebook 01."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "01.noise",
        "A classifier was trained to tell heavy cats from light ones. What does it say about white "
        "noise?",
        ("light", "unsure", "heavy"),
        "heavy",
        "It can only weigh the pixels that it is given. White speaks for heavy on balance, and "
        "noise has more white than any of the cats.",
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
        "A patient has a fever; flu and pneumonia can both cause it. A test confirms the flu. Is "
        "pneumonia now more, as much or less probable than just before the test?",
        ("more", "as much", "less"),
        "less",
        "The flu explains the fever, so the fever is no longer evidence of pneumonia: the two "
        "diseases are independent before x is seen, but not after.",
    ),
    Prediction(
        "01.half-covered",
        "Half of the cat is covered. Compared with the whole picture, the posterior over its "
        "chonk is:",
        ("narrower", "the same", "wider"),
        "wider",
        "Fewer pixels are less evidence: more values of chonk agree with what is seen.",
    ),
)

RECALL: tuple[Recall, ...] = ()  # the first notebook has nothing to look back on
