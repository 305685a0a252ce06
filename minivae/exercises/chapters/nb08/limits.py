"""How much arithmetic a step takes, and how fast a machine can do it."""

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 08.flops ------------------------------------------------------------------------------------


def step_flops(batch, layers):
    """2 B I O for each of: the forward product, dW, and dx, which the first layer does not need"""
    total = 0
    for i, (n_in, n_out) in enumerate(layers):
        products = 2 if i == 0 else 3
        total += products * 2 * batch * n_in * n_out
    return total


DEFAULT_LAYERS = [(784, 200), (200, 200), (200, 100), (50, 200), (200, 200), (200, 784)]


def _flops_cases():
    return [(1, [(3, 2)]), (4, [(3, 2), (2, 5)]), (100, DEFAULT_LAYERS)]


def _flops(first, later, factor=2, with_batch=True):
    return lambda batch, layers: sum(
        (first if i == 0 else later) * factor * (batch if with_batch else 1) * a * b
        for i, (a, b) in enumerate(layers)
    )


FLOPS = Exercise(
    id="08.flops",
    title="how much arithmetic a training step takes",
    stub=stub("""
        def step_flops(batch, layers):    # int, [(inputs, outputs), ...] from the image on
            ...      # -> flops of all matrix products, forward and backward, as an int;
                     # a multiplication and an addition count 2; the images need no gradient
    """),
    reference=step_flops,
    cases=_flops_cases,
    mistakes=(
        WrongAnswer(
            "forward-only",
            _flops(1, 1),
            "This counts the forward products only; dW and dx are two more.",
        ),
        WrongAnswer(
            "dx-everywhere",
            _flops(3, 3),
            "The first layer needs no dx: the gradient with respect to the images is not used.",
        ),
        WrongAnswer(
            "no-dx", _flops(2, 2), "The layers after the first need dx too, to pass it back."
        ),
        WrongAnswer(
            "one-for-both",
            _flops(2, 3, factor=1),
            "A multiplication and an addition count as two operations.",
        ),
        WrongAnswer(
            "batch-forgotten",
            _flops(2, 3, with_batch=False),
            "Every example of the batch goes through the products.",
        ),
        WrongAnswer(
            "last-without-dx",
            lambda batch, layers: (
                _flops(3, 3)(batch, layers) - 2 * batch * layers[-1][0] * layers[-1][1]
            ),
            "dx is left out at the last layer; it is the first that does not need it.",
        ),
    ),
    hints=(
        "The product of (B, I) and (I, O) has B O sums of I products each.",
        "Each layer has three products of that size: x W, x' da and da W'. One needs only two.",
        "2 B I O times 2 for the first layer, times 3 for the others.",
    ),
)

# ---- 08.roofline ---------------------------------------------------------------------------------


def roofline(flops, bytes_moved, peak, bandwidth):
    """The highest rate within reach: min(peak, flops / bytes x bandwidth)"""
    return min(peak, flops / bytes_moved * bandwidth)


def _roofline_cases():
    return [
        (100.0, 50.0, 80.0, 10.0),
        (1000.0, 50.0, 80.0, 10.0),
        (3.0, 12.0, 90.0, 20.0),
    ]


ROOFLINE = Exercise(
    id="08.roofline",
    title="the roofline",
    stub=stub("""
        def roofline(flops, bytes_moved, peak, bandwidth):    # work: flop, byte; machine: flop/s,
            ...                                               # byte/s -> the flop/s within reach
    """),
    reference=roofline,
    cases=_roofline_cases,
    mistakes=(
        WrongAnswer(
            "maximum",
            lambda flops, moved, peak, bandwidth: max(peak, flops / moved * bandwidth),
            "The lower of the two limits applies, not the higher.",
        ),
        WrongAnswer(
            "upside-down",
            lambda flops, moved, peak, bandwidth: min(peak, moved / flops * bandwidth),
            "Intensity is flops per byte; here it is bytes per flop.",
        ),
        WrongAnswer(
            "peak",
            lambda flops, moved, peak, bandwidth: peak,
            "This is the peak alone; the memory may not deliver the data that fast.",
        ),
        WrongAnswer(
            "memory",
            lambda flops, moved, peak, bandwidth: flops / moved * bandwidth,
            "This is the memory's limit alone; no machine exceeds its peak.",
        ),
        WrongAnswer(
            "in-turn",
            lambda flops, moved, peak, bandwidth: flops / (flops / peak + moved / bandwidth),
            "The two times are added, as if nothing overlapped; a machine fetches the next data "
            "while it computes.",
        ),
        WrongAnswer(
            "bandwidth",
            lambda flops, moved, peak, bandwidth: min(peak, bandwidth),
            "The bandwidth is in bytes per second: multiply it by flops per byte to get flop/s.",
        ),
    ),
    hints=(
        "Two limits: how fast the machine computes, and how fast data reach it.",
        "Each byte that is fetched is used in flops / bytes_moved operations.",
        "min(peak, flops / bytes_moved * bandwidth).",
    ),
)
