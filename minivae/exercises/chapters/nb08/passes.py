"""Passes over memory: what two lines of NumPy load and store, and what one fused loop would."""

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def likelihood_traffic(B, D):
    """abs, -, exp, max, log1p load one matrix and store one; +, *, - load two; sum loads one"""
    matrix, vector = 4 * B * D, 4 * B  # bytes
    passes = 9
    numpys = 5 * 2 * matrix + 3 * 3 * matrix + (matrix + vector)
    fused = 2 * matrix + vector  # load l and x, store nll
    return passes, numpys, fused


def _cases():
    return [(1, 1), (2, 3), (100, 784)]


def _counted(passes=9, numpys=(20, 1), fused=(2, 1), size=4):
    """A count with other numbers: (matrices, vectors) that are loaded or stored."""

    def wrong(B, D):
        bytes_of = (size * (m * B * D + v * B) for m, v in (numpys, fused))
        return passes, *bytes_of

    return wrong


PASSES = Exercise(
    id="08.passes",
    title="what two lines of NumPy load and store",
    stub=stub("""
        def likelihood_traffic(B, D):    # -> how many passes the two lines make, the bytes they
            ...      # load and store, and the bytes that one fused loop would, for the same nll
    """),
    reference=likelihood_traffic,
    cases=_cases,
    returns=("passes", "bytes of the two lines", "bytes of one fused loop"),
    mistakes=(
        WrongAnswer(
            "lines",
            _counted(passes=2),
            "Each operation is a pass, not each line: abs and minus are two of them.",
        ),
        WrongAnswer(
            "no-minus",
            _counted(passes=8, numpys=(18, 1)),
            "A pass is missing. Is it the minus before np.abs(l)? NumPy does each operation in a "
            "pass of its own.",
        ),
        WrongAnswer(
            "no-sum",
            _counted(passes=8, numpys=(19, 0)),
            "The sum is a pass, too: it loads a matrix and stores B numbers.",
        ),
        WrongAnswer(
            "sum-loads-nothing",
            _counted(numpys=(19, 1)),
            "The sum loads a matrix before it stores B numbers.",
        ),
        WrongAnswer(
            "only-matrices",
            _counted(numpys=(20, 0), fused=(2, 0)),
            "The sum stores nll, B numbers, and so does the fused loop.",
        ),
        WrongAnswer(
            "two-for-each",
            _counted(numpys=(17, 1)),
            "+, * and the second - load two matrices each, not one.",
        ),
        WrongAnswer(
            "three-for-each",
            _counted(numpys=(25, 1)),
            "abs, minus, exp, log1p and the maximum with a single number load one matrix, not two.",
        ),
        WrongAnswer(
            "only-loads",
            _counted(numpys=(12, 0), fused=(2, 0)),
            "Only loads are counted; each pass also stores its result.",
        ),
        WrongAnswer(
            "only-stores",
            _counted(numpys=(8, 1), fused=(0, 1)),
            "Only stores are counted; each pass first loads its operands.",
        ),
        WrongAnswer(
            "no-temporaries",
            _counted(numpys=(2, 1)),
            "Temporaries count as well: each pass stores a matrix, and the next one loads it.",
        ),
        WrongAnswer(
            "sum-keeps-its-size",
            _counted(numpys=(21, 0)),
            "The sum over the pixels stores B numbers, not B times D.",
        ),
        WrongAnswer(
            "fused-reads-for-each-use",
            _counted(fused=(4, 1)),
            "l and x are used several times, but a fused loop loads each number once.",
        ),
        WrongAnswer(
            "fused-stores-a-matrix",
            _counted(fused=(3, 0)),
            "A fused loop keeps the terms in registers; it stores only nll, B numbers.",
        ),
        WrongAnswer(
            "fused-stores-temporaries",
            _counted(fused=(3, 1)),
            "exp(-|l|) stays in a register; a fused loop stores no matrix here.",
        ),
        WrongAnswer(
            "no-pixels",
            _counted(fused=(1, 1)),
            "The fused loop needs the pixels x as well as l.",
        ),
        WrongAnswer(
            "numbers",
            _counted(size=1),
            "These are numbers, not bytes: a float32 has 4.",
        ),
        WrongAnswer(
            "float64",
            _counted(size=8),
            "8 bytes are a float64; these arrays are float32.",
        ),
    ),
    hints=(
        "Write down each operation in the order in which Python does them. There are nine.",
        "Five of them load one matrix, three load two; what does the sum load and store?",
        "20 matrices and one vector of B numbers in all; the fused loop loads l and x, stores nll.",
    ),
)
