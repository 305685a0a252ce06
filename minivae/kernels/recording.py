"""A training step that is recorded once and then replayed: the same bits, without Python between.

In a small step much of the time is Python's: the way from each name of `ops.py` to its kernel. So
in training the lines of `vae.elbo_and_grads` run once for each batch size, with a `Recorder` as the
backend. It computes as `pairs.py` does, and each job that goes to the threads is also written down:
its task descriptors, which hold the addresses of the arrays. (One is not: the likelihood's residual
is multiplied by 1/B where it is computed.) Later steps copy x and eps to where
those of the recorded step were, and do the jobs again: the forward pass in one call of a compiled
function, the backward pass with Adam in another. Only the loss between them is computed anew by its
own lines, because beta may have changed.

Only what the backend computes is written down. So arrays that it has computed are handed out as
`Recorded`, which NumPy cannot read, and arrays that it does not know are refused.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minivae.kernels import pairs, tasks
from minivae.kernels.guard import is_ready
from minivae.kernels.memory import empty, empty_like
from minivae.kernels.threads import Pool, pool_of, recorded

SLOW = 2.5  # a step is slow if it takes so many times as long as one with the helpers usually does;
# they are late if that happens twice within SHORTEST_PAUSE steps
TRIAL = 5  # steps
REST = 0.05  # seconds without a step: afterwards the threads may run on other cores
SHORTEST_PAUSE, LONGEST_PAUSE = 16, 1024  # steps before a way to work that has lost is tried again


class Recorded:
    """An array that the recorder has computed. It goes back to the backend, or into a sum."""

    def __init__(self, array: np.ndarray, recorder: "Recorder") -> None:
        self.array, self.recorder = array, recorder

    def __add__(self, other: "Recorded") -> "Recorded":
        return self.recorder.add(self, other)


class Recorder:
    """A backend that records what `vae.elbo_and_grads` does with a Bernoulli likelihood.

    known: the arrays that are there before: x, eps and the parameters. They must be `ready`, and
    stay where they are. Between the forward and the backward pass, the loss is computed from `nll`
    (B,) and `kl` (B, L) by NumPy, and `dkl` (L,) comes back: these three are plain arrays.
    """

    nll: np.ndarray
    kl: np.ndarray
    dkl: np.ndarray
    likelihood: np.ndarray  # the descriptors of its job

    def __init__(self, known: Sequence[np.ndarray]) -> None:
        self.pool = pool_of(known[0].dtype)
        self.known = {id(array): array for array in known}
        self.jobs: list[np.ndarray] = []  # the (TASKS,) descriptors of each
        self.forward_jobs = 0  # how many of them belong to the forward pass
        self.kept: list[Any] = []  # the arguments, as the jobs hold only addresses of arrays

    def dense_forward(self, x: Any, W: Any, b: Any, activation: str) -> tuple[Recorded, Any]:
        y, cache = self.record(pairs.dense_forward, *self.plain(x, W, b), activation)
        return Recorded(y, self), cache

    def dense_backward(
        self, dy: Any, cache: Any, *, out: tuple[np.ndarray, np.ndarray], need_dx: bool = True
    ) -> tuple[Recorded | None, np.ndarray, np.ndarray]:
        (dy,) = self.plain(dy)
        dx, dW, db = self.record(pairs.dense_backward, dy, cache, out=out, need_dx=need_dx)
        return (None if dx is None else Recorded(dx, self)), dW, db

    def reparam_forward(self, mu: Any, logvar: Any, eps: Any) -> tuple[Recorded, Any]:
        z, cache = self.record(pairs.reparam_forward, *self.plain(mu, logvar, eps))
        return Recorded(z, self), cache

    def reparam_backward(self, dz: Any, cache: Any) -> tuple[Recorded, Recorded]:
        dmu, dlogvar = self.record(pairs.reparam_backward, *self.plain(dz), cache)
        return Recorded(dmu, self), Recorded(dlogvar, self)

    def gaussian_kl_forward(self, mu: Any, logvar: Any) -> tuple[np.ndarray, Any]:
        self.kl, cache = self.record(pairs.gaussian_kl_forward, *self.plain(mu, logvar))
        return self.kl, cache

    def gaussian_kl_backward(self, dkl: np.ndarray, cache: Any) -> tuple[Recorded, Recorded]:
        self.dkl = dkl
        dmu, dlogvar = self.record(pairs.gaussian_kl_backward, dkl, cache)
        return Recorded(dmu, self), Recorded(dlogvar, self)

    def bernoulli_nll_forward(self, logits: Any, x: Any) -> tuple[np.ndarray, Any]:
        self.nll, cache = self.record(pairs.bernoulli_nll_forward, *self.plain(logits, x))
        self.likelihood = self.jobs[-1]
        return self.nll, cache

    def bernoulli_nll_backward(self, dnll: np.ndarray, cache: Any) -> Recorded:
        """dnll is 1 / B for each example and in each step, so the replay multiplies the residual by
        it in the forward pass, while it is in the cache. Here the cache's residual becomes dlogits.
        The backward pass begins."""
        if (dnll != dnll[0]).any():
            raise TypeError("the recorder takes one weight for all examples")
        self.forward_jobs = len(self.jobs)
        np.copyto(cache.residual, pairs.bernoulli_nll_backward(dnll, cache))
        self.likelihood["factor"][0] = dnll[0]
        return Recorded(cache.residual, self)

    def add(self, a: Any, b: Any) -> Recorded:
        """a + b, of one shape."""
        a, b = self.plain(a, b)
        if a.shape != b.shape:
            raise TypeError(f"the recorder adds arrays of one shape, not {a.shape} and {b.shape}")
        c = empty_like(a)
        self.record(self.pool.run, tasks.describe_add, a.ravel(), b.ravel(), c.ravel())
        return Recorded(c, self)

    def plain(self, *given: Any) -> list[np.ndarray]:
        """The arrays themselves, if each is known to the recorder and needs no copy."""
        found = (a.array if isinstance(a, Recorded) else self.known.get(id(a)) for a in given)
        arrays = [a for a in found if a is not None and is_ready(a, self.pool.kind.dtype)]
        if len(arrays) < len(given):
            raise TypeError("the recorder was given an array that it would not find again")
        return arrays

    def record(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        result, tape = recorded(function, *args, **kwargs)
        for records, arguments in tape:
            self.jobs.append(records)
            self.kept.append(arguments)
        return result


class Jobs:
    """Jobs that can be done again, one after the other: (n, TASKS) task descriptors."""

    def __init__(self, pool: Pool, records: np.ndarray) -> None:
        self.pool, self.records, self.address = pool, records, records.ctypes.data
        self.most_chunks = int(records["chunks"].sum(axis=1).max())

    def run(self, together: bool) -> float:
        """Do them again, with the helper threads or without -> the seconds that it took."""
        start = time.perf_counter()
        self.pool.run_again(self.address, len(self.records), self.most_chunks if together else 1)
        return time.perf_counter() - start


class Pace:
    """Decides whether the helper threads take part in a step, by how long steps have taken.

    Alone the leader may be faster in two cases. On a busy machine a helper may have to wait for a
    core in the middle of a chunk, and then all wait for it. And where the cores share no cache,
    small steps spend their time moving weights from one core's cache to another's. So both ways
    are tried at first, and then the one that is not in use from time to time, rarely if it has
    just lost.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.best = True  # the way in use, except in a trial of the other one
        self.together = True  # that of the step under way
        # how many steps pass before each way, together (True) or alone (False), is tried again
        self.pause = {True: SHORTEST_PAUSE, False: SHORTEST_PAUSE}
        self.try_both()

    def try_both(self) -> None:
        """At first, and after a rest: forget how long steps have taken."""
        self.trial_left, self.last_late = 0, -math.inf
        # of each way: the usual seconds of a step, and the step in which it is tried next
        self.usual = {True: math.inf, False: math.inf}
        self.next_trial = {True: self.steps, False: self.steps}

    def begin(self) -> bool:
        """To be called before a step -> whether the helpers take part in it."""
        other = not self.best
        if not self.trial_left and self.steps >= self.next_trial[other]:
            self.trial_left, self.usual[other] = TRIAL, math.inf
        self.together = other if self.trial_left else self.best
        return self.together

    def end(self, seconds: float) -> None:
        """To be called after the step, with the time that it took."""
        way = self.together
        self.steps += 1
        slow = seconds > SLOW * self.usual[True]
        # the shortest time, which follows slowly if steps take longer now
        self.usual[way] = min(1.01 * self.usual[way], seconds)
        if self.trial_left:
            too_slow = slow and not way  # alone it may take long: then one step of a trial will do
            self.trial_left = 0 if too_slow else self.trial_left - 1
            if self.trial_left:
                return
            if self.usual[way] > self.usual[not way]:
                self._lost(way)
            else:
                self.best = way
                if self.usual[not way] < math.inf:  # else it is tried now
                    self._lost(not way)
        elif slow and way:
            late_again = self.steps <= self.last_late + SHORTEST_PAUSE
            self.last_late = self.steps
            if late_again:
                # what it took alone may be out of date: perhaps the whole machine is slower now
                self.best, self.usual[False] = False, math.inf
                self._lost(way)

    def _lost(self, way: bool) -> None:
        """Try it again later: after twice as many steps as the last time, if that was not long
        ago."""
        again = self.steps <= self.next_trial[way] + 4 * self.pause[way]
        self.pause[way] = min(2 * self.pause[way], LONGEST_PAUSE) if again else SHORTEST_PAUSE
        self.next_trial[way] = self.steps + self.pause[way]


class Replay:
    """The steps of a training with a Bernoulli likelihood: `vae.elbo_and_grads`, then Adam.

    For each step call `elbo`, then `adam_step`. Inputs are not checked.

    elbo_and_grads, elbo_loss: those of `vae.py`; the kernels know nothing of the model.
    params: the named views of flat; flat, m and v (P,) are changed in place. The arrays of a step
    are kept for the next step with a batch of the same size.
    """

    def __init__(
        self,
        elbo_and_grads: Callable,
        elbo_loss: Callable,
        params: dict[str, np.ndarray],
        spec: Any,
        flat: np.ndarray,
        m: np.ndarray,
        v: np.ndarray,
    ) -> None:
        self.elbo_and_grads, self.elbo_loss = elbo_and_grads, elbo_loss
        self.params, self.spec, self.state = params, spec, (flat, m, v)
        self.recordings: dict[int, _Recording] = {}  # by the batch size
        self.last_step = -math.inf  # when it ended, by time.perf_counter

    def elbo(self, x: np.ndarray, eps: np.ndarray, beta: float = 1.0) -> Any:
        """x (B, D), eps (B, L) -> Terms."""
        current = self.recordings.get(len(x))
        if current is None or not current.fits():
            current = _Recording(self, x, eps, beta)
            terms = current.result
        else:
            terms = current.elbo(x, eps, beta)
        self.current = current
        return terms

    def adam_step(self, step: int, lr: float) -> None:
        """The gradient of that elbo, and a step of Adam."""
        self.current.adam_step(step, lr)
        self.recordings[len(self.current.x)] = self.current


class _Recording:
    """A step with a batch of some size. It is recorded when it is made, and by `adam_step`."""

    update: Jobs | None = None

    def __init__(self, replay: Replay, x: np.ndarray, eps: np.ndarray, beta: float) -> None:
        self.replay, dtype = replay, replay.params["mu_b"].dtype
        self.pool = pool_of(dtype)
        self.threads = self.pool.threads
        self.x, self.eps = (empty(a.shape, dtype) for a in (x, eps))
        np.copyto(self.x, x)
        np.copyto(self.eps, eps)
        # keeps the arrays whose addresses are in the task descriptors
        self.recorder = Recorder([self.x, self.eps, *replay.params.values(), *replay.state])
        self.result = replay.elbo_and_grads(
            replay.params, self.x, self.eps, replay.spec, beta=beta, ops=self.recorder
        )
        jobs = np.stack(self.recorder.jobs[: self.recorder.forward_jobs])
        self.forward, self.pace = Jobs(self.pool, jobs), Pace()

    def fits(self) -> bool:
        """Are the pool and its threads those of the recording? After a fork they are not."""
        return pool_of(self.x.dtype) is self.pool and self.pool.threads == self.threads

    def elbo(self, x: np.ndarray, eps: np.ndarray, beta: float) -> Any:
        np.copyto(self.x, x)
        np.copyto(self.eps, eps)
        self.rested = time.perf_counter() > self.replay.last_step + REST
        if self.rested:
            self.pace.try_both()
        self.seconds = self.forward.run(self.pace.begin())
        recorder = self.recorder
        terms, dkl = self.replay.elbo_loss(recorder.nll, recorder.kl, beta, self.replay.spec)
        np.copyto(recorder.dkl, dkl)
        return terms

    def adam_step(self, step: int, lr: float) -> None:
        recorder = self.recorder
        if self.update is None:
            flat, m, v = recorder.plain(*self.replay.state)
            recorder.record(pairs.adam_step, flat, self.result.flat_grads, m, v, step, lr)
            jobs = np.stack(recorder.jobs[recorder.forward_jobs :])
            self.update = Jobs(self.pool, jobs)
        else:
            adam = self.update.records[-1, 0]
            beta1, beta2 = float(adam["beta1"]), float(adam["beta2"])
            adam["lr"], adam["v_scale"] = pairs.adam_scales(step, lr, beta1, beta2)
            self.seconds += self.update.run(self.pace.together)
            if not self.rested:  # that step also wakes the helpers and fills the caches
                self.pace.end(self.seconds)
            self.replay.last_step = time.perf_counter()
