"""The progress file: what the reader has done is kept, and a damaged file stops nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from answers import right_kl, twice

from minivae import exercises as api
from minivae.exercises import store
from minivae.exercises.cards import CORRECT, NOT_ATTEMPTED, NOT_YET
from minivae.exercises.catalogue import exercises

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("progress_file")


def test_progress_survives_a_restart(progress_file):
    api.check("03.kl", twice)
    api.check("03.kl", right_kl)
    api.check("05.dense", lambda x, W, b: x)
    rows = {row["id"]: row for row in api.summary()["exercises"]}
    assert rows["03.kl"] == {
        "id": "03.kl",
        "title": exercises()["03.kl"].title,
        "status": CORRECT,
        "fails": 1,
        "hints": 0,
    }
    assert rows["05.dense"]["status"] == NOT_YET
    assert rows["01.evidence"]["status"] == NOT_ATTEMPTED
    assert json.loads(progress_file.read_text())["exercises"]["03.kl"]["fails"] == 1


def test_the_report_names_what_comes_next():
    for id in ("01.settled", "01.evidence"):
        api.check(id, exercises()[id].reference)
    text = api.report()
    assert f"2 of {len(exercises())} exercises done" in text
    assert "next: 01.helping" in text


EARLIER = {
    "version": 1,
    "exercises": {
        "02.best-independent": {"fails": 2, "hints": 1, "mistake": "one-round"},
        "03.kl": {"fails": 1, "passed": "2025-11-30", "source": "def f(mu, logvar):\n    ...\n"},
        "04.excess": {"fails": 2, "passed": "2025-12-01"},  # an exercise that is no more
    },
    "answers": {"03.r1": "a", "judged 03.r1": "a", "04.blind": "fails"},
    "review": {"03.r1": {"box": 1, "due": "2025-12-01"}},
}


def test_a_file_written_by_an_earlier_version_is_read(progress_file):
    """Names in it, such as "one-round" and "judged 03.r1", still mean the same."""
    progress_file.write_text(json.dumps(EARLIER))
    summary = api.summary()
    assert summary["done"] == 1
    assert summary["due"] == ["03.r1"]
    assert "your last answer:" in api.hint("02.best-independent").body
    api.recall("03", "a")  # judged before, so the review stays as it is
    assert "you predicted fails" in api.reveal("04.blind").title
    kept = json.loads(progress_file.read_text())
    assert kept["review"]["03.r1"] == EARLIER["review"]["03.r1"]
    assert kept["exercises"]["03.kl"] == EARLIER["exercises"]["03.kl"]
    assert kept["exercises"]["04.excess"] == EARLIER["exercises"]["04.excess"]


DAMAGED = {
    "empty": b"",
    "no JSON": b"{",
    "not text": b"\xff\xfe\x00",
    "a list": b"[]",
    "another version": b'{"version": 99}',
    "a section missing": b'{"version": 1, "exercises": {}}',
    "a wrong type": b'{"version": 1, "exercises": {"03.kl": {"fails": "x"}}, "answers": {},'
    b' "review": {}}',
    "no table": b'{"version": 1, "exercises": {"03.kl": 3}, "answers": {}, "review": {}}',
    "an answer that is a number": b'{"version": 1, "exercises": {}, "answers": {"a": 3},'
    b' "review": {}}',
    "a date that is none": b'{"version": 1, "exercises": {}, "answers": {},'
    b' "review": {"a": {"box": 0, "due": "x"}}}',
    "a box that is none": b'{"version": 1, "exercises": {}, "answers": {},'
    b' "review": {"a": {"box": 7, "due": "2026-01-01"}}}',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_set_aside_and_the_reader_told(damage, progress_file):
    progress_file.write_bytes(DAMAGED[damage])
    verdict = api.check("03.kl", right_kl)
    assert verdict.status == CORRECT
    assert "damaged" in verdict.body
    assert progress_file.with_name("progress.json.damaged").read_bytes() == DAMAGED[damage]
    assert api.summary()["done"] == 1
    assert "damaged" not in api.check("03.kl", right_kl).body


def test_each_damaged_file_is_kept_under_a_name_of_its_own(progress_file):
    for content in ("one", "two", "three"):
        progress_file.write_text(content)
        api.check("03.kl", right_kl)
    kept = [p.read_text() for p in sorted(progress_file.parent.glob("progress.json.damaged*"))]
    assert kept == ["one", "two", "three"]


SHOWN = {
    "progress": lambda: api.progress().body,
    "hint": lambda: api.hint("03.kl").body,
    "review": lambda: api.review().body,
    "predict": lambda: api.predict("02.log-of-average", "low").body,
    "reveal": lambda: api.reveal("02.log-of-average").body,
    "recall": lambda: api.recall("03", "a").body,
    "report": api.report,
    "summary": lambda: api.summary()["note"],
}


@pytest.mark.parametrize("call", SHOWN)
def test_every_call_tells_of_a_damaged_file(call, progress_file):
    progress_file.write_text("{")
    assert "damaged" in SHOWN[call]()


def test_reading_leaves_a_damaged_file_where_it_is(progress_file):
    progress_file.write_text("{")
    api.summary()
    api.progress()
    assert [p.name for p in progress_file.parent.glob("progress.json*")] == ["progress.json"]


def test_fields_of_a_later_version_survive(progress_file):
    kept = {
        "version": 1,
        "exercises": {"03.kl": {"fails": 1, "minutes": 7}, "99.new": {"stars": 3}},
        "answers": {},
        "review": {},
        "grades": {"a": 1},
    }
    progress_file.write_text(json.dumps(kept))
    api.check("03.kl", right_kl)
    now = json.loads(progress_file.read_text())
    assert now["exercises"]["03.kl"]["minutes"] == 7
    assert now["exercises"]["99.new"] == {"stars": 3}
    assert now["grades"] == {"a": 1}


# One that writes without a pause hardly ever leaves the lock to the other, who then waits for long
# on a busy machine.
WRITER = """
import sys
from minivae.exercises import store
from minivae.files import locking
locking.WAIT_SECONDS = 200.0
for i in range(500):
    entry = {f"{sys.argv[1]}.{i}": {"fails": i}}
    said = store.update(lambda state: state["exercises"].update(entry))
    assert said is None, said
"""


def test_processes_that_write_at_once_lose_nothing(progress_file):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, name], cwd=ROOT, env=os.environ)
        for name in ("a", "b")
    ]
    assert [writer.wait(timeout=240) for writer in writers] == [0, 0]
    assert len(json.loads(progress_file.read_text())["exercises"]) == 1000


def test_where_no_file_can_be_written_progress_is_kept_for_the_session(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIVAE_PROGRESS", str(tmp_path / "no such folder" / "progress.json"))
    monkeypatch.setattr(store, "_unsaved", {})
    assert "for this session only" in api.check("03.kl", right_kl).body
    assert api.check("05.dense", exercises()["05.dense"].reference).body == ""  # said once
    assert api.summary()["done"] == 2


def _folder(place):
    place.mkdir()
    (place / "mine").write_text("kept")


STRANGE = {"folder": _folder, "pipe": lambda place: os.mkfifo(place)}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_ordinary_file_is_left_alone(kind, tmp_path, monkeypatch):
    place = tmp_path / "progress"
    STRANGE[kind](place)
    before = os.stat(place)
    monkeypatch.setenv("MINIVAE_PROGRESS", str(place))
    monkeypatch.setattr(store, "_unsaved", {})
    assert "cannot be read" in api.summary()["note"]
    verdict = api.check("03.kl", right_kl)
    assert verdict.status == CORRECT
    assert "for this session only" in verdict.body
    assert api.summary()["done"] == 1
    assert (os.stat(place).st_ino, os.stat(place).st_mode) == (before.st_ino, before.st_mode)
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")] == ["progress"]


def test_the_default_place_is_hidden_and_ignored_by_git(monkeypatch):
    monkeypatch.delenv("MINIVAE_PROGRESS")
    place = store.path()
    assert place == ROOT / ".minivae_progress.json"
    assert ".minivae_progress*" in (ROOT / ".gitignore").read_text().split()
