"""Notebook 08a: answers to `08.flops`, `08.roofline` and `08.ikj-rate`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 08.flops ------------------------------------------------------------------------------------


@right("08.flops")
def three_products_less_one(batch, layers):
    inputs, outputs = layers[0]
    return 6 * batch * sum(a * b for a, b in layers) - 2 * batch * inputs * outputs


@right("08.flops")
def with_numpy(batch, layers):
    weights = np.prod(np.array(layers), axis=1)
    return int(batch * weights @ np.array([4] + [6] * (len(layers) - 1)))


@right("08.flops")
def product_by_product(batch, layers):
    flops = 0
    for number in range(len(layers)):
        n_in, n_out = layers[number]
        flops += 2 * batch * n_out * n_in
        flops += 2 * n_in * n_out * batch
        if number > 0:
            flops += 2 * batch * n_in * n_out
    return flops


@wrong("08.flops")
def with_the_bias(batch, layers):
    return sum((4 if i == 0 else 6) * batch * (a + 1) * b for i, (a, b) in enumerate(layers))


@wrong("08.flops")
def one_addition_fewer(batch, layers):
    return sum((2 if i == 0 else 3) * batch * (2 * a - 1) * b for i, (a, b) in enumerate(layers))


@wrong("08.flops")
def backward_alone(batch, layers):
    return sum((2 if i == 0 else 4) * batch * a * b for i, (a, b) in enumerate(layers))


@wrong("08.flops")
def batch_of_100(batch, layers):
    return sum((4 if i == 0 else 6) * 100 * a * b for i, (a, b) in enumerate(layers))


@wrong("08.flops")
def no_batch_in_dw(batch, layers):
    return sum(2 * a * b * (batch + 1 + (i > 0) * batch) for i, (a, b) in enumerate(layers))


@wrong("08.flops")
def sizes_added(batch, layers):
    return sum((4 if i == 0 else 6) * batch * (a + b) for i, (a, b) in enumerate(layers))


@wrong("08.flops")
def returns_in_the_loop(batch, layers):
    for i, (a, b) in enumerate(layers):
        return (4 if i == 0 else 6) * batch * a * b


@wrong("08.flops")
def in_gigaflop(batch, layers):
    return sum((4 if i == 0 else 6) * batch * a * b for i, (a, b) in enumerate(layers)) / 1e9


@wrong("08.flops")
def image_of_784_written_in(batch, layers):
    return sum((4 if a == 784 else 6) * batch * a * b for a, b in layers)


@wrong("08.flops")
def first_layer_known_by_its_shape(batch, layers):
    return sum((4 if layer == layers[0] else 6) * batch * layer[0] * layer[1] for layer in layers)


@wrong("08.flops")
def first_layer_known_by_its_inputs(batch, layers):
    return sum((4 if a == layers[0][0] else 6) * batch * a * b for a, b in layers)


@wrong("08.flops")
def only_both_ends(batch, layers):
    (a, b), (c, d) = layers[0], layers[-1]
    return batch * (4 * a * b + 6 * c * d)


@wrong("08.flops")
def one_layer_too_few(batch, layers):
    return 4 * batch * layers[0][0] * layers[0][1] + sum(6 * batch * a * b for a, b in layers[1:-1])


# ---- 08.roofline ---------------------------------------------------------------------------------


@right("08.roofline")
def by_argmin(flops, bytes_moved, peak, bandwidths):
    limits = np.append(peak, flops * np.array(bandwidths) / np.array(bytes_moved))
    return limits.min(), np.argmin(limits)


@right("08.roofline")
def by_the_longest_time(flops, bytes_moved, peak, bandwidths):
    times = [flops / peak]
    for i in range(len(bytes_moved)):
        times.append(bytes_moved[i] / bandwidths[i])
    return [flops / max(times), times.index(max(times))]


@right("08.roofline")
def running_minimum(flops, bytes_moved, peak, bandwidths):
    rate, limit = peak, 0
    for number, (moved, speed) in enumerate(zip(bytes_moved, bandwidths, strict=True), start=1):
        if flops * speed < rate * moved:
            rate, limit = flops * speed / moved, number
    return rate, limit


def limits_of(flops, bytes_moved, peak, bandwidths):
    return [peak] + [flops / m * w for m, w in zip(bytes_moved, bandwidths, strict=True)]


@wrong("08.roofline")
def first_cache_is_zero(flops, bytes_moved, peak, bandwidths):
    limits = limits_of(flops, bytes_moved, peak, bandwidths)
    return min(limits), limits.index(min(limits)) - 1


@wrong("08.roofline")
def peak_is_the_last(flops, bytes_moved, peak, bandwidths):
    limits = limits_of(flops, bytes_moved, peak, bandwidths)
    limits = limits[1:] + limits[:1]
    return min(limits), limits.index(min(limits))


@wrong("08.roofline")
def whole_division(flops, bytes_moved, peak, bandwidths):
    limits = [peak] + [flops // m * w for m, w in zip(bytes_moved, bandwidths, strict=True)]
    return min(limits), limits.index(min(limits))


@wrong("08.roofline")
def rate_alone(flops, bytes_moved, peak, bandwidths):
    return min(limits_of(flops, bytes_moved, peak, bandwidths))


@wrong("08.roofline")
def one_bandwidth(flops, bytes_moved, peak, bandwidths):
    limits = [peak] + [flops / m * bandwidths[0] for m in bytes_moved]
    return min(limits), limits.index(min(limits))


@wrong("08.roofline")
def caches_in_reverse(flops, bytes_moved, peak, bandwidths):
    limits = limits_of(flops, bytes_moved, peak, bandwidths[::-1])
    return min(limits), limits.index(min(limits))


@wrong("08.roofline")
def sorted_first(flops, bytes_moved, peak, bandwidths):
    limits = sorted(limits_of(flops, bytes_moved, peak, bandwidths))
    return limits[0], limits.index(min(limits))


@wrong("08.roofline")
def first_below_the_peak(flops, bytes_moved, peak, bandwidths):
    for number, limit in enumerate(limits_of(flops, bytes_moved, peak, bandwidths)):
        if limit < peak:
            return limit, number
    return peak, 0


@wrong("08.roofline")
def slowest_bandwidth(flops, bytes_moved, peak, bandwidths):
    i = bandwidths.index(min(bandwidths))
    rate = flops / bytes_moved[i] * bandwidths[i]
    return (peak, 0) if rate > peak else (rate, i + 1)


@wrong("08.roofline")
def most_bytes(flops, bytes_moved, peak, bandwidths):
    i = bytes_moved.index(max(bytes_moved))
    rate = flops / bytes_moved[i] * bandwidths[i]
    return (peak, 0) if rate > peak else (rate, i + 1)


@wrong("08.roofline")
def limit_among_caches_only(flops, bytes_moved, peak, bandwidths):
    limits = limits_of(flops, bytes_moved, peak, bandwidths)
    return min(limits), limits.index(min(limits[1:]))


@wrong("08.roofline")
def name_of_the_limit(flops, bytes_moved, peak, bandwidths):
    limits = limits_of(flops, bytes_moved, peak, bandwidths)
    at = limits.index(min(limits))
    return min(limits), "peak" if at == 0 else f"cache {at}"


@wrong("08.roofline")
def first_cache_alone(flops, bytes_moved, peak, bandwidths):
    rate = flops / bytes_moved[0] * bandwidths[0]
    return min(peak, rate), int(rate < peak)


# ---- 08.ikj-rate ---------------------------------------------------------------------------------


@right("08.ikj-rate")
def lanes_cancel(rows, lanes, bandwidth, peak):
    return min(peak, bandwidth * rows / (2 * rows + 4))


@right("08.ikj-rate")
def by_time(rows, lanes, bandwidth, peak):
    flops = rows * lanes * 2
    return flops / max(flops / peak, (rows + 1 + 1) * lanes * 4 / bandwidth)


@right("08.ikj-rate")
def trip_by_trip(rows, lanes, bandwidth, peak):
    vector = np.dtype(np.float32).itemsize * lanes
    moved = sum(vector for _ in range(rows)) + vector + vector
    intensity = 2 * lanes * rows / moved
    return np.minimum(intensity * bandwidth, peak)


@wrong("08.ikj-rate")
def greater_of_both(rows, lanes, bandwidth, peak):
    return max(peak, bandwidth * rows / (2 * rows + 4))


@wrong("08.ikj-rate", clue="c-each-time")
def always_one_row(rows, lanes, bandwidth, peak):
    return min(peak, bandwidth / 6)


@wrong("08.ikj-rate")
def always_four_rows(rows, lanes, bandwidth, peak):
    return min(peak, bandwidth * 32 * 2 / (6 * 32))


@wrong("08.ikj-rate")
def whole_flop_per_byte(rows, lanes, bandwidth, peak):
    return min(peak, 2 * rows * lanes // ((rows + 2) * 4 * lanes) * bandwidth)


@wrong("08.ikj-rate")
def one_store_too_many(rows, lanes, bandwidth, peak):
    return min(peak, 2 * rows * lanes / ((rows + 3) * 4 * lanes) * bandwidth)


@wrong("08.ikj-rate")
def numbers_of_a_too(rows, lanes, bandwidth, peak):
    return min(peak, 2 * rows * lanes / ((rows + 2) * 4 * lanes + 4 * rows) * bandwidth)


@wrong("08.ikj-rate")
def flop_of_one_row(rows, lanes, bandwidth, peak):
    return min(peak, 2 * lanes / ((rows + 2) * 4 * lanes) * bandwidth)


@wrong("08.ikj-rate")
def bytes_of_one_row(rows, lanes, bandwidth, peak):
    return min(peak, 2 * rows * lanes / (3 * 4 * lanes) * bandwidth)


@wrong("08.ikj-rate")
def eight_lanes_in_the_bytes(rows, lanes, bandwidth, peak):
    return min(peak, 2 * rows * lanes / ((rows + 2) * 32) * bandwidth)


@wrong("08.ikj-rate")
def bytes_per_flop(rows, lanes, bandwidth, peak):
    return min(peak, (rows + 2) * 4 * lanes / (2 * rows * lanes) * bandwidth)


@wrong("08.ikj-rate")
def in_giga(rows, lanes, bandwidth, peak):
    return min(peak, 2 * rows * lanes / ((rows + 2) * 4 * lanes) * bandwidth) / 1e9


@wrong("08.ikj-rate", clue="half")
def as_float64(rows, lanes, bandwidth, peak):
    return min(peak, 2 * rows * lanes / ((rows + 2) * 8 * lanes) * bandwidth)


@wrong("08.ikj-rate")
def share_of_the_peak(rows, lanes, bandwidth, peak):
    return min(1, 2 * rows * lanes / ((rows + 2) * 4 * lanes) * bandwidth / peak)


@wrong("08.ikj-rate")
def one_after_the_other(rows, lanes, bandwidth, peak):
    flops = 2 * rows * lanes
    return flops / (flops / peak + (rows + 2) * 4 * lanes / bandwidth)
