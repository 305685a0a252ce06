"""Files are written whole or not at all, and a folder is locked for one process."""

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from refusals import refusal

from minivae import files

ROOT = Path(__file__).parent.parent


def python(code, *args):
    """A Python process that runs `code` and can import minivae."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_write_replaces_the_file_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "a.bin"
    files.atomic_write(path, b"old")
    files.atomic_write(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_new_file_gets_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    files.atomic_write(tmp_path / "ours", b"")
    assert os.stat(tmp_path / "ours").st_mode == os.stat(tmp_path / "usual").st_mode


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_failed_write_keeps_the_previous_file(tmp_path, monkeypatch, step, failure):
    path = tmp_path / "a.bin"
    files.atomic_write(path, b"old")

    def fail(*args):
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr(os, step, fail)
        if isinstance(failure, OSError):
            message = refusal(files.atomic_write, path, b"new")
            assert "a.bin" in message
            assert "No space left on device; free some space" in message
        else:
            with pytest.raises(KeyboardInterrupt):
                files.atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_a_disk_that_fills_up_while_writing_keeps_the_previous_file(tmp_path):
    import resource

    path = tmp_path / "a.bin"
    files.atomic_write(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        message = refusal(files.atomic_write, path, bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot write" in message
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_places_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path, tmp_path / "no" / "a", tmp_path / "file" / "a", tmp_path / ("a" * 300)):
        assert "cannot write" in refusal(files.atomic_write, path, b"")
    for path in ("", "a\0b", 3, None, b"a"):
        assert "the path is" in refusal(files.atomic_write, path, b"")


def kill_while_writing(folder, kills):
    """Kill a process that writes without pause; count what is on disk after each kill."""
    path = folder / "model.npz"
    code = (
        "import sys, itertools, numpy as np\n"
        "from minivae import files\n"
        "print('go', flush=True)\n"
        "for i in itertools.count():\n"
        "    array = np.full(200_000, i % 251, np.uint8)\n"
        "    files.write_archive(sys.argv[1], {'a': array}, {'kind': 'model', 'i': i})\n"
    )
    rng = np.random.default_rng(5)
    for _ in range(kills):
        with python(code, path) as writer:
            writer.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(0.02 + 0.2 * rng.random())
            writer.kill()
        arrays, meta = files.read_archive(path, kind="model")
        assert (arrays["a"] == meta["i"] % 251).all()
    with files.lock_folder(folder):
        assert sorted(os.listdir(folder)) == [".lock", "model.npz"]


def test_a_process_killed_while_it_writes_leaves_a_whole_file(tmp_path):
    kill_while_writing(tmp_path, 3)


@pytest.mark.slow
def test_a_process_killed_100_times_while_it_writes_leaves_a_whole_file(tmp_path):
    kill_while_writing(tmp_path, 100)


needs_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


@needs_posix
def test_a_link_is_followed_and_permissions_are_kept(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "target"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(target)
    files.atomic_write(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert os.listdir(tmp_path / "elsewhere") == ["target"]


@needs_posix
def test_a_link_to_nothing_makes_the_file_that_it_names(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "new")
    files.atomic_write(tmp_path / "link", b"new")
    assert (tmp_path / "new").read_bytes() == b"new"


@needs_posix
def test_devices_and_pipes_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull)):
        before = os.stat(path).st_mode
        assert "not an ordinary file" in refusal(files.atomic_write, path, b"new")
        assert os.stat(path).st_mode == before
    assert os.listdir(tmp_path) == ["pipe"]


@needs_posix
def test_new_folders_are_synced_into_their_parents(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync

    def record(handle):
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", record)
    assert files.make_folders(tmp_path / "a" / "b" / "c")
    made = (tmp_path, tmp_path / "a", tmp_path / "a" / "b")
    assert synced == [os.stat(folder).st_ino for folder in made]
    assert not files.make_folders(tmp_path / "a" / "b")


# ---- other systems, simulated --------------------------------------------------------------------


@pytest.fixture
def windows(monkeypatch):
    """Windows as `files` sees it, and a clock that only moves when someone sleeps."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.append(now.pop() + seconds))
    monkeypatch.setattr(sys, "platform", "win32")
    return now


def held(call, failures):
    """`call`, refused so many times, as while a virus scanner or Excel has the file open."""
    left = iter(range(failures))

    def refused(*args, **kwargs):
        if next(left, None) is not None:
            raise PermissionError(errno.EACCES, "Access is denied")
        return call(*args, **kwargs)

    return refused


def test_on_windows_a_write_waits_until_a_scanner_lets_go_of_the_file(
    tmp_path, monkeypatch, windows
):
    monkeypatch.setattr(os, "replace", held(os.replace, 5))
    monkeypatch.setattr(Path, "unlink", held(Path.unlink, 5))
    files.atomic_write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert 0 < windows[0] < 1


def test_on_windows_a_write_gives_up_after_a_second(tmp_path, monkeypatch, windows):
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", held(os.replace, 10_000))
    message = refusal(files.atomic_write, tmp_path / "a", b"new")
    assert "Access is denied; close the program that has it open, or choose a place" in message
    assert 1 <= windows[0] < 1.1
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_elsewhere_a_write_that_is_not_permitted_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", held(os.replace, 1))
    monkeypatch.setattr(sys, "platform", "linux")
    assert "Access is denied; choose a place" in refusal(files.atomic_write, tmp_path / "a", b"")
    assert os.listdir(tmp_path) == []


def test_on_windows_the_lock_is_released_before_its_file_is_closed(tmp_path, monkeypatch, windows):
    """Windows releases the locks of a closed file whenever it finds the time."""
    calls = []

    def locking(handle, mode, count):
        assert os.fstat(handle).st_ino == os.stat(tmp_path / ".lock").st_ino  # it is open
        calls.append((mode, count))

    simulated = SimpleNamespace(locking=locking, LK_NBLCK="lock", LK_UNLCK="unlock")
    monkeypatch.setitem(sys.modules, "msvcrt", simulated)
    with files.lock_folder(tmp_path):
        assert calls == [("lock", 1)]
    with pytest.raises(OSError, match="mine"), files.lock_folder(tmp_path):
        raise OSError("mine")
    assert calls == [("lock", 1), ("unlock", 1)] * 2


def test_on_macos_a_write_empties_the_drives_cache(tmp_path, monkeypatch):
    """There, fsync alone leaves the data in the cache of the drive, which a power cut empties."""
    fcntl = pytest.importorskip("fcntl", reason="Windows has no fcntl")
    synced = []

    def control(handle, request):
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), request))
        if os.path.exists(tmp_path / "refused"):
            raise OSError(errno.ENOTSUP, "not on this file system")

    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    files.atomic_write(tmp_path / "a", b"new")
    assert synced == [(False, 51), (True, 51)]  # the file, then its folder
    (tmp_path / "refused").touch()
    files.atomic_write(tmp_path / "a", b"newer")
    assert (tmp_path / "a").read_bytes() == b"newer"


# ---- locks ---------------------------------------------------------------------------------------


def test_the_second_taker_of_a_folder_is_refused(tmp_path):
    with files.lock_folder(tmp_path):
        message = refusal(files.lock_folder(tmp_path).__enter__)
        assert tmp_path.as_posix() in message
        assert "another run" in message
    with files.lock_folder(tmp_path):
        pass


def test_an_error_in_the_block_passes_through_and_frees_the_folder(tmp_path):
    with pytest.raises(OSError, match="mine"), files.lock_folder(tmp_path):
        raise OSError("mine")
    with files.lock_folder(tmp_path):
        pass


def test_a_dead_process_does_not_block_a_folder(tmp_path):
    code = (
        "import sys, time\n"
        "from minivae import files\n"
        "with files.lock_folder(sys.argv[1]):\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with python(code, tmp_path) as holder:
        assert holder.stdout.readline() == "locked\n"
        assert refusal(files.lock_folder(tmp_path).__enter__)
        holder.kill()
    with files.lock_folder(tmp_path):
        pass


def test_a_folder_that_cannot_be_locked_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "missing", tmp_path / "file"):
        assert folder.name in refusal(files.lock_folder(folder).__enter__)


def test_the_lock_sweeps_up_after_a_killed_writer(tmp_path):
    (tmp_path / ".minivae-0123456789abcdef.partial").write_bytes(b"half")
    (tmp_path / "mine.partial").write_bytes(b"kept")
    with files.lock_folder(tmp_path):
        assert sorted(os.listdir(tmp_path)) == [".lock", "mine.partial"]


@needs_posix
def test_a_lock_file_that_is_a_pipe_or_a_link_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "a" / ".lock")
    (tmp_path / "b" / ".lock").symlink_to(tmp_path / "elsewhere")
    for folder in ("a", "b"):
        assert folder in refusal(files.lock_folder(tmp_path / folder).__enter__)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_run_does_not_write_into_a_folder_that_replaced_its_own(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with files.lock_folder(folder):
        files.atomic_write(folder / "model", b"first")
        folder.rename(tmp_path / "moved")
        folder.mkdir()
        assert "removed or replaced" in refusal(files.atomic_write, folder / "model", b"again")
        (folder / ".lock").touch()
        (folder / "model").write_bytes(b"another run's")
        assert "removed or replaced" in refusal(files.atomic_write, folder / "model", b"again")
    assert (folder / "model").read_bytes() == b"another run's"
    files.atomic_write(folder / "model", b"after the lock")


def test_a_file_system_without_locks_gets_a_note(tmp_path, monkeypatch, capsys):
    fcntl = pytest.importorskip("fcntl", reason="Windows has no fcntl")

    def flock(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with files.lock_folder(tmp_path):
        files.atomic_write(tmp_path / "a", b"new")
    with files.one_writer(tmp_path / "a"):
        files.atomic_write(tmp_path / "a", b"newer")
    assert "has no locks" in capsys.readouterr().err
    assert (tmp_path / "a").read_bytes() == b"newer"
