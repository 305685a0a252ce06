"""A checkpoint of another run, or one that makes no sense, is refused in one line."""

import json

import numpy as np
import pytest
import tiny
from refusals import refusal

from minivae import MinivaeError, files, runs
from minivae.runs import checkpoints
from minivae.settings import Settings

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


# ---- of another run ------------------------------------------------------------------------------


@pytest.mark.parametrize("field", Settings._fields)
def test_a_checkpoint_of_other_settings_is_refused_and_named(tmp_path, field):
    """The checkpoint is compared itself: whatever run.json says, it cannot be continued wrongly."""
    made, chosen = tiny.dataset(), tiny.settings()
    tiny.run(tmp_path / "run", made, chosen)
    path = tmp_path / "run" / runs.CHECKPOINT_FILE
    arrays, meta = files.read_archive(path, kind=checkpoints.KIND)
    meta["settings"][field] = "something else"
    files.write_archive(path, arrays, meta)
    with pytest.raises(MinivaeError, match=f"{field} = 'something else'"):
        tiny.run(tmp_path / "run", made, chosen)


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    made, chosen = tiny.dataset(), tiny.settings()
    tiny.run(tmp_path / "run", made, chosen)
    with pytest.raises(MinivaeError, match="other data"):
        tiny.run(tmp_path / "run", made._replace(train=made.train[::-1]), chosen)


# ---- with a valid seal, and without sense --------------------------------------------------------


HUGE = 10**400
NONSENSE = {
    "no settings": lambda meta: meta.pop("settings"),
    "settings of another kind": lambda meta: meta.update(settings=[1, 2]),
    "an unknown setting": lambda meta: meta["settings"].update(momentum=0.9),
    "a setting too few": lambda meta: meta["settings"].pop("lr"),
    "no fingerprint": lambda meta: meta.pop("fingerprint"),
    "a fingerprint of another kind": lambda meta: meta.update(fingerprint={}),
    "a negative step": lambda meta: meta.update(step=-1),
    "a huge step": lambda meta: meta.update(step=HUGE),
    "a step too far": lambda meta: meta.update(step=meta["step"] + 1),
    "a step in words": lambda meta: meta.update(step="six"),
    "a step that is true": lambda meta: meta.update(step=True),
    "a broken step": lambda meta: meta.update(step=6.5),
    "no step": lambda meta: meta.pop("step"),
    "an epoch beyond the last": lambda meta: meta.update(epoch=3, step=9),
    "an epoch before the first": lambda meta: meta.update(epoch=-1, step=-3),
    "a position between two steps": lambda meta: meta.update(epoch=1, position=19, step=4),
    "a position after the end": lambda meta: meta.update(position=20, step=7),
    "a huge position": lambda meta: meta.update(position=HUGE),
    "no history": lambda meta: meta.pop("history"),
    "a history of another kind": lambda meta: meta.update(history={"0": 1, "1": 2}),
    "a short history": lambda meta: meta["history"].pop(),
    "a row of another kind": lambda meta: meta["history"].__setitem__(0, 5),
    "a row with a column more": lambda meta: meta["history"][0].update(seconds=1.0),
    "a row with a column less": lambda meta: meta["history"][0].pop("kl"),
    "a row with text": lambda meta: meta["history"][0].update(kl="=HYPERLINK(...)"),
    "a row with a huge integer": lambda meta: meta["history"][0].update(kl=HUGE),
    "a row of another epoch": lambda meta: meta["history"][0].update(epoch=2),
    "no sums": lambda meta: meta.pop("sums"),
    "one sum": lambda meta: meta.update(sums=[1.0]),
    "sums in words": lambda meta: meta.update(sums=["1", "2", "3"]),
    "sums of another kind": lambda meta: meta.update(sums=1.0),
    "huge sums": lambda meta: meta.update(sums=[HUGE, 0.0, 0.0]),
    "no streams": lambda meta: meta.pop("streams"),
    "a stream too few": lambda meta: meta["streams"].pop("noise"),
    "streams of another kind": lambda meta: meta.update(streams=[]),
    "a stream of another kind": lambda meta: meta["streams"].update(noise=7),
    "another generator": lambda meta: meta["streams"]["noise"].update(bit_generator="MT19937"),
    "a stream without a state": lambda meta: meta["streams"]["noise"].pop("state"),
    "a negative state": lambda meta: meta["streams"]["noise"]["state"].update(state=-1),
    "a huge state": lambda meta: meta["streams"]["noise"]["state"].update(state=HUGE),
    "a broken state": lambda meta: meta["streams"]["noise"]["state"].update(inc=0.5),
    "a huge spare": lambda meta: meta["streams"]["noise"].update(uinteger=HUGE, has_uint32=1),
    "a negative spare": lambda meta: meta["streams"]["noise"].update(uinteger=-1),
}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A finished run of `tiny`, its arrays and meta."""
    folder = tmp_path_factory.mktemp("sealed") / "run"
    tiny.run(folder, tiny.dataset(), tiny.settings())
    return files.read_archive(folder / runs.CHECKPOINT_FILE, kind=checkpoints.KIND)


def refuse(tmp_path, arrays, meta):
    """Write a checkpoint with a valid seal, and show that it is refused in one line."""
    path = tmp_path / runs.CHECKPOINT_FILE
    files.write_archive(path, arrays, meta)
    before = path.read_bytes()
    assert path.as_posix() in refusal(tiny.run, tmp_path, tiny.dataset(), tiny.settings())
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", NONSENSE)
def test_a_sealed_checkpoint_that_makes_no_sense_is_refused(tmp_path, sealed, name):
    arrays, meta = sealed
    meta = json.loads(json.dumps(meta))
    NONSENSE[name](meta)
    refuse(tmp_path, arrays, meta)


def test_arrays_that_are_not_the_models_are_refused(tmp_path, sealed):
    arrays, meta = sealed
    flat = arrays["params"]
    for wrong in (
        {"params": flat, "m": flat},
        {**arrays, "more": flat},
        {**arrays, "m": flat[:-1]},
        {**arrays, "m": flat.astype(np.float64)},
        {**arrays, "m": flat[None]},
        {**arrays, "v": arrays["v"] - 1},
    ):
        refuse(tmp_path, wrong, meta)


def test_every_value_of_a_checkpoint_replaced_by_junk(tmp_path, sealed):
    """Each leaf and each branch of the description in turn, by values of every JSON type."""
    arrays, meta = sealed
    junk = (None, True, -1, HUGE, 1e308, 0.5, "", "x" * 2000, [], [[]], {}, {"state": 1})
    harmless = {"versions", "kind"}  # said, not used

    def places(value, keys=()):
        yield keys
        inner = value.items() if isinstance(value, dict) else ()
        inner = enumerate(value) if isinstance(value, list) else inner
        for key, below in inner:
            yield from places(below, (*keys, key))

    for keys in places(meta):
        if not keys or keys[0] in harmless:
            continue
        for value in junk:
            changed = json.loads(json.dumps(meta))
            *above, last = keys
            target = changed
            for key in above:
                target = target[key]
            if target[last] == value:
                continue
            target[last] = value
            state, message = restored_or_refused(arrays, changed, meta["fingerprint"])
            if state is None:
                assert len(message.splitlines()) == 1
            else:  # another number in the place of a number
                assert type(value) in (int, float, bool)
                assert np.isfinite(state.sums).all()


def restored_or_refused(arrays, meta, fingerprint):
    made, chosen = tiny.dataset(), tiny.settings()
    try:
        return checkpoints.restore_state(arrays, meta, chosen, made, fingerprint, "it"), None
    except MinivaeError as error:
        return None, str(error)
