"""The measuring process: whoever computes something else is refused before anything is timed, and
whoever cannot take part is named with the reason. No test looks at how long anything took."""

import itertools
import os
import re

import numpy as np
import pytest
from bench_parts import SIZE, numpy_step, plant, spread

from minivae import MinivaeError, kernels, ops, vae
from minivae.backend import BACKENDS
from minivae.studies.bench import limit, measuring, report, runners

pytestmark = pytest.mark.usefixtures("mnist_loaded_once")


@pytest.fixture
def short(monkeypatch):
    """Contestants in this process, on one thread; turns without a pause; a small yardstick."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(measuring, "PAUSE", 0)
    monkeypatch.setattr(limit, "PRODUCT", (3, 4, 5))


@pytest.fixture
def nothing_is_timed(short, monkeypatch):
    def refuse(*args):
        raise AssertionError("something was timed")

    monkeypatch.setattr(measuring, "time_turn", refuse)
    monkeypatch.setattr(measuring, "time_products", refuse)


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    threads = torch.get_num_threads()
    yield torch
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("name", "images"),
    [("numba", "digits"), ("numba", "noise"), ("numpy", "digits"), ("torch", "digits"),
     ("jax", "digits"), ("jax.scan", "digits")],
)  # fmt: skip
def test_every_contestant_computes_the_references_losses_and_parameters(
    name, images, short, request, monkeypatch
):
    """As the bench itself finds; and after its first steps, as found with the reference again."""
    if name not in BACKENDS:
        request.getfixturevalue(name.split(".")[0])
    runner, made = runners.RUNNERS[name], []

    def watched(*setting):
        made.append(runner(*setting))
        return made[-1]

    plant(monkeypatch, name, watched)
    setting = spec, flat, x, eps = measuring.make_setting(SIZE, images)
    steps, out = measuring.enter([name], *setting)
    assert (list(steps), out) == ([name], {})
    step, parameters = made[-1]

    expected = flat.astype(np.float64)
    m, v = np.zeros_like(expected), np.zeros_like(expected)
    per_call = runners.STEPS_PER_CALL.get(name, 1)
    entered = max(2, per_call)
    for t in range(1, entered + per_call + 1):
        result = vae.elbo_and_grads(vae.unpack(expected, spec), x, eps, spec)
        if t == entered + 1:
            np.testing.assert_allclose(parameters(), expected, atol=2e-6 * per_call)
        ops.adam_step(expected, result.flat_grads, m, v, t, 1e-3)
    assert step() == pytest.approx(result.loss, rel=1e-6)
    np.testing.assert_allclose(parameters(), expected, atol=2e-6 * per_call)


PIXELS = SIZE["data_dim"]


WRONG = {
    "learning rate one per cent off": numpy_step(lr=1.01e-3),
    "learning rate of another step": numpy_step(lr=2e-3),
    "half the KL": numpy_step(beta=0.5),
    "half the KL, the right loss": numpy_step(beta=0.5, loss_of=lambda r: r.nll + r.kl),
    "KL forgotten in the loss alone": numpy_step(loss_of=lambda r: r.nll),
    "mean over pixels": numpy_step(beta=PIXELS, loss_of=lambda r: r.nll / PIXELS + r.kl),
    "mean over pixels, the right loss": numpy_step(beta=PIXELS, loss_of=lambda r: r.nll + r.kl),
    "a sum over the batch": numpy_step(loss_of=lambda r: SIZE["batch"] * r.loss),
    "the parameters of the start": numpy_step(shown=lambda start, now: start),
    "no step at all": numpy_step(moves=False),
    "no number": numpy_step(loss_of=lambda r: float("nan")),
    "parameters that are no numbers": numpy_step(shown=lambda start, now: np.nan * now),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_who_computes_something_else_is_refused_before_anything_is_timed(
    mistake, nothing_is_timed, monkeypatch
):
    plant(monkeypatch, "jax", WRONG[mistake])
    message = "^JAX jit computes something else: its .*; nothing was timed$"
    with pytest.raises(MinivaeError, match=message):
        measuring.measure_steps(SIZE, ["numba", "numpy", "jax"], rounds=1)


def test_the_planted_contestant_is_accepted_as_long_as_it_is_right(short, monkeypatch):
    plant(monkeypatch, "jax", numpy_step())
    row = measuring.measure_steps(SIZE, ["numba", "jax"], rounds=1)
    assert list(row["milliseconds"]) == ["numba", "jax"]


@pytest.mark.parametrize("name", ["numba", "numpy"])
def test_our_own_backends_are_held_to_it_too(name, nothing_is_timed, monkeypatch):
    reference = runners.RUNNERS["numpy"]

    def right_in_float64(spec, flat, x, eps):
        runner = reference if flat.dtype == np.float64 else numpy_step(lr=2e-3)
        return runner(spec, flat, x, eps)

    plant(monkeypatch, name, right_in_float64)
    with pytest.raises(MinivaeError, match=f"^minivae, {name} computes something else"):
        measuring.measure_steps(SIZE, ["numba", "numpy"], rounds=1)


def test_the_heads_are_joined_and_parted_without_loss():
    """The opponents' layout: mu and logvar as one layer of 2 L columns, and back."""
    spec, flat, *_ = measuring.make_setting(SIZE)
    layers = runners.join_heads(vae.unpack(flat, spec), spec)
    assert [a.shape for a in layers[4:6]] == [(7, 4), (4,)]
    np.testing.assert_array_equal(runners.split_heads(layers, spec), flat)


@pytest.mark.parametrize("data_dim", [36, 49, 784, 1000])
def test_digits_of_every_size_have_about_as_many_zeros_as_digits(data_dim):
    """In the upper margin of a digit all pixels are 0: a model of few pixels must not get those."""
    x = measuring.make_setting({**SIZE, "batch": 200, "data_dim": data_dim})[2]
    assert x.shape == (200, data_dim)
    assert x.dtype == np.float32
    assert set(np.unique(x)) == {0, 1}
    assert 0.1 < x.mean() < 0.2


def test_dense_images_hold_no_zeros():
    x = measuring.make_setting({**SIZE, "batch": 200}, "noise")[2]
    assert x.shape == (200, 36)
    assert x.dtype == np.float32
    assert 0.005 < x.min() < 0.1
    assert 0.9 < x.max() < 1


@pytest.mark.parametrize("reason", ["libfoo.so: no such\n  file", ""])
def test_who_fails_to_start_is_reported_with_the_reason_and_the_rest_run(
    reason, short, monkeypatch
):
    def broken(*setting):
        raise ImportError(reason)

    def broken_at_the_second_step(*setting):
        step, parameters = numpy_step()(*setting)
        calls = iter([step])
        return lambda: next(calls)(), parameters

    plant(monkeypatch, "torch", broken)
    plant(monkeypatch, "jax", broken_at_the_second_step)
    row = measuring.measure_steps(SIZE, ["numba", "numpy", "torch", "jax"], rounds=2)
    words = " ".join(reason.split())
    assert row["did_not_start"] == {"torch": f"ImportError: {words}", "jax": "StopIteration: "}
    assert list(row["milliseconds"]) == ["numba", "numpy"]
    assert list(row["ratios"]) == ["numpy"]
    assert row["fastest_opponent"] is None
    lines = list(report.step_lines("A step", row | {"threads": 1}))
    assert f"  PyTorch eager   did not start: ImportError: {words}" in lines
    assert not any("fastest opponent" in line for line in lines)


@pytest.mark.parametrize("name", ["numba", "numpy"])
def test_a_backend_of_ours_that_fails_is_no_absent_opponent(name, nothing_is_timed, monkeypatch):
    def broken(spec, flat, x, eps):
        if flat.dtype == np.float64:
            return numpy_step()(spec, flat, x, eps)
        raise ZeroDivisionError("a mistake of ours")

    plant(monkeypatch, name, broken)
    with pytest.raises(ZeroDivisionError, match="a mistake of ours"):
        measuring.measure_steps(SIZE, ["numba", "numpy"], rounds=1)


def test_jax_takes_no_part_where_it_cannot_be_held_to_the_threads(jax, short, monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    steps, out = measuring.enter(["jax"], *measuring.make_setting(SIZE))
    assert (steps, out) == (
        {},
        {"jax": "RuntimeError: JAX cannot be limited to 1 of 8 cores on this system"},
    )


def test_everyone_has_a_turn_in_every_round_in_changing_order(monkeypatch):
    turns = []

    def turn(name, steps=1):
        turns.append(name)
        return float(len(turns))

    monkeypatch.setattr(measuring, "time_turn", turn)
    times = measuring.race({name: name for name in "abc"}, rounds=20)
    rounds = [tuple(turns[i : i + 3]) for i in range(0, 60, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len(set(rounds)) > 3
    for name, measured in times.items():  # and each time stands under its name and round
        assert measured == [3.0 * i + names.index(name) + 1 for i, names in enumerate(rounds)]


def test_a_turn_is_a_pause_then_steps_that_do_not_count_then_the_median(monkeypatch):
    events, clock = [], iter([0, 1, 10, 12, 20, 23, 30, 130, 200, 200.5])  # 1, 2, 3, 100, 0.5
    monkeypatch.setattr(measuring, "TIMED_STEPS", 5)
    monkeypatch.setattr(measuring.time, "sleep", lambda seconds: events.append(("sleep", seconds)))
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: next(clock))
    assert measuring.time_turn(lambda: events.append("step")) == 2
    assert events == [
        ("sleep", measuring.PAUSE),
        *["step"] * (measuring.WARM_STEPS + measuring.TIMED_STEPS),
    ]


def test_beside_busy_processes_a_turn_is_a_second_or_more_and_its_mean_counts(monkeypatch):
    """A median would leave out the one step of ten that lost its core."""
    events = []
    ticks = itertools.chain([0], itertools.accumulate([1] * 9 + [50] + [1] * 99))
    monkeypatch.setattr(measuring, "CROWDED_TURN", 100)
    monkeypatch.setattr(measuring.time, "sleep", lambda seconds: events.append(("sleep", seconds)))
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: next(ticks))
    mean = measuring.time_crowded_turn(lambda: events.append("step"), steps=2)
    timed = len(events) - 1 - measuring.WARM_STEPS // 2
    assert events == [("sleep", measuring.PAUSE), *["step"] * (measuring.WARM_STEPS // 2 + timed)]
    assert timed == 9 + 1 + 40
    assert mean == 100 / (2 * timed)


def test_only_crowded_turns_are_means(monkeypatch):
    monkeypatch.setattr(measuring, "time_turn", lambda function, steps: 1.0)
    monkeypatch.setattr(measuring, "time_crowded_turn", lambda function, steps: 2.0)
    assert measuring.race({"a": print}, 1) == {"a": [1.0]}
    assert measuring.race({"a": print}, 1, crowded=True) == {"a": [2.0]}


def test_a_call_of_many_steps_is_divided_by_them(monkeypatch):
    monkeypatch.setattr(measuring, "PAUSE", 0)
    clock, calls = iter(range(0, 400, 40)), []
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: next(clock))
    assert measuring.time_turn(lambda: calls.append(1), steps=20) == 2
    assert len(calls) == 1 + measuring.LEAST_CALLS


def test_a_row_holds_what_follows_from_the_times(short, monkeypatch):
    """Ratios round by round, the rate of whoever multiplied faster, and the limit it sets."""
    seconds = {
        "numba": [0.002, 0.004, 0.002], "numpy": [0.004, 0.004, 0.006], "jax": [0.001] * 3,
        "kernel": [1e-6, 2e-6, 1e-6], "BLAS": [2e-6, 1e-6, 2e-6], "sums": [3e-6] * 3,
    }  # fmt: skip
    monkeypatch.setattr(
        measuring, "race", lambda functions, rounds, crowded: {n: seconds[n] for n in seconds}
    )
    plant(monkeypatch, "jax", numpy_step())
    row = measuring.measure_steps(SIZE, ["numba", "numpy", "jax"], rounds=3)
    assert row["milliseconds"]["numba"] == pytest.approx(spread(2, 2, 3))
    assert row["ratios"]["numpy"] == pytest.approx(spread(2, 1.5, 2.5))  # 2, 1 and 3
    assert row["ratios"]["jax"] == pytest.approx(spread(0.5, 0.375, 0.5))
    assert row["fastest_opponent"] == "jax"
    assert row["loses_to"] == ["jax"]
    rate = 2 * 3 * 4 * 5 / 1e-6 / 1e9
    assert row["best_gflop_per_second"] == pytest.approx(spread(rate))
    _, flat, *_ = measuring.make_setting(SIZE)
    bandwidth = 10 * 3 * 4 * len(flat) / 3e-6 / 1e9  # ten sums, each of three vectors
    assert row["gigabytes_per_second"] == pytest.approx(spread(bandwidth))
    parts = row["limit_parts_milliseconds"]
    assert parts["products"] == pytest.approx(spread(1e3 * row["gflop"] / rate))
    assert parts["Adam"] == pytest.approx(spread(1e-6 * 7 * 4 * len(flat) / bandwidth))
    whole = sum(part["median"] for part in parts.values())
    assert row["limit_milliseconds"] == pytest.approx(spread(whole))
    assert row["fraction_of_limit"]["median"] == pytest.approx(whole / 2)
    assert set(row["milliseconds"]) == {"numba", "numpy", "jax"}  # the yardsticks are none of them


def test_the_flops_of_a_step_are_those_counted_by_hand():
    """784-200-200-50: each weight serves x W, x' da and da W', the first layer's only two."""
    weights = 784 * 200 + 200 * 200 + 2 * 200 * 50 + 50 * 200 + 200 * 200 + 200 * 784
    assert weights == 423_600
    spec = vae.Spec(784, (200, 200), 50)
    products = limit.step_parts(spec, 100)[0]
    assert products.flops == 2 * 100 * (3 * 423_600 - 156_800) == 222_800_000


def test_the_bytes_of_a_step_are_those_counted_by_hand():
    """3-2-2-1 at batch 5: each array of each product once, in numbers of four bytes."""
    layers = [(3, 2), (2, 2), (2, 1), (2, 1), (1, 2), (2, 2), (2, 3)]
    by_hand = [3 * (5 * i + i * o + 5 * o) for i, o in layers]
    by_hand[0] = 2 * (5 * 3 + 3 * 2 + 5 * 2)  # the first layer needs no gradient of its input
    biases = 2 + 2 + 1 + 1 + 2 + 2 + 3
    parameters = sum(i * o for i, o in layers) + biases
    parts = {part.name: part for part in limit.step_parts(vae.Spec(3, (2, 2), 1), 5)}
    assert parts["products"].bytes == 4 * sum(by_hand)
    assert parts["Adam"] == ("Adam", 0, 4 * 7 * parameters)
    assert parts["likelihood"] == ("likelihood", 0, 4 * 3 * 5 * 3)
    assert parts["KL and sample"] == ("KL and sample", 0, 4 * 6 * 5)


def test_a_part_takes_the_larger_of_its_two_times():
    part = limit.Part("a part", flops=6e9, bytes=4e9)
    np.testing.assert_allclose(part.seconds(np.array([2.0, 3.0]), np.array([4.0, 1.0])), [3, 4])


def test_the_products_of_a_step_are_those_counted_by_hand(short, monkeypatch):
    """Seven layers, as the heads are two: 7 forward, 7 for dW, 6 for dx. With joined heads: 17."""
    monkeypatch.setattr(measuring, "TIMED_STEPS", 1)
    rows = measuring.measure_products(SIZE, rounds=1)["rows"]
    B, D, H, L = 6, 36, 7, 2
    by_hand = [
        ("enc1: x W", B, D, H), ("enc2: x W", B, H, H), ("mu: x W", B, H, L),
        ("logvar: x W", B, H, L), ("dec1: x W", B, L, H), ("dec2: x W", B, H, H),
        ("out: x W", B, H, D),
        ("out: x' da", H, B, D), ("out: da W'", B, D, H), ("dec2: x' da", H, B, H),
        ("dec2: da W'", B, H, H), ("dec1: x' da", L, B, H), ("dec1: da W'", B, H, L),
        ("logvar: x' da", H, B, L), ("logvar: da W'", B, L, H), ("mu: x' da", H, B, L),
        ("mu: da W'", B, L, H), ("enc2: x' da", H, B, H), ("enc2: da W'", B, H, H),
        ("enc1: x' da", D, B, H),
    ]  # fmt: skip
    assert [(row["product"], row["m"], row["k"], row["n"]) for row in rows] == by_hand
    flops = sum(2 * m * k * n for _, m, k, n in by_hand)
    assert flops == limit.step_parts(vae.Spec(D, (H, H), L), B)[0].flops


def wrong_in_the_last_row(a, b, *, transpose_a=False, transpose_b=False):
    c = MATMUL(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    c[-1] *= 1.01
    return c


def wrong_when_transposed(a, b, *, transpose_a=False, transpose_b=False):
    c = MATMUL(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    return np.zeros_like(c) if transpose_b else c


def wrong_with_nan(a, b, *, transpose_a=False, transpose_b=False):
    return MATMUL(a, b, transpose_a=transpose_a, transpose_b=transpose_b) * np.float32("nan")


MATMUL = kernels.matmul


@pytest.mark.parametrize(
    ("kernel", "first"),
    [(wrong_in_the_last_row, "enc1: x W"), (wrong_when_transposed, "out: da W'"),
     (wrong_with_nan, "enc1: x W")],
    ids=["last row", "turned", "nan"],
)  # fmt: skip
def test_a_wrong_kernel_is_refused_before_any_product_is_timed(
    kernel, first, nothing_is_timed, monkeypatch
):
    monkeypatch.setattr(kernels, "matmul", kernel)
    message = f"^the product {re.escape(first)} differs from BLAS; nothing was timed$"
    with pytest.raises(MinivaeError, match=message):
        measuring.measure_products(SIZE, rounds=1)


def test_the_numba_backend_loses_where_even_the_upper_quartile_is_below_one():
    ratios = {
        "faster beyond the spread": spread(0.8, 0.7, 0.99),
        "faster within the spread": spread(0.8, 0.7, 1.01),
        "level": spread(1.0),
        "slower": spread(2.0, 0.5, 2.5),
    }
    assert measuring.loses_to(ratios) == ["faster beyond the spread"]
