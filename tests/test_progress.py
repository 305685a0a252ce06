"""The progress bar of a training."""

import contextlib
import io
import re
import sys
import types

import pytest
import tiny

from minivae import runs, train


def shown(chosen, columns=None):
    out = io.StringIO()
    out.isatty = lambda: True
    with contextlib.redirect_stderr(out):
        state = train.new_state(tiny.dataset(), chosen)
        with runs.ProgressBar(state, chosen, tiny.TRAIN) as bar:
            bar.STEPS_BETWEEN_TEXTS = 1
            if columns is not None:  # as in a terminal of this width
                bar.bar.dynamic_ncols, bar.bar.ncols = None, columns
            train.train(tiny.dataset(), chosen, state=state, on_step=bar.update)
            bar.bar.refresh()
    return out.getvalue()


def test_the_bar_shows_loss_as_nll_plus_kl_and_the_time_left():
    text = shown(tiny.settings())
    last = text.split("\r")[-2 if text.endswith("\n") else -1]
    assert "epoch 2" in last
    assert "100%" in last
    loss, nll, kl = (float(word) for word in re.findall(r"(?:loss|nll|kl) ([0-9.]+)", last))
    assert loss == pytest.approx(nll + kl, abs=0.011)


@pytest.mark.parametrize(("columns", "read"), [(80, "kl"), (50, "nll")])
def test_in_a_narrow_terminal_the_numbers_stay_and_the_bar_gives_way(columns, read):
    last = shown(tiny.settings(), columns).split("\r")[-2]
    assert len(last.rstrip("\n")) <= columns
    assert re.search(rf"loss [0-9.]+ .*{read} [0-9.]+", last)


def test_the_bar_does_not_claim_a_sum_where_beta_is_not_one():
    assert "beta 4" in shown(tiny.settings(beta=4.0))


def test_a_notebook_is_known_by_its_running_shell(monkeypatch):
    """The bar goes to standard error, though someone has imported Jupyter's kernel."""
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    assert "epoch 2" in shown(tiny.settings())
