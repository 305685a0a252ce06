"""Training with recorded steps: the same bits as without, whatever changes between two steps."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny

from minivae import kernels, train, vae
from minivae.errors import MinivaeError
from minivae.kernels import recording, sparse_products, tasks, threads

SPEC = vae.Spec(90, (80, 70), 6, free_bits=0.05)
SIZES = (60, 60, 17, 60, 17, 60)  # of the batches: the last of an epoch is smaller
# The names of `ops.py` alone, so that nothing is recorded.
PLAIN = SimpleNamespace(**{n: getattr(kernels, n) for n in kernels.__all__ if n != "Replay"})


def steps(spec, dtype, ops):
    """The terms and the state of some steps, in which everything changes that may."""
    rng = np.random.default_rng(0)
    flat = vae.init_params(spec, rng, dtype=dtype)
    m, v = np.zeros_like(flat), np.zeros_like(flat)
    params = vae.unpack(flat, spec)
    replay = train.replay_of(params, spec, (flat, m, v), ops)
    assert (replay is None) == (ops is PLAIN)
    found = []
    for step, size in enumerate(SIZES, start=1):
        ink = 0.1 if step % 2 else 0.6  # whether zeros are left out is decided in each step
        x = (rng.random((size, spec.data_dim)) < ink).astype(dtype)
        eps = rng.standard_normal((size, spec.latent_dim), dtype=np.float32)
        beta, lr = step / len(SIZES), 1e-2 / step
        if replay is None:
            terms = vae.elbo_and_grads(params, x, eps, spec, beta=beta, ops=ops)
            ops.adam_step(flat, terms.flat_grads, m, v, step, lr)
        else:
            terms = replay.elbo(x, eps, beta)
            replay.adam_step(step, lr)
        found += [flat.copy(), m.copy(), v.copy(), *map(np.asarray, terms[:4])]
    return [(array.dtype, array.tobytes()) for array in found]


@pytest.fixture
def pool_of():
    """Replaces the pool of a dtype for one test."""
    own, made = dict(threads.pools), []

    def replace(dtype, count):
        threads.pool_of(np.dtype(dtype))
        made.append(threads.Pool(np.dtype(dtype), count))
        threads.pools[np.dtype(dtype)] = made[-1]
        return made[-1]

    yield replace
    threads.pools.update(own)
    for pool in made:
        pool.stop()


@pytest.mark.parametrize(
    ("dtype", "changes"),
    [
        (np.float32, {}),
        (np.float64, {}),
        (np.float32, {"activation": "relu", "free_bits": 0.0}),
        (np.float32, {"activation": "softplus", "hidden": (80,)}),
        (np.float32, {"hidden": ()}),
    ],
)
def test_recorded_steps_have_the_bits_of_steps_that_are_not(dtype, changes, pool_of):
    spec = SPEC._replace(**changes)
    expected = steps(spec, dtype, PLAIN)
    for count in (1, 2, 3):
        pool_of(dtype, count)
        assert steps(spec, dtype, kernels) == expected


def test_the_first_layer_is_large_enough_to_leave_out_zeros():
    x = (np.random.default_rng(0).random((60, 90)) < 0.1).astype(np.float32)
    assert 60 * 90 * 80 > tasks.SMALL_PRODUCT
    assert sparse_products.is_mostly_zeros(x.ravel())
    assert not sparse_products.is_mostly_zeros(1 - x.ravel())


def example(B=8):
    rng = np.random.default_rng(0)
    flat = vae.init_params(SPEC, np.random.default_rng(1))
    x = (rng.random((B, SPEC.data_dim)) < 0.5).astype(np.float32)
    eps = rng.standard_normal((B, SPEC.latent_dim)).astype(np.float32)
    return flat, vae.unpack(flat, SPEC), x, eps


def replay_example():
    flat, params, x, eps = example()
    state = (flat, np.zeros_like(flat), np.zeros_like(flat))
    return train.replay_of(params, SPEC, state, kernels), x, eps


def test_a_replay_is_two_calls_of_the_pool_and_no_line_of_the_gradient(monkeypatch):
    """One for the forward pass, one for the backward pass with Adam; no function of the backend."""
    replay, x, eps = replay_example()
    replay.elbo(x, eps)
    replay.adam_step(1, 1e-3)
    calls, again = [], threads.Pool.run_again
    monkeypatch.setattr(threads.Pool, "run", None)
    monkeypatch.setattr(threads.Pool, "run_again", lambda *args: calls.append(args) or again(*args))
    x, eps = 1 - x, eps[::-1]  # as they come: not contiguous
    expected = vae.elbo(replay.params, x, eps, SPEC)
    np.testing.assert_allclose(replay.elbo(x, eps), expected, rtol=1e-5)
    replay.adam_step(2, 1e-3)
    assert len(calls) == 2


def test_a_step_is_recorded_anew_when_the_pool_or_its_threads_change(pool_of):
    """As in a forked child, and where the system refuses a thread."""
    replay, x, eps = replay_example()

    def recording_of_step(step):
        replay.elbo(x, eps)
        replay.adam_step(step, 1e-3)
        return replay.recordings[len(x)]

    first = recording_of_step(1)
    assert recording_of_step(2) is first
    pool = pool_of(np.float32, 2)
    second = recording_of_step(3)
    assert second is not first
    pool.threads = 1
    assert recording_of_step(4) is not second


def test_a_users_call_gives_fresh_arrays():
    _, params, x, eps = example()
    first, second = (vae.elbo_and_grads(params, x, eps, SPEC, ops=kernels) for _ in range(2))
    assert not np.shares_memory(first.flat_grads, second.flat_grads)


@pytest.mark.parametrize(
    "change",
    [
        lambda array: 2 * array,
        lambda array: array * 2,
        np.exp,
        lambda array: array[:, :1],
        lambda array: np.hstack([array, array]),
        lambda array: array + 1,
    ],
)
def test_what_would_not_be_done_again_is_refused(change):
    """Such as other mathematics of NumPy's between two functions of the backend."""
    _, params, x, eps = example()
    recorder = recording.Recorder([x, eps, *params.values()])
    h, _ = recorder.dense_forward(x, params["enc1_W"], params["enc1_b"], "tanh")
    with pytest.raises((TypeError, AttributeError)):
        recorder.dense_forward(change(h), params["enc2_W"], params["enc2_b"], "tanh")


def test_an_array_that_the_recorder_does_not_know_is_refused():
    _, params, x, eps = example()
    recorder = recording.Recorder([x, eps, *params.values()])
    with pytest.raises(TypeError, match="not find again"):
        recorder.dense_forward(x.copy(), params["enc1_W"], params["enc1_b"], "tanh")


def test_the_recorder_takes_one_weight_for_all_examples():
    """The replay multiplies the whole residual by one number."""
    _, _, x, _ = example()
    recorder = recording.Recorder([x])
    _, cache = recorder.bernoulli_nll_forward(x, x)
    with pytest.raises(TypeError, match="one weight"):
        recorder.bernoulli_nll_backward(np.arange(len(x), dtype=x.dtype), cache)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"samples": 2, "free_bits": 0.1},
        {"warmup": 2, "schedule": "decay"},
        {"likelihood": "gaussian"},
        {"objective": "iwae", "samples": 3},
    ],
)
def test_a_run_and_a_restart_have_the_bits_of_a_run_that_is_not_recorded(changes):
    chosen, dataset = tiny.settings(backend="numba", epochs=3, **changes), tiny.dataset()
    expected = train.train(dataset, chosen, ops=PLAIN)
    whole = train.train(dataset, chosen)
    parts = train.new_state(dataset, chosen)
    with pytest.raises(train.Interrupted):
        train.train(dataset, chosen, state=parts, should_stop=tiny.stop_after(4))
    train.train(dataset, chosen, state=parts)
    for state in (whole, parts):
        assert state.history == expected.history
        for name in ("flat", "m", "v"):
            assert getattr(state, name).tobytes() == getattr(expected, name).tobytes()


def test_a_loss_that_is_not_finite_changes_no_parameter():
    """It is seen before the backward pass with Adam, also in a step that is replayed."""
    chosen, dataset = tiny.settings(backend="numba", epochs=3), tiny.dataset()
    state = train.new_state(dataset, chosen)

    def spoil(state, terms, beta):
        if state.step == 4:
            vae.unpack(state.flat, chosen.spec(36))["logvar_b"][:] = 1000
            kept.append([a.copy() for a in (state.flat, state.m, state.v)])

    kept = []
    with pytest.raises(MinivaeError, match=r"the loss is .* at step 5"):
        train.train(dataset, chosen, state=state, on_step=spoil)
    for array, before in zip((state.flat, state.m, state.v), kept[0], strict=True):
        np.testing.assert_array_equal(array, before)


# ---- a busy machine ----------------------------------------------------------------------------


def ways(pace, seconds, steps):
    """For each of some steps, whether the helpers took part; seconds: {way: of a step}."""
    found = []
    for _ in range(steps):
        found.append(pace.begin())
        pace.end(seconds[found[-1]])
    return found


@pytest.mark.parametrize("faster", [True, False])
def test_the_faster_way_is_kept_and_the_other_one_tried_less_and_less_often(faster):
    pace, seconds = recording.Pace(), {faster: 1e-3, not faster: 1.1e-3}
    found = np.array(ways(pace, seconds, 6000))
    (trials,) = np.nonzero(found != faster)
    begins = trials[np.diff(trials, prepend=-10) > 1][1:]
    assert len(trials) < 0.02 * len(found)
    assert begins[-1] - begins[-2] == recording.LONGEST_PAUSE + recording.TRIAL
    # when the other becomes the faster one, it is in use after its next trial
    found = ways(pace, {faster: 1e-3, not faster: 0.9e-3}, recording.LONGEST_PAUSE + 20)
    assert found[-10:] == [not faster] * 10


def test_helpers_that_are_late_are_left_out_for_longer_and_longer():
    pace, alone = recording.Pace(), []
    ways(pace, {True: 1e-3, False: 2e-3}, 200)
    for _ in range(9):
        while not pace.begin():  # until they are asked again
            pace.end(2e-3)
            alone[-1] += 1
        while pace.trial_left:  # they are fast while they are tried
            assert pace.begin()
            pace.end(1e-3)
        for _ in range(2):
            assert pace.begin()
            pace.end(5e-3)  # and then late
        alone.append(0)
    assert alone[:-1] == [min(16 * 2**n, recording.LONGEST_PAUSE) for n in range(8)]


def test_one_late_step_costs_nothing_and_two_a_few_steps_alone():
    pace, usual = recording.Pace(), {True: 1e-3, False: 2e-3}
    ways(pace, usual, 3000)
    for _ in range(3):
        while not pace.begin():
            pace.end(2e-3)
        pace.end(5e-3)
        found = ways(pace, usual, recording.SHORTEST_PAUSE + 1)
        assert sum(found) >= len(found) - recording.TRIAL
    for _ in range(2):
        assert pace.begin()
        pace.end(5e-3)
    found = ways(pace, usual, 200)
    assert found[: recording.SHORTEST_PAUSE] == [False] * recording.SHORTEST_PAUSE
    assert all(found[recording.SHORTEST_PAUSE :])


def test_trials_cost_little_where_the_helpers_are_many():
    """Alone such a step takes 8 times as long, so a whole trial would cost as much as 56 steps."""
    pace = recording.Pace()
    found = np.array(ways(pace, {True: 1e-3, False: 8e-3}, 6000))
    at_first = recording.TRIAL  # before it is known how long a step takes with the helpers
    assert not found[:at_first].any()
    assert 1 <= (~found[at_first:]).sum() <= 12  # of 8e-3 instead of 1e-3


def test_the_helpers_return_at_once_where_the_machine_has_become_slower_for_both_ways():
    """What the leader took alone before must not count against them."""
    pace = recording.Pace()
    ways(pace, {True: 1e-3, False: 1.1e-3}, 3000)
    while not pace.begin():
        pace.end(1.1e-3)
    found = ways(pace, {True: 3e-3, False: 3.3e-3}, 200)
    assert found[:2] == [True, True]  # late twice
    steps_alone = found[2:].index(True)
    assert steps_alone == recording.SHORTEST_PAUSE
    assert all(found[2 + steps_alone : 100])


def test_after_a_rest_both_ways_are_tried_again():
    """The threads may run on other cores then, which share a cache or share none."""
    for usual in ({True: 1e-3, False: 1.2e-3}, {True: 1.2e-3, False: 1e-3}) * 2:
        pace = recording.Pace()
        ways(pace, {True: usual[False], False: usual[True]}, 3000)
        pace.try_both()
        found = ways(pace, usual, 2 * recording.TRIAL + recording.SHORTEST_PAUSE)
        assert set(found[: recording.TRIAL]) == {not found[recording.TRIAL]}
        assert set(found[2 * recording.TRIAL :]) == {usual[True] < usual[False]}


def test_a_step_is_timed_and_does_as_the_pace_says(pool_of, monkeypatch):
    pool = pool_of(np.float32, 2)
    replay, x, eps = replay_example()
    replay.elbo(x, eps)
    replay.adam_step(1, 1e-3)
    replay.current.forward.most_chunks = replay.current.update.most_chunks = 2
    asked, times, rests, clock = [], [], [], [0.0]

    def run_again(address, count, chunks):
        asked.append(chunks > 1)
        clock[0] += 1e-3

    monkeypatch.setattr(pool, "run_again", run_again)
    monkeypatch.setattr(recording.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(replay.current.pace, "end", times.append)
    monkeypatch.setattr(replay.current.pace, "try_both", lambda: rests.append(clock[0]))
    replay.current.pace.next_trial = {True: 99, False: 99}
    for together in (True, False):
        monkeypatch.setattr(replay.current.pace, "best", together)
        replay.elbo(x, eps)
        replay.adam_step(2, 1e-3)
    assert asked == [True, True, False, False]
    assert times == pytest.approx([2e-3])  # the first one came after a rest
    assert len(rests) == 1
    clock[0] += 1.01 * recording.REST  # as long as it takes to draw a picture
    for _ in range(2):
        replay.elbo(x, eps)
        replay.adam_step(3, 1e-3)
    assert times == pytest.approx([2e-3, 2e-3])
    assert len(rests) == 2
