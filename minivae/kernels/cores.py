"""How many processor cores and threads this process should use."""

import ctypes
import os
import re
import sys
from pathlib import Path

from minivae.errors import MinivaeError

MOST_THREADS = 64
PROC_CGROUP = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")
# Each worker of joblib gets its share of the cores as the second and third of these, and the first
# is what the user allows all of them (joblib's documentation of `parallel_config`).
LIMITS = ("LOKY_MAX_CPU_COUNT", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")
DEVICES = Path("/sys/devices")


def thread_count() -> int:
    """MINIVAE_NUM_THREADS, by default the number of cores that this process may use.

    Raises MinivaeError if the variable is not a whole number from 1 to MOST_THREADS.
    """
    wanted = os.environ.get("MINIVAE_NUM_THREADS", "").strip()
    if not wanted:
        return min(core_count(), MOST_THREADS)
    if not wanted.isdecimal() or not 1 <= int(wanted) <= MOST_THREADS:
        raise MinivaeError(
            f"MINIVAE_NUM_THREADS is {wanted!r}; it must be a whole number from 1 to {MOST_THREADS}"
        )
    return int(wanted)


def core_count() -> int:
    """The cores that work at full speed and that this process may use; at least 1.

    The least of: Python's own count (the affinity mask, and PYTHON_CPU_COUNT from Python 3.13 on),
    a container's quota, rounded down, the limits in the environment (LIMITS), and the performance
    cores of a processor that also has efficiency cores: a job is only done when its slowest thread
    is.
    Efficiency cores are known on Linux and macOS; on Windows they count as cores.
    """
    counts = [_usable(), _performance_cores(), *_limits()]
    quota = _quota()
    if quota is not None:
        counts.append(int(quota))
    return max(1, min(count for count in counts if count is not None))


def _limits() -> list[int]:
    """The limits in the environment that are whole numbers from 1."""
    texts = [os.environ.get(name, "").strip() for name in LIMITS]
    return [int(text) for text in texts if re.fullmatch("[1-9][0-9]{0,5}", text)]


def _usable() -> int:
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# ---- a container's quota -------------------------------------------------------------------------


def _quota() -> float | None:
    """The processor time that the process's control groups allow, in cores; None: no limit.

    The limits of a group hold for the groups in it, so the least of those from the process's own
    group up to the root counts. In a container the root is the container's group, while
    /proc/self/cgroup may give a path outside it; groups that are not there are left out.
    """
    found = []
    for line in _read(PROC_CGROUP).splitlines():
        number, _, rest = line.partition(":")  # 0::/path, or 4:cpu,cpuacct:/path
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            mounts, limit = [CGROUPS, CGROUPS / "unified"], _version_2
        elif "cpu" in controllers.split(","):
            mounts, limit = [CGROUPS / controllers, CGROUPS / "cpu"], _version_1
        else:
            continue
        names = [name for name in path.split("/") if name not in ("", ".", "..")]
        for mount in mounts:
            found += [limit(mount.joinpath(*names[:n])) for n in range(len(names) + 1)]
    return min((limit for limit in found if limit is not None), default=None)


def _version_2(group: Path) -> float | None:
    return _ratio(_read(group / "cpu.max").split())  # "max 100000" or "150000 100000"


def _version_1(group: Path) -> float | None:
    names = "cpu.cfs_quota_us", "cpu.cfs_period_us"  # the quota is -1 where there is no limit
    return _ratio([_read(group / name).strip() for name in names])


def _ratio(texts: list[str]) -> float | None:
    """Quota and period in microseconds -> cores."""
    if len(texts) != 2 or not all(re.fullmatch("[0-9]{1,18}", text) for text in texts):
        return None
    quota, period = map(int, texts)
    return quota / period if quota and period else None


# ---- performance and efficiency cores ------------------------------------------------------------


def _performance_cores() -> int | None:
    """How many of the usable cores are performance cores; None where that is not known."""
    if sys.platform == "darwin":
        return _system_value(b"hw.perflevel0.logicalcpu")
    if not hasattr(os, "sched_getaffinity"):
        return None
    return len(os.sched_getaffinity(0) & (_intel_performance() or _most_capable())) or None


def _intel_performance() -> set[int]:
    """The performance cores of an Intel hybrid; empty on other processors."""
    ranges = _read(DEVICES / "cpu_core/cpus").strip()  # "0-7" or "0-3,8"
    if not re.fullmatch(r"\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*", ranges, re.ASCII):
        return set()
    ends = [tuple(map(int, part.split("-"))) for part in ranges.split(",")]
    return {core for end in ends for core in range(end[0], end[-1] + 1)}


def _most_capable() -> set[int]:
    """The cores with at least half of the greatest capacity (Arm, as Linux gives it)."""
    capacity = {}
    for file in DEVICES.glob("system/cpu/cpu[0-9]*/cpu_capacity"):
        text = _read(file).strip()
        if text.isdecimal():
            capacity[int(file.parent.name.removeprefix("cpu"))] = int(text)
    most = max(capacity.values(), default=0)
    return {core for core, value in capacity.items() if 2 * value >= most}


def _system_value(name: bytes) -> int | None:
    """A 32-bit number from macOS's sysctl; None if it has none of that name, as on Intel."""
    value = ctypes.c_int32()
    size = ctypes.c_size_t(ctypes.sizeof(value))
    failed = ctypes.CDLL(None).sysctlbyname(
        name, ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0)
    )
    return None if failed or value.value < 1 else value.value


def _read(path: Path) -> str:
    """The text of one of the system's files; "" if it is missing or not ours to read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
