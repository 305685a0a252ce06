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
    alike = [(5, 4), (4, 5), (5, 4)]  # another layer has the shape of the first
    return [(1, [(3, 2)]), (4, [(3, 2), (2, 5)]), (2, alike), (100, DEFAULT_LAYERS)]


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


def roofline(flops, bytes_moved, peak, bandwidths):
    """The least of the peak and of flops / bytes x bandwidth at each cache, and which one it is"""
    limits = [peak]
    for moved, bandwidth in zip(bytes_moved, bandwidths, strict=True):
        limits.append(flops / moved * bandwidth)
    rate = min(limits)
    return rate, limits.index(rate)


def _roofline_cases():
    return [
        (100.0, [50.0], 80.0, [10.0]),
        (1000.0, [50.0, 20.0], 80.0, [10.0, 5.0]),
        (96.0, [64.0, 8.0, 4.0], 90.0, [20.0, 5.0, 1.0]),
        (32.0, [192.0, 64.0, 2.0], 120.0, [270.0, 100.0, 20.0]),
        (32.0, [64.0, 64.0], 120.0, [270.0, 100.0]),
        (64.0, [16.0, 32.0], 400.0, [50.0, 90.0]),  # the last cache is not the slowest
    ]


def _roof(limit, choose=min):
    def wrong(flops, bytes_moved, peak, bandwidths):
        pairs = zip(bytes_moved, bandwidths, strict=True)
        limits = [peak, *(limit(flops, moved, speed) for moved, speed in pairs)]
        rate = choose(limits)
        return rate, limits.index(rate)

    return wrong


def _slope(flops, moved, speed):
    return flops / moved * speed


def _roof_without_peak(flops, bytes_moved, peak, bandwidths):
    pairs = zip(bytes_moved, bandwidths, strict=True)
    limits = [_slope(flops, moved, speed) for moved, speed in pairs]
    return min(limits), limits.index(min(limits)) + 1


def _roof_of_all_bytes(flops, bytes_moved, peak, bandwidths):
    limits = [peak, *(flops / sum(bytes_moved) * speed for speed in bandwidths)]
    return min(limits), limits.index(min(limits))


def _roof_in_turn(flops, bytes_moved, peak, bandwidths):
    pairs = zip(bytes_moved, bandwidths, strict=True)
    times = [flops / peak, *(moved / speed for moved, speed in pairs)]
    return flops / sum(times), times.index(max(times))


def _roof_of_memory(flops, bytes_moved, peak, bandwidths):
    limits = [peak, _slope(flops, bytes_moved[-1], bandwidths[-1])]
    return min(limits), limits.index(min(limits)) * len(bandwidths)


ROOFLINE = Exercise(
    id="08.roofline",
    title="which limit a loop meets: the roofline at each cache",
    stub=stub("""
        def roofline(flops, bytes_moved, peak, bandwidths):   # flop; [bytes at each cache]; flop/s;
            ...      # [byte/s of each cache] -> the flop/s within reach, and the limit that is met:
                     # 0 for the peak, 1 for the first cache, 2 for the second, ...
    """),
    reference=roofline,
    cases=_roofline_cases,
    returns=("rate", "limit"),
    mistakes=(
        WrongAnswer(
            "maximum",
            _roof(_slope, max),
            "The lowest of the limits applies, not the highest.",
        ),
        WrongAnswer(
            "upside-down",
            _roof(lambda flops, moved, speed: moved / flops * speed),
            "Intensity is flops per byte; here it is bytes per flop.",
        ),
        WrongAnswer(
            "peak",
            lambda flops, moved, peak, bandwidths: (peak, 0),
            "This is the peak alone; a cache may not deliver the data that fast.",
        ),
        WrongAnswer(
            "no-peak",
            _roof_without_peak,
            "The peak is missing: no machine exceeds it, however near its data are.",
        ),
        WrongAnswer(
            "all-bytes",
            _roof_of_all_bytes,
            "The bytes of all caches are added up; each cache has its own bytes and its own limit.",
        ),
        WrongAnswer(
            "memory-alone",
            _roof_of_memory,
            "Only the last cache of the list is compared with the peak; any of them may be the "
            "limit.",
        ),
        WrongAnswer(
            "in-turn",
            _roof_in_turn,
            "The times are added, as if nothing overlapped; a machine fetches the next data while "
            "it computes.",
        ),
        WrongAnswer(
            "bandwidth",
            _roof(lambda flops, moved, speed: speed),
            "A bandwidth is in bytes per second: multiply it by flops per byte to get flop/s.",
        ),
    ),
    hints=(
        "One limit for the peak, and one for each cache, by its own bytes and bandwidth.",
        "Each byte that crosses the border of a cache serves flops / bytes of that cache.",
        "limits = [peak] + [flops / m * w for m, w in zip(bytes_moved, bandwidths)]; its least.",
    ),
)

# ---- 08.ikj-rate ---------------------------------------------------------------------------------


def rate_of_rows(rows, lanes, bandwidth, peak):
    """2 rows lanes flop for rows + 2 vectors of 4 lanes bytes, and never above the peak"""
    flops = 2 * rows * lanes
    moved = (rows + 2) * 4 * lanes
    return min(peak, flops / moved * bandwidth)


def _rate_cases():
    return [
        (1, 8, 84e9, 60e9),
        (4, 8, 84e9, 60e9),
        (2, 16, 270e9, 500e9),
        (6, 4, 400e9, 110e9),
        (1, 8, 1e9, 1e12),  # the peak is far away
    ]


def _rate(vectors, flops=2, peak=True, bytes_of=lambda lanes: 4 * lanes):
    def wrong(rows, lanes, bandwidth, top):
        rate = flops * rows * lanes / (vectors(rows) * bytes_of(lanes)) * bandwidth
        return min(top, rate) if peak else rate

    return wrong


IKJ_RATE = Exercise(
    id="08.ikj-rate",
    title="how fast the first cache lets i-k-j run",
    stub=stub("""
        def rate_of_rows(rows, lanes, bandwidth, peak):    # rows of B together (i-k-j: 1), float32
            ...      # in a register; byte/s of the first cache, flop/s -> the flop/s within reach
    """),
    reference=rate_of_rows,
    cases=_rate_cases,
    mistakes=(
        WrongAnswer(
            "no-store",
            _rate(lambda rows: rows + 1),
            "C is loaded and stored: that is two trips, and only one is counted.",
        ),
        WrongAnswer(
            "c-each-time",
            _rate(lambda rows: 3 * rows),
            "This is the rate of a single row, whatever `rows` is: C is loaded and stored once for "
            "all the rows together, not once for each.",
        ),
        WrongAnswer(
            "b-alone",
            _rate(lambda rows: rows),
            "Only B is counted; C makes the trip to the cache too, and back.",
        ),
        WrongAnswer(
            "half",
            _rate(lambda rows: rows + 2, flops=1),
            "Half of what is right: a multiply-add is two flop, and a float32 has 4 bytes.",
        ),
        WrongAnswer(
            "no-peak",
            _rate(lambda rows: rows + 2, peak=False),
            "With enough rows the cache is no longer the limit: nothing exceeds the peak.",
        ),
        WrongAnswer(
            "bits",
            _rate(lambda rows: rows + 2, bytes_of=lambda lanes: 32 * lanes),
            "These are bits: a float32 has 4 bytes.",
        ),
        WrongAnswer(
            "one-number",
            _rate(lambda rows: rows + 2, bytes_of=lambda lanes: 4),
            "A vector has 4 bytes for each of its lanes.",
        ),
    ),
    hints=(
        "Count for one vector of C: how many multiply-adds, how many trips to the cache?",
        "`rows` loads of B, one load of C, one store of C; a vector has 4 lanes bytes.",
        "min(peak, 2 rows lanes / ((rows + 2) 4 lanes) bandwidth).",
    ),
)

# ---- 08.tile-shape -------------------------------------------------------------------------------


def tile_shape(registers, sums_at_edge):
    """Of the shapes that fit and have enough rows, the one with the fewest loads"""
    best, fewest = None, 3.0
    for R in range(sums_at_edge, registers):
        for V in range(1, registers):
            loads = (R + V) / (R * V)
            if R * V + V + 1 <= registers and loads < fewest:
                best, fewest = (R, V), loads
    return best


def _tile_cases():
    return [(16, 6), (16, 4), (32, 8), (32, 12), (8, 2), (16, 2)]


def _shapes(fits, value=lambda R, V: -(R + V) / (R * V), rows=lambda R, V, sums: sums <= R):
    """The best shape of those that fit; the first of equals, by R and then V."""

    def wrong(registers, sums_at_edge):
        shapes = [(R, V) for R in range(1, registers) for V in range(1, registers)]
        fitting = [s for s in shapes if fits(*s, registers) and rows(*s, sums_at_edge)]
        return max(fitting, key=lambda s: value(*s))

    return wrong


def _all_three(R, V, registers):
    return R * V + V + 1 <= registers


TILE_SHAPE = Exercise(
    id="08.tile-shape",
    title="rows and vectors of a tile, for a number of registers",
    stub=stub("""
        def tile_shape(registers, sums_at_edge):    # int, int -> (R, V): fewest loads by eq. (6) of
            ...      # the tiles whose registers suffice (C, the vectors of B, one number of A), and
                     # that still have sums_at_edge sums where only one vector is left at the edge
    """),
    reference=tile_shape,
    cases=_tile_cases,
    returns=("R", "V"),
    mistakes=(
        WrongAnswer(
            "no-edge",
            _shapes(_all_three, rows=lambda R, V, sums: True),
            "The edge is forgotten: a tile that is one vector wide has R sums, and needs "
            "sums_at_edge of them.",
        ),
        WrongAnswer(
            "c-alone",
            _shapes(lambda R, V, registers: R * V <= registers),
            "All registers are given to C; the vectors of B and the number of A need some too.",
        ),
        WrongAnswer(
            "a-forgotten",
            _shapes(lambda R, V, registers: R * V + V <= registers),
            "The spread-out number of A needs a register too.",
        ),
        WrongAnswer(
            "b-forgotten",
            _shapes(lambda R, V, registers: R * V + 1 <= registers),
            "The V vectors of B need registers too.",
        ),
        WrongAnswer(
            "one-spare",
            _shapes(lambda R, V, registers: R * V + V + 1 < registers),
            "All registers may be used; here one is left over.",
        ),
        WrongAnswer(
            "a-for-each-row",
            _shapes(lambda R, V, registers: R * V + V + R <= registers),
            "One register for A is enough: its numbers are spread out one after another.",
        ),
        WrongAnswer(
            "swapped",
            lambda registers, sums: tile_shape(registers, sums)[::-1],
            "R and V are swapped: rows first.",
        ),
        WrongAnswer(
            "most-sums",
            _shapes(_all_three, value=lambda R, V: R * V),
            "The largest product R V is not the fewest loads: (R + V) / (R V).",
        ),
    ),
    hints=(
        "Few shapes are possible: try them all.",
        "R V + V + 1 <= registers, and R >= sums_at_edge.",
        "Among those, the least (R + V) / (R V).",
    ),
)
