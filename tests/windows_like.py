"""Makes a Python process look like Windows to minivae, as far as another system can.

No fork and no affinity; no fcntl, resource, pwd and grp; an msvcrt whose locks are real; a folder
cannot be opened; a file cannot be replaced or deleted while this process has it open; text files
are cp1252 unless an encoding is given; and `str(path)` has backslashes. Other packages, which do
otherwise on Windows, are spared what would make them fail. The standard streams get their encoding
from the environment (PYTHONIOENCODING).
"""

import builtins
import importlib
import io
import os
import pathlib
import platform
import signal
import sys
from types import ModuleType

# They look at the system when they are imported, and they are not what is tested.
OTHERS = ("numpy", "numba", "matplotlib.pyplot", "PIL.Image", "tqdm", "subprocess", "tempfile")
MISSING_FUNCTIONS = (
    "fork", "forkpty", "register_at_fork", "sched_getaffinity", "sched_setaffinity", "getuid",
    "geteuid", "getpgid", "killpg", "uname", "sysconf", "mkfifo",
)  # fmt: skip
MISSING_MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "posix_ipc")
MISSING_SIGNALS = ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGPIPE")


def begin():
    """From now on; call it before minivae is imported."""
    assert not any(name.startswith("minivae") for name in sys.modules)
    for name in OTHERS:
        importlib.import_module(name)
    platform.uname()  # which remembers its answer
    sys.modules["msvcrt"] = _msvcrt()
    for name in MISSING_FUNCTIONS:
        if hasattr(os, name):
            delattr(os, name)
    if hasattr(os, "process_cpu_count"):  # written in terms of sched_getaffinity elsewhere
        os.process_cpu_count = os.cpu_count
    for name in MISSING_SIGNALS:
        if hasattr(signal, name):
            delattr(signal, name)
    for name in MISSING_MODULES:
        sys.modules[name] = None  # importing it raises ImportError
    os.open = _no_folder(os.open)
    os.replace = _unless_open(os.replace)
    os.unlink = _unless_open(os.unlink)
    io.open = builtins.open = _cp1252(open)
    pathlib.PurePath.__str__ = _backslashes(pathlib.PurePath.__str__)
    sys.platform = "win32"


def _asked_by_minivae(through=("pathlib",)):
    """Whether the caller's caller is in minivae; or the first one that is in none of `through`."""
    frame = sys._getframe(2)
    while frame.f_globals.get("__name__", "").partition(".")[0] in through:
        frame = frame.f_back
    return frame.f_globals.get("__name__", "").partition(".")[0] == "minivae"


def _msvcrt():
    import fcntl

    def locking(handle, mode, count):
        assert count == 1
        fcntl.flock(handle, mode)

    module = ModuleType("msvcrt")
    module.locking = locking
    module.LK_NBLCK, module.LK_UNLCK = fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN
    return module


def _no_folder(call):
    def opened(path, *args, **kwargs):
        if _asked_by_minivae() and os.path.isdir(path):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return call(path, *args, **kwargs)

    return opened


def _unless_open(call):
    def changed(*paths, **kwargs):
        for path in paths if _asked_by_minivae() else ():
            if os.path.exists(path) and os.path.realpath(path) in _open_files():
                raise PermissionError(13, "The process cannot access the file", os.fspath(path))
        return call(*paths, **kwargs)

    return changed


def _open_files():
    """The names of the files that this process has open; Linux tells."""
    names = set()
    for handle in os.listdir("/proc/self/fd"):
        try:
            names.add(os.readlink(f"/proc/self/fd/{handle}"))
        except OSError:  # the one that listdir itself had open
            continue
    return names


def _cp1252(call):
    def opened(file, mode="r", buffering=-1, encoding=None, *args, **kwargs):
        if "b" not in mode and encoding in (None, "locale"):
            encoding = "cp1252"
        return call(file, mode, buffering, encoding, *args, **kwargs)

    return opened


def _backslashes(call):
    def text(self):
        line = call(self)
        return line.replace("/", "\\") if _asked_by_minivae(through=()) else line

    return text


def stop_in_step(number):
    """Ctrl-C while the numba backend takes that step, counted from now on."""
    from minivae import kernels

    call, left = kernels.Replay.adam_step, iter(range(number - 1))

    def step(*args, **kwargs):
        if next(left, None) is None:
            signal.raise_signal(signal.SIGINT)
        return call(*args, **kwargs)

    kernels.Replay.adam_step = step
