"""Training with recorded steps: the same bits as without, whatever changes between two steps."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny

from minivae import kernels, train, vae
from minivae.kernels import recording, sparse_products, tasks, threads

SPEC = vae.Spec(90, (80, 70), 6, free_bits=0.05)
SIZES = (60, 60, 17, 60, 17, 60)  # of the batches: the last of an epoch is smaller
# The names of `ops.py` alone, so that nothing is recorded.
PLAIN = SimpleNamespace(**{n: getattr(kernels, n) for n in kernels.__all__ if n != "Replay"})


def steps(spec, dtype, ops):
    """The terms, gradients and parameters of some steps, in which all that may change does."""
    rng = np.random.default_rng(0)
    flat = vae.init_params(spec, rng, dtype=dtype)
    m, v = np.zeros_like(flat), np.zeros_like(flat)
    elbo_and_grads = train.elbo_and_grads_of(vae.unpack(flat, spec), spec, ops)
    found = []
    for step, size in enumerate(SIZES, start=1):
        ink = 0.1 if step % 2 else 0.6  # whether zeros are left out is decided in each step
        x = (rng.random((size, spec.data_dim)) < ink).astype(dtype)
        eps = rng.standard_normal((size, spec.latent_dim), dtype=np.float32)
        beta = step / len(SIZES)
        result = elbo_and_grads(x, eps, beta=beta)
        ops.adam_step(flat, result.flat_grads, m, v, step, 1e-2 / step)
        assert result.grads["mu_W"].base is result.flat_grads
        found += [result.flat_grads.copy(), flat.copy(), *map(np.asarray, result[:4])]
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
        (np.float32, {"likelihood": "gaussian"}),
        (np.float32, {"likelihood": "gaussian", "variance": 0.1}),
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


def example(B=8, seed=0):
    rng = np.random.default_rng(seed)
    x = (rng.random((B, SPEC.data_dim)) < 0.5).astype(np.float32)
    params = vae.unpack(vae.init_params(SPEC, np.random.default_rng(1)), SPEC)
    return params, x, rng.standard_normal((B, SPEC.latent_dim)).astype(np.float32)


def test_a_replay_is_two_calls_of_the_pool_and_no_line_of_the_gradient(monkeypatch):
    """One forward, one backward; the functions of the backend are not called again."""
    params, x, eps = example()
    elbo_and_grads = train.elbo_and_grads_of(params, SPEC, kernels)
    elbo_and_grads(x, eps)
    calls, again = [], threads.Pool.run_again
    monkeypatch.setattr(threads.Pool, "run", None)
    monkeypatch.setattr(threads.Pool, "run_again", lambda *args: calls.append(args) or again(*args))
    x, eps = 1 - x, eps[::-1]  # as they come: not contiguous
    result = elbo_and_grads(x, eps)
    assert len(calls) == 2
    monkeypatch.undo()
    expected = vae.elbo_and_grads(params, x, eps, SPEC, ops=kernels)
    assert result[:4] == expected[:4]
    np.testing.assert_array_equal(result.flat_grads, expected.flat_grads)


def test_a_step_is_recorded_anew_when_the_pool_or_its_threads_change(pool_of):
    """As in a forked child, and where the system refuses a thread."""
    params, x, eps = example()
    elbo_and_grads = train.elbo_and_grads_of(params, SPEC, kernels)

    def recordings():
        elbo_and_grads(x, eps)
        return elbo_and_grads.recordings[len(x)]

    first = recordings()
    assert recordings() is first
    pool = pool_of(np.float32, 2)
    second = recordings()
    assert second is not first
    pool.threads = 1
    assert recordings() is not second


def test_a_users_call_gives_fresh_arrays():
    params, x, eps = example()
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
    params, x, eps = example()
    recorder = recording.Recorder([x, eps, *params.values()])
    h, _ = recorder.dense_forward(x, params["enc1_W"], params["enc1_b"], "tanh")
    with pytest.raises((TypeError, AttributeError)):
        recorder.dense_forward(change(h), params["enc2_W"], params["enc2_b"], "tanh")


def test_an_array_that_the_recorder_does_not_know_is_refused():
    params, x, eps = example()
    recorder = recording.Recorder([x, eps, *params.values()])
    with pytest.raises(TypeError, match="not find again"):
        recorder.dense_forward(x.copy(), params["enc1_W"], params["enc1_b"], "tanh")


@pytest.mark.parametrize("changes", [{}, {"samples": 2, "free_bits": 0.1}, {"warmup": 2}])
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
