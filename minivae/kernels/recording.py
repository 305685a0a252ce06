"""A training step that is recorded once and then replayed: the same bits, without Python between.

In a small step much of the time is Python's: the way from each name of `ops.py` to its kernel. So
in training the lines of `vae.elbo_and_grads` run once for each batch size, with a `Recorder` as the
backend. It computes as `pairs.py` does, and each job that goes to the threads is also written down:
its task descriptors, which hold the addresses of the arrays. Later steps copy x and eps to where
those of the recorded step were, and do the jobs again: the forward pass in one call of a compiled
function, the backward pass in one. Only the loss between them is computed anew by its own lines,
because beta may have changed.

Only what the backend computes is written down. So arrays that it has computed are handed out as
`Recorded`, which NumPy cannot read, and arrays that it does not know are refused.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minivae.kernels import pairs, tasks
from minivae.kernels.guard import is_ready
from minivae.kernels.threads import Pool, Tape, pool_of, recorded


class Recorded:
    """An array that the recorder has computed. It goes back to the backend, or into a sum."""

    def __init__(self, array: np.ndarray, recorder: "Recorder") -> None:
        self.array, self.recorder = array, recorder

    def __add__(self, other: "Recorded") -> "Recorded":
        return self.recorder.add(self, other)


class Jobs:
    """Jobs that can be done again, as long as the pool has the same threads."""

    def __init__(self, pool: Pool, tape: Tape) -> None:
        self.pool, self.threads = pool, pool.threads
        self.records = np.array([records for records, _ in tape], tasks.TASK)
        self.chunks = int(self.records["chunks"].sum(axis=1).max(initial=0))
        self.arrays = [args for _, args in tape]  # the descriptors hold only their addresses

    def fit(self) -> bool:
        """Are the pool and its threads those of the recording? After a fork they are not."""
        return pool_of(self.pool.kind.dtype) is self.pool and self.pool.threads == self.threads

    def run(self) -> None:
        """Do them again."""
        self.pool.run_again(self.records, self.chunks)


class Recorder:
    """A backend that records what `vae.elbo_and_grads` does with a Bernoulli likelihood.

    known: the arrays that are there before: x, eps and the parameters. They must be `ready`, and
    stay where they are. Between the forward and the backward pass, the loss is computed from `nll`
    (B,) and `kl` (B, L) by NumPy, and `dkl` (L,) comes back: these three are plain arrays.
    """

    nll: np.ndarray
    kl: np.ndarray
    dkl: np.ndarray

    def __init__(self, known: Sequence[np.ndarray]) -> None:
        self.pool = pool_of(known[0].dtype)
        self.known = {id(array): array for array in known}
        self.tape: Tape = []
        self.forward_jobs = 0

    def jobs(self) -> tuple[Jobs, Jobs]:
        """Those of the forward pass, and those of the backward pass."""
        tape, n = self.tape, self.forward_jobs
        return Jobs(self.pool, tape[:n]), Jobs(self.pool, tape[n:])

    def dense_forward(self, x: Any, W: Any, b: Any, activation: str) -> tuple[Recorded, Any]:
        y, cache = self._record(pairs.dense_forward, *self._plain(x, W, b), activation)
        return Recorded(y, self), cache

    def dense_backward(
        self, dy: Any, cache: Any, *, out: tuple[np.ndarray, np.ndarray], need_dx: bool = True
    ) -> tuple[Recorded | None, np.ndarray, np.ndarray]:
        (dy,) = self._plain(dy)
        dx, dW, db = self._record(pairs.dense_backward, dy, cache, out=out, need_dx=need_dx)
        return (None if dx is None else Recorded(dx, self)), dW, db

    def reparam_forward(self, mu: Any, logvar: Any, eps: Any) -> tuple[Recorded, Any]:
        z, cache = self._record(pairs.reparam_forward, *self._plain(mu, logvar, eps))
        return Recorded(z, self), cache

    def reparam_backward(self, dz: Any, cache: Any) -> tuple[Recorded, Recorded]:
        dmu, dlogvar = self._record(pairs.reparam_backward, *self._plain(dz), cache)
        return Recorded(dmu, self), Recorded(dlogvar, self)

    def gaussian_kl_forward(self, mu: Any, logvar: Any) -> tuple[np.ndarray, Any]:
        self.kl, cache = self._record(pairs.gaussian_kl_forward, *self._plain(mu, logvar))
        return self.kl, cache

    def gaussian_kl_backward(self, dkl: np.ndarray, cache: Any) -> tuple[Recorded, Recorded]:
        self.dkl = dkl
        dmu, dlogvar = self._record(pairs.gaussian_kl_backward, dkl, cache)
        return Recorded(dmu, self), Recorded(dlogvar, self)

    def bernoulli_nll_forward(self, logits: Any, x: Any) -> tuple[np.ndarray, Any]:
        self.nll, cache = self._record(pairs.bernoulli_nll_forward, *self._plain(logits, x))
        return self.nll, cache

    def bernoulli_nll_backward(self, dnll: np.ndarray, cache: Any) -> Recorded:
        """dnll is 1 / B, the same in each step. Here the backward pass begins."""
        self.forward_jobs = len(self.tape)
        return Recorded(self._record(pairs.bernoulli_nll_backward, dnll, cache), self)

    def add(self, a: Any, b: Any) -> Recorded:
        """a + b, of one shape."""
        a, b = self._plain(a, b)
        if a.shape != b.shape:
            raise TypeError(f"the recorder adds arrays of one shape, not {a.shape} and {b.shape}")
        c = np.empty_like(a)
        self._record(self.pool.run, tasks.describe_add, a.ravel(), b.ravel(), c.ravel())
        return Recorded(c, self)

    def _plain(self, *given: Any) -> list[np.ndarray]:
        """The arrays themselves, if each is known to the recorder and needs no copy."""
        arrays = [a.array if isinstance(a, Recorded) else self.known.get(id(a)) for a in given]
        if not all(is_ready(a, self.pool.kind.dtype) for a in arrays):
            raise TypeError("the recorder was given an array that it would not find again")
        return arrays

    def _record(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        result, tape = recorded(function, *args, **kwargs)
        self.tape += tape
        return result


class Replay:
    """`vae.elbo_and_grads` with a Bernoulli likelihood, for a training loop: without its checks.

    elbo_and_grads, elbo_loss: those of `vae.py`; the kernels know nothing of the model. The values
    in params may change, in place. The gradient in a result is overwritten by the next call.
    """

    def __init__(
        self,
        elbo_and_grads: Callable,
        elbo_loss: Callable,
        params: dict[str, np.ndarray],
        spec: Any,
    ) -> None:
        self.elbo_and_grads, self.elbo_loss = elbo_and_grads, elbo_loss
        self.params, self.spec = params, spec
        self.recordings: dict[int, _Recording] = {}  # by the batch size

    def __call__(self, x: np.ndarray, eps: np.ndarray, beta: float = 1.0) -> Any:
        """x (B, D), eps (B, L) -> TermsAndGrads."""
        recording = self.recordings.get(len(x))
        if recording is None or not recording.forward.fit():
            recording = self.recordings[len(x)] = self._record(x, eps, beta)
            return recording.result
        recorder = recording.recorder
        np.copyto(recording.x, x)
        np.copyto(recording.eps, eps)
        recording.forward.run()
        terms, dkl = self.elbo_loss(recorder.nll, recorder.kl, beta, self.spec)
        np.copyto(recorder.dkl, dkl)
        recording.backward.run()
        return recording.result._replace(**terms._asdict())

    def _record(self, x: np.ndarray, eps: np.ndarray, beta: float) -> "_Recording":
        x, eps = (np.array(a, self.params["mu_b"].dtype, order="C") for a in (x, eps))
        recorder = Recorder([x, eps, *self.params.values()])
        result = self.elbo_and_grads(self.params, x, eps, self.spec, beta=beta, ops=recorder)
        return _Recording(x, eps, recorder, result, *recorder.jobs())


class _Recording(NamedTuple):
    x: np.ndarray
    eps: np.ndarray
    recorder: Recorder
    result: Any
    forward: Jobs
    backward: Jobs
