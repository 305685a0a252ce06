"""The bench: whoever computes something else is refused before anything is timed, whoever cannot
take part is named with the reason, and the tables hold what was measured. No test looks at how
long anything took."""

import gc
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny

from minivae import MinivaeError, data, kernels, ops, vae
from minivae.studies.bench import measuring, report, runners, tables

ROOT = Path(__file__).parents[1]
SIZE = {"batch": 6, "data_dim": 36, "hidden": 7, "latent": 2}
LOSSES = [9.0, 8.0]

needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot hold a process to some cores"
)


@pytest.fixture
def short(monkeypatch):
    """Contestants in this process, on one thread; turns without a pause; a small yardstick."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(measuring, "PAUSE", 0)
    monkeypatch.setattr(measuring, "YARDSTICK", (3, 4, 5))


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


@pytest.fixture
def jax():
    return pytest.importorskip("jax", reason="JAX is not installed")


@pytest.fixture(scope="module", autouse=True)
def loaded_once():
    """MNIST, unpacked once for all tests in this process."""
    mnist = data.load("mnist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", {"mnist": mnist}.get)
        yield


def plant(monkeypatch, name, contestant):
    monkeypatch.setattr(runners, "RUNNERS", runners.RUNNERS | {name: contestant})


# ---- everyone computes the same ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "images"),
    [("numba", "digits"), ("numba", "noise"), ("numpy", "digits"), ("torch", "digits"),
     ("jax", "digits")],
)  # fmt: skip
def test_every_contestant_computes_the_references_losses_and_parameters(
    name, images, short, request, monkeypatch
):
    """As the bench itself finds; and after its two steps, as found with the reference again."""
    if name in ("torch", "jax"):
        request.getfixturevalue(name)
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
    for t in (1, 2, 3):
        result = vae.elbo_and_grads(vae.unpack(expected, spec), x, eps, spec)
        if t == 3:
            np.testing.assert_allclose(parameters(), expected, atol=2e-6)
            assert step() == pytest.approx(result.loss, rel=1e-6)
        ops.adam_step(expected, result.flat_grads, m, v, t, 1e-3)
    np.testing.assert_allclose(parameters(), expected, atol=2e-6)


def numpy_step(
    *, lr=1e-3, beta=1.0, moves=True, shown=lambda start, now: now, loss_of=lambda r: r.loss
):
    """A contestant that is right unless it is told to go wrong."""

    def contestant(spec, flat, x, eps):
        flat, start, steps = flat.copy(), flat.copy(), 0
        params, m, v = vae.unpack(flat, spec), np.zeros_like(flat), np.zeros_like(flat)

        def step():
            nonlocal steps
            steps += 1
            result = vae.elbo_and_grads(params, x, eps, spec, beta=beta)
            if moves:
                ops.adam_step(flat, result.flat_grads, m, v, steps, lr)
            return float(loss_of(result))

        return step, lambda: shown(start, flat)

    return contestant


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


# ---- the images --------------------------------------------------------------------------------


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


# ---- who cannot take part ----------------------------------------------------------------------


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
    assert (steps, out) == ({}, {"jax": "RuntimeError: no way to hold JAX to 1 of 8 cores here"})


def without(monkeypatch, *modules):
    """As if these modules were not installed."""
    find_spec = tables.importlib.util.find_spec
    monkeypatch.setattr(
        tables.importlib.util,
        "find_spec",
        lambda name, *rest: None if name in modules else find_spec(name, *rest),
    )


def spread(median, low=None, high=None):
    return {"median": median, "low": low or median, "high": high or median}


def step_row(size, contestants=("numba", "numpy"), **changes):
    """A made-up row of a table of steps: each contestant takes as many ms as its place, from 1."""
    times = {name: float(i) for i, name in enumerate(contestants, 1)}
    ratios = {name: spread(t) for name, t in times.items() if name != "numba"}
    return {
        **size, "images": "digits", "milliseconds": {n: spread(t) for n, t in times.items()},
        "ratios": ratios, "fastest_opponent": None, "loses_to": [], "gflop": 0.2,
        "best_gflop_per_second": spread(90.0), "limit_milliseconds": spread(2.5),
        "fraction_of_limit": spread(0.6), "did_not_start": {}, **changes,
    }  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """What `run` asks to be measured, [(measure, threads, arguments)]; the answers are made up."""
    calls = []

    def answer(measure, threads, **arguments):
        calls.append((measure, threads, arguments))
        if measure == "steps":
            row = step_row(arguments["size"], arguments["contestants"])
            return row | {"images": arguments.get("images", "digits")}
        return {
            "products": {"rows": [], "sum_ratio": spread(1.25)},
            "memory": {"megabytes": 100.0},
        }[measure]

    monkeypatch.setattr(tables, "ask", answer)
    monkeypatch.setattr(kernels, "thread_count", lambda: 2)
    return calls


def test_who_is_not_installed_is_named_as_such(asked, monkeypatch):
    without(monkeypatch, "torch")
    result = json.loads(json.dumps(tables.measure_all(quick=True)))
    reason = "torch is not installed"
    assert result["absent"].items() >= {"PyTorch eager": reason, "torch.compile": reason}.items()
    assert "torch" not in result["machine"]["versions"]
    for measure, _, arguments in asked:
        if measure == "steps":
            assert not {"torch", "torch.compile"} & {*arguments["contestants"]}
            assert {"numba", "numpy"} <= {*arguments["contestants"]}
    assert not {"torch", "torch.compile"} & {*result["memory"]}
    text = report.format_report(result)
    for name in ("PyTorch eager", "torch.compile"):
        assert f"{name}: not in the race, torch is not installed" in text.splitlines()


def test_with_nothing_but_minivae_all_tables_are_measured(asked, monkeypatch):
    without(monkeypatch, "torch", "jax")
    result = tables.measure_all()
    assert list(result["absent"]) == ["PyTorch eager", "torch.compile", "JAX jit"]
    assert set(result["memory"]) == {"numba", "numpy"}
    assert set(result["sweep"]) == {"batch", "hidden", "data_dim", "latent"}


def test_without_numba_there_is_no_bench_and_one_line_says_why(monkeypatch):
    monkeypatch.setitem(sys.modules, "minivae.kernels", None)
    monkeypatch.delattr("minivae.kernels")
    with pytest.raises(MinivaeError, match=r"^the numba backend is not available "):
        tables.measure_all(quick=True)


# ---- what is measured --------------------------------------------------------------------------


def of_steps(asked):
    """[(threads, batch, images)] of the tables of steps; the sweep names no images."""
    return [
        (threads, arguments["size"]["batch"], arguments["images"])
        for measure, threads, arguments in asked
        if measure == "steps" and "images" in arguments
    ]


def test_quick_measures_each_table_once(asked):
    result = tables.measure_all(quick=True)
    digits = [(2, batch, "digits") for batch in (20, 100, 500)]
    assert of_steps(asked) == [*digits, (1, 100, "digits"), (2, 100, "noise")]
    assert {a["rounds"] for m, _, a in asked if m == "steps"} == {tables.QUICK_ROUNDS}
    assert "sweep" not in result
    assert [row["images"] for row in result["steps_on_dense_images"]] == ["noise"]
    assert [row["threads"] for row in result["steps_on_one_thread"]] == [1]


def test_the_full_run_adds_one_thread_at_every_batch_and_the_sweep(asked):
    result = tables.measure_all()
    batches = (20, 100, 500)
    digits = [(threads, batch, "digits") for threads in (2, 1) for batch in batches]
    assert of_steps(asked) == [*digits, (2, 100, "noise")]
    for what, table in result["sweep"].items():
        assert [row["value"] for row in table["rows"]] == list(tables.SWEEP[what])
        for row in table["rows"]:
            assert {key: row[key] for key in SIZE} == {**tables.BASE, what: row["value"]}


def test_all_contestants_race_on_dense_images_and_the_sweep_spares_only_the_compiler(
    asked, monkeypatch
):
    monkeypatch.setattr(runners, "absent", lambda name: None)
    result = tables.measure_all()
    for key in report.TABLES:
        for row in result[key]:
            assert list(row["milliseconds"]) == list(runners.CONTESTANTS)
    for table in result["sweep"].values():
        assert all(list(row["milliseconds"]) == list(tables.SWEPT) for row in table["rows"])


def test_one_thread_needs_no_table_of_its_own_where_there_is_only_one(asked, monkeypatch):
    monkeypatch.setattr(kernels, "thread_count", lambda: 1)
    assert "steps_on_one_thread" not in tables.measure_all(quick=True)
    assert {threads for _, threads, _ in asked} == {1}


def test_memory_is_not_asked_of_who_did_not_start(asked, monkeypatch):
    answer = tables.ask

    def without_numpy(measure, threads, **arguments):
        row = answer(measure, threads, **arguments)
        return row | {"did_not_start": {"numpy": "a reason"}} if measure == "steps" else row

    monkeypatch.setattr(tables, "ask", without_numpy)
    assert "numpy" not in tables.measure_all(quick=True)["memory"]


def test_everyone_has_a_turn_in_every_round_in_changing_order(monkeypatch):
    turns = []

    def turn(name):
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


def test_a_row_holds_what_follows_from_the_times(short, monkeypatch):
    """Ratios round by round, the rate of whoever multiplied faster, and the limit it sets."""
    seconds = {
        "numba": [0.002, 0.004, 0.002], "numpy": [0.004, 0.004, 0.006], "jax": [0.001] * 3,
        "kernel": [1e-6, 2e-6, 1e-6], "BLAS": [2e-6, 1e-6, 2e-6],
    }  # fmt: skip
    monkeypatch.setattr(
        measuring, "race", lambda functions, rounds: {n: seconds[n] for n in seconds}
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
    assert row["limit_milliseconds"] == pytest.approx(spread(1e3 * row["gflop"] / rate))
    assert row["fraction_of_limit"]["median"] == pytest.approx(row["gflop"] / rate / 0.002)
    assert set(row["milliseconds"]) == {"numba", "numpy", "jax"}  # the yardsticks are none of them


# ---- flops and products ------------------------------------------------------------------------


def test_the_flops_of_a_step_are_those_counted_by_hand():
    """784-200-200-50: each weight serves x W, x' da and da W', the first layer's only two."""
    weights = 784 * 200 + 200 * 200 + 2 * 200 * 50 + 50 * 200 + 200 * 200 + 200 * 784
    assert weights == 423_600
    spec = vae.Spec(784, (200, 200), 50)
    assert measuring.step_flops(spec, 100) == 2 * 100 * (3 * 423_600 - 156_800) == 222_800_000


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
    assert flops == measuring.step_flops(vae.Spec(D, (H, H), L), B)


def wrong_in_the_last_row(a, b, *, turn_a=False, turn_b=False):
    c = MATMUL(a, b, turn_a=turn_a, turn_b=turn_b)
    c[-1] *= 1.01
    return c


def wrong_when_turned(a, b, *, turn_a=False, turn_b=False):
    c = MATMUL(a, b, turn_a=turn_a, turn_b=turn_b)
    return np.zeros_like(c) if turn_b else c


def wrong_with_nan(a, b, *, turn_a=False, turn_b=False):
    return MATMUL(a, b, turn_a=turn_a, turn_b=turn_b) * np.float32("nan")


MATMUL = kernels.matmul


@pytest.mark.parametrize(
    ("kernel", "first"),
    [(wrong_in_the_last_row, "enc1: x W"), (wrong_when_turned, "out: da W'"),
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


# ---- conclusions from made-up times ------------------------------------------------------------


def test_growth_exponents_of_made_up_times():
    """time = c size^p between the two largest sizes, whatever happens below them."""
    rows = [
        {"value": value, "milliseconds": {
            "numba": spread(0.1 * value**2), "numpy": spread(3 + 0 * value),
            "jax": spread(5 * value**0.5) if value != 200 else spread(9e9),
        }}
        for value in (200, 400, 1000)
    ]  # fmt: skip
    assert tables.growth_exponents(rows) == pytest.approx({"numba": 2, "numpy": 0, "jax": 0.5})


def test_who_did_not_start_at_a_size_has_no_exponent():
    rows = [
        {"value": 1, "milliseconds": {"numba": spread(1), "jax": spread(1)}},
        {"value": 2, "milliseconds": {"numba": spread(2), "torch": spread(3)}},
    ]
    assert tables.growth_exponents(rows) == pytest.approx({"numba": 1})


def test_the_numba_backend_loses_where_even_the_upper_quartile_is_below_one():
    ratios = {
        "faster beyond the spread": spread(0.8, 0.7, 0.99),
        "faster within the spread": spread(0.8, 0.7, 1.01),
        "level": spread(1.0),
        "slower": spread(2.0, 0.5, 2.5),
    }
    assert measuring.loses_to(ratios) == ["faster beyond the spread"]


# ---- the tables as text ------------------------------------------------------------------------


def made_up():
    """A full result in which every number is another one."""
    numbers = iter(np.arange(1.01, 2000, 1.13))

    def three():
        median = float(next(numbers))
        return {"median": median, "low": median - 0.17, "high": median + 0.26}

    def steps(threads, batch, **changes):
        names = ("numba", "numpy", "torch", "jax")
        return {
            "threads": threads, **tables.BASE, "batch": batch, "images": "digits",
            "milliseconds": {name: three() for name in names},
            "ratios": {name: three() for name in names[1:]},
            "fastest_opponent": "jax", "loses_to": ["jax"], "gflop": float(next(numbers)),
            "best_gflop_per_second": three(), "limit_milliseconds": three(),
            "fraction_of_limit": three(), "did_not_start": {"torch.compile": "no compiler"},
            **changes,
        }  # fmt: skip

    def product(name, m, k, n):
        return {"product": name, "m": m, "k": k, "n": n, "kernel_microseconds": three(),
                "blas_microseconds": three(), "ratio": three()}  # fmt: skip

    return {
        "machine": {"processor": "An Abacus", "cores": 6, "threads": 5, "float32_lanes": 8,
                    "versions": {"python": "3.99", "jax": "0.77"}},
        "absent": {"PyTorch eager": "torch is not installed"},
        "steps": [steps(5, 20), steps(5, 100), steps(5, 500, loses_to=[])],
        "steps_on_one_thread": [steps(1, 100, loses_to=["numpy", "jax"])],
        "steps_on_dense_images": [steps(5, 100, images="noise")],
        "products": {"rows": [product("enc1: x W", 11, 12, 13), product("out: x W", 14, 15, 16)],
                     "sum_ratio": three()},
        "memory": {"numba": 6001.0, "numpy": 6002.0, "torch": None},
        "sweep": {
            what: {
                "rows": [{"value": 7001, **steps(5, 100)},
                         {"value": 7002, **steps(5, 100, loses_to=[])}],
                "growth_exponents": {"numba": float(next(numbers)), "torch": float(next(numbers))},
            }
            for what in ("batch", "latent")
        },
    }  # fmt: skip


def ranges(spread):
    return f"{spread['median']:.2f} ({spread['low']:.2f} to {spread['high']:.2f})"


@pytest.fixture(scope="module")
def result():
    return made_up()


@pytest.fixture(scope="module")
def lines(result):
    return report.format_report(result).splitlines()


def line_with(lines, *parts):
    """The one line that holds all parts."""
    found = [line for line in lines if all(part in line for part in parts)]
    assert len(found) == 1, (parts, found)
    return found[0]


def test_the_report_names_the_machine_and_who_is_missing(lines):
    assert lines[0] == "An Abacus, 6 cores, 5 threads, registers of 8 float32"
    assert lines[1] == "python 3.99, jax 0.77"
    assert lines[2] == "PyTorch eager: not in the race, torch is not installed"


@pytest.mark.parametrize("key", report.TABLES)
def test_the_report_holds_every_number_of_the_steps(key, result, lines):
    for row in result[key]:
        title = f"{report.TABLES[key]}, 784-200-200-50, batch {row['batch']}, "
        starts = [i for i, line in enumerate(lines)
                  if line == title + f"threads: {row['threads']}"]  # fmt: skip
        assert len(starts) == 1
        table = lines[starts[0] :]
        table = table[: table.index("")]
        for name, times in row["milliseconds"].items():
            line = line_with(table, f"  {runners.NAMES[name]} ", ranges(times))
            assert line.endswith("  1" if name == "numba" else ranges(row["ratios"][name]))
        assert "  torch.compile   did not start: no compiler" in table
        limit = line_with(table, f"{row['gflop']:.3f} GFLOP")
        assert f"at {row['best_gflop_per_second']['median']:.0f} GFLOP/s" in limit
        assert f"{row['limit_milliseconds']['median']:.2f} ms" in limit
        assert f"reaches {row['fraction_of_limit']['median']:.0%} of it" in limit
        fastest = row["ratios"]["jax"]["median"]
        assert f"  against the fastest opponent, JAX jit: {fastest:.2f}" in table
        loses = [line for line in table if "loses to" in line]
        names = " and ".join(runners.NAMES[name] for name in row["loses_to"])
        assert loses == ([f"  minivae, numba loses to {names}"] if names else [])


def test_the_report_holds_every_number_of_the_products_and_of_memory(result, lines):
    for row in result["products"]["rows"]:
        line = line_with(lines, row["product"], f"{row['m']} x   {row['k']} x   {row['n']}")
        for key in ("kernel_microseconds", "blas_microseconds"):
            assert f"{row[key]['median']:.0f}" in line.split()
        assert line.endswith(ranges(row["ratio"]))
    assert "  all of them: " + ranges(result["products"]["sum_ratio"]) in lines
    assert line_with(lines, " 6001").startswith("  minivae, numba ")
    assert line_with(lines, " 6002").startswith("  minivae, numpy ")
    assert "  PyTorch eager    not counted here" in lines


@pytest.mark.parametrize("what", ["batch", "latent"])
def test_the_report_holds_every_number_of_the_sweep(what, result, lines):
    start = next(i for i, line in enumerate(lines) if line.startswith(f"A step, ms, by {what}"))
    heading, *table = lines[start : start + 6]
    names = ["numba", "numpy", "torch", "jax"]
    assert re.split("  +", heading)[1:] == [runners.NAMES[name] for name in names]
    for row, line in zip(result["sweep"][what]["rows"], table[::2], strict=False):
        value, *medians = line.split("loses")[0].split()
        assert value == str(row["value"])
        assert medians == [f"{row['milliseconds'][name]['median']:.2f}" for name in names]
    assert [table[0].endswith("   loses to JAX jit"), "loses" in table[2]] == [True, False]
    assert [table[1], table[3]] == 2 * ["  torch.compile   did not start: no compiler"]
    exponents = result["sweep"][what]["growth_exponents"]
    cells = table[4].removeprefix("        grows with power").split()
    assert cells == [f"{exponents['numba']:.2f}", "-", f"{exponents['torch']:.2f}", "-"]


def test_who_starts_at_one_size_only_keeps_a_column_in_the_sweep():
    rows = [{"value": 1, **step_row(SIZE)}, {"value": 2, **step_row(SIZE, ["numba", "jax"])}]
    heading, *table = report.sweep_lines("batch", {"rows": rows, "growth_exponents": {"numba": 1}})
    assert re.split("  +", heading)[1:] == ["minivae, numba", "minivae, numpy", "JAX jit"]
    assert table[0].split() == ["1", "1.00", "2.00", "-"]
    assert table[1].split() == ["2", "1.00", "-", "2.00"]


# ---- the measuring process ---------------------------------------------------------------------


@pytest.fixture
def started(monkeypatch):
    """`_ask` without a process: {"arguments": of subprocess.run, "cores": as seen meanwhile}."""
    seen = {}

    def start(*args, **kwargs):
        seen.update(kwargs, cores=len(os.sched_getaffinity(0)))
        return subprocess.CompletedProcess(args, 0, seen.get("answer", '{"megabytes": 3}'), "")

    monkeypatch.setattr(tables.subprocess, "run", start)
    return seen


@needs_affinity
def test_every_library_gets_the_same_number_of_threads_and_as_many_cores(started):
    before = os.sched_getaffinity(0)
    assert tables.ask("memory", 1, size=SIZE, contestant="numpy") == {"megabytes": 3}
    for name in ("OMP", "OPENBLAS", "MKL", "MINIVAE", "VECLIB"):
        assert started["env"][f"{name}_NUM_THREADS"] == "1"
    assert started["env"]["JAX_PLATFORMS"] == "cpu"
    assert started["cores"] == 1
    assert os.sched_getaffinity(0) == before
    tables.ask("memory", 10**6, size=SIZE, contestant="numpy")
    assert started["cores"] == len(before)


@needs_affinity
def test_a_refusal_in_the_measuring_process_is_one_here(started):
    before = os.sched_getaffinity(0)
    started["answer"] = '{"refused": "JAX jit computes something else"}'
    with pytest.raises(MinivaeError, match=r"^JAX jit computes something else$"):
        tables.ask("steps", 1, size=SIZE, contestants=["numba"], rounds=1)
    assert os.sched_getaffinity(0) == before


def test_a_measuring_process_that_dies_gives_one_line_and_its_own_words(capfd):
    message = "^the measurement of memory ended with status 1: KeyError: 'abacus'$"
    with pytest.raises(MinivaeError, match=message):
        tables.ask("memory", 1, size=SIZE, contestant="abacus")
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("Traceback")


def test_a_process_is_not_charged_with_its_parents_memory():
    """On Linux a new process starts with its parent's peak as its own `ru_maxrss`."""
    ballast = np.ones(400 << 17)  # 400 MB
    megabytes = tables.ask("memory", 1, size=SIZE, contestant="numpy")["megabytes"]
    assert ballast[-1] == 1
    del ballast
    gc.collect()
    assert megabytes is None or 20 < megabytes < 350


def test_what_a_library_prints_is_not_the_result(tmp_path):
    """From Python or past it; and a refusal is an answer, not a traceback."""
    script = (
        "import os\n"
        "from minivae.studies.bench import runners, measuring\n"
        "def noisy(*setting):\n"
        "    print('hello from Python')\n"
        "    os.write(1, b'hello from C\\n')\n"
        "    step, parameters = runners.minivae_runner('numpy')(*setting)\n"
        "    return lambda: step() + 1, parameters\n"
        "runners.RUNNERS['torch'] = noisy\n"
        "measuring.main()\n"
    )
    job = {"size": SIZE, "contestants": ["torch"], "rounds": 1}
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps({"measure": "steps", "arguments": job}),
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert list(answer) == ["refused"]
    assert answer["refused"].startswith("PyTorch eager computes something else: its losses are [")
    assert done.returncode == 0
    assert done.stderr.count("hello from Python") == done.stderr.count("hello from C") == 1


# ---- the whole command -------------------------------------------------------------------------


def tiny_bench(monkeypatch, capsys, *argv):
    """The command at a tiny size, its measuring processes included -> result, standard error."""
    monkeypatch.setattr(tables, "BASE", SIZE)
    monkeypatch.setattr(tables, "BATCHES", (SIZE["batch"],))
    for rounds in ("ROUNDS", "QUICK_ROUNDS", "SWEEP_ROUNDS"):
        monkeypatch.setattr(tables, rounds, 1)
    monkeypatch.setattr(kernels, "thread_count", lambda: 2)
    status, out, err = tiny.command(capsys, "bench", "--json", *argv)
    assert status == 0, err
    assert out.count("\n") == 1
    return json.loads(out), err


def check_steps(result, contestants):
    for key in report.TABLES:
        for row in result[key]:
            assert row["did_not_start"] == {}
            assert list(row["milliseconds"]) == contestants
            assert list(row["ratios"]) == [name for name in contestants if name != "numba"]
            for times in (*row["milliseconds"].values(), *row["ratios"].values()):
                assert 0 < times["low"] <= times["median"] <= times["high"]


def test_the_quick_command_prints_one_json_object_with_all_tables(monkeypatch, capsys):
    """One process for each kind of measurement; the next of the kind gets the same answer."""
    without(monkeypatch, "torch", "jax")
    ask, answers = tables.ask, {}

    def ask_once(measure, *args, **arguments):
        if measure not in answers:
            answers[measure] = ask(measure, *args, **arguments)
        return answers[measure]

    monkeypatch.setattr(tables, "ask", ask_once)
    result, err = tiny_bench(monkeypatch, capsys, "--quick")
    assert all(line.startswith("bench: ") for line in err.splitlines())
    assert list(result) == ["machine", "absent", *report.TABLES, "products", "memory"]
    check_steps(result, ["numba", "numpy"])
    assert result["steps_on_one_thread"][0]["threads"] == 1
    assert len(result["products"]["rows"]) == 20
    assert set(result["memory"]) == {"numba", "numpy"}
    assert report.format_report(result)


@pytest.mark.slow
@pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++", "cl"))),
    reason="torch.compile needs a C++ compiler",
)
def test_the_full_command_with_every_opponent_installed(monkeypatch, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("jax", reason="JAX is not installed")
    monkeypatch.setattr(tables, "SWEEP", {"batch": (3, 6)})
    result, _ = tiny_bench(monkeypatch, capsys)
    assert list(result) == ["machine", "absent", *report.TABLES, "products", "memory", "sweep"]
    assert result["absent"] == {}
    check_steps(result, list(runners.CONTESTANTS))
    assert result["steps"][0]["images"] == "digits"
    assert result["steps_on_dense_images"][0]["images"] == "noise"
    assert list(result["memory"]) == list(runners.CONTESTANTS)
    for what, table in result["sweep"].items():
        assert [row["value"] for row in table["rows"]] == list(tables.SWEEP[what])
        assert set(table["growth_exponents"]) == set(tables.SWEPT)
    assert report.format_report(result)
