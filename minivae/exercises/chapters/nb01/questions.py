"""The predictions of notebook 01."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "01.underflow",
        "A picture of 784 pixels, each with probability 0.5. What is their product in float32?",
        ("tiny", "zero", "nan"),
        "zero",
        "0.5^784 is 1e-236, and float32 ends at 1e-45. The log, -543 nats, is no trouble.",
    ),
    Prediction(
        "01.explaining-away",
        "Fever: flu and pneumonia are both suspects. A test confirms the flu. Pneumonia is now "
        "how probable, compared with just before the test?",
        ("more", "as much", "less"),
        "less",
        "The flu explains the fever, so the fever no longer speaks for pneumonia: the two are "
        "independent before x is seen, and not after.",
    ),
    Prediction(
        "01.half-covered",
        "Half of the cat is covered. What happens to the posterior over its chonk?",
        ("narrower", "the same", "wider"),
        "wider",
        "Fewer pixels, less to go by: more chonks remain compatible with what is seen.",
    ),
)

RECALL: tuple[Recall, ...] = ()  # the first notebook has nothing to look back on
