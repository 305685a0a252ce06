"""The number of cores: affinity, a container's quota, performance cores, as a system gives them."""

import ctypes
import os
import sys

import pytest

from minivae import kernels
from minivae.kernels import cores

pytestmark = pytest.mark.usefixtures("system")


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system of 16 cores without quota, whose files the test writes; -> its root folder."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 16, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    for name in cores.LIMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cores, "PROC_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(cores, "DEVICES", tmp_path / "devices")
    return tmp_path


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def version_1(name, quota, period=100_000):
    folder = f"groups/{name}"
    return {
        f"{folder}/cpu.cfs_quota_us": f"{quota}\n",
        f"{folder}/cpu.cfs_period_us": f"{period}\n",
    }


# ---- what Python counts --------------------------------------------------------------------------


def test_without_limits_all_usable_cores_count(monkeypatch):
    assert cores.core_count() == 16
    monkeypatch.setattr(os, "process_cpu_count", lambda: 3)
    assert cores.core_count() == 3


@pytest.mark.parametrize("name", ["LOKY_MAX_CPU_COUNT", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"])
def test_the_limits_of_joblib_and_its_workers_count(monkeypatch, name):
    for text, expected in (("3", 3), (" 2 ", 2), ("64", 16), ("0", 16), ("4,2", 16), ("x", 16)):
        monkeypatch.setenv(name, text)
        assert cores.core_count() == expected


def test_before_python_3_13_the_affinity_mask_counts(monkeypatch):
    monkeypatch.delattr(os, "process_cpu_count")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5})
    assert cores.core_count() == 2


def test_without_an_affinity_mask_as_on_macos_and_windows_all_cores_count(monkeypatch):
    monkeypatch.delattr(os, "process_cpu_count")
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores.core_count() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores.core_count() == 1


def test_the_kernels_start_no_more_threads_than_that(system, monkeypatch):
    monkeypatch.delenv("MINIVAE_NUM_THREADS", raising=False)
    write(system, {"cgroup": "0::/\n", "groups/cpu.max": "500000 100000\n"})
    assert kernels.thread_count() == 5


# ---- a container's quota -------------------------------------------------------------------------

V2, V1 = "0::/a/b\n", "5:memory:/a\n4:cpu,cpuacct:/a/b\n1:name=systemd:/a\n0::/a\n"
QUOTAS = {
    "no limit": (V2, {"groups/a/b/cpu.max": "max 100000\n"}, 16),
    "version 2": (V2, {"groups/a/b/cpu.max": "400000 100000\n"}, 4),
    "rounded down": (V2, {"groups/a/b/cpu.max": "390000 100000\n"}, 3),
    "less than one core": (V2, {"groups/a/b/cpu.max": "20000 100000\n"}, 1),
    "another period": (V2, {"groups/a/b/cpu.max": "100000 50000\n"}, 2),
    "of the group above": (
        V2,
        {"groups/a/cpu.max": "200000 100000", "groups/a/b/cpu.max": "800000 100000"},
        2,
    ),
    "of a container's root": ("0::/../far\n", {"groups/cpu.max": "300000 100000"}, 3),
    "a path outside the container": ("0::/host/docker/1\n", {"groups/cpu.max": "200000 100000"}, 2),
    "version 1": (V1, version_1("cpu,cpuacct/a/b", 250_000, 50_000), 5),
    "version 1, under its short name": (V1, version_1("cpu/a", 700_000), 7),
    "version 1, no limit": (V1, version_1("cpu,cpuacct/a/b", -1), 16),
    "both versions": (V1, {"groups/unified/a/cpu.max": "600000 100000"}, 6),
    "another controller": ("4:cpuset:/a\n", version_1("cpuset/a", 100_000), 16),
    "no quota's file": (V2, {}, 16),
    "a period of 0": (V2, {"groups/a/b/cpu.max": "100000 0"}, 16),
    "an empty file": (V2, {"groups/a/b/cpu.max": ""}, 16),
    "no numbers": (V2, {"groups/a/b/cpu.max": "some more"}, 16),
    "a malformed list": ("cpu\n::\n1:memory\n", {"groups/cpu.max": "2 1"}, 16),
}


@pytest.mark.parametrize("case", QUOTAS)
def test_a_quota_limits_the_cores(system, case):
    groups, files, expected = QUOTAS[case]
    write(system, {"cgroup": groups, **files})
    assert cores.core_count() == expected


# ---- performance cores ---------------------------------------------------------------------------


def capacities(*values):
    return {
        f"devices/system/cpu/cpu{core}/cpu_capacity": f"{value}\n"
        for core, value in enumerate(values)
    }


HYBRIDS = {
    "Intel": ({"devices/cpu_core/cpus": "0-7\n", "devices/cpu_atom/cpus": "8-15\n"}, 8),
    "Intel, with gaps": ({"devices/cpu_core/cpus": "0-3,6,20-30\n"}, 5),
    "Intel, held to its efficiency cores": ({"devices/cpu_core/cpus": "16-19"}, 16),
    "no list": ({"devices/cpu_core/cpus": "all\n"}, 16),
    "Arm": (capacities(446, 446, 446, 446, 1024, 1024), 2),
    "Arm, three kinds": (capacities(300, 300, 900, 900, 900, 1024), 4),
    "Arm, all alike": (capacities(*[1024] * 16), 16),
    "no capacities": (capacities("", "?"), 16),
}


@pytest.mark.parametrize("case", HYBRIDS)
def test_on_linux_efficiency_cores_are_left_out(system, case):
    files, expected = HYBRIDS[case]
    write(system, files)
    assert cores.core_count() == expected


@pytest.mark.parametrize(("cores_there", "expected"), [(10, 10), (None, 16)])
def test_on_macos_efficiency_cores_are_left_out(monkeypatch, cores_there, expected):
    """An Intel Mac has no value of that name, and sysctlbyname returns -1."""

    class Library:
        def __init__(self, name):
            assert name is None

        def sysctlbyname(self, name, value, size, new, new_size):
            assert name == b"hw.perflevel0.logicalcpu"
            assert (size._obj.value, new, new_size.value) == (4, None, 0)
            if cores_there is None:
                return -1
            value._obj.value = cores_there
            return 0

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", Library)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores.core_count() == expected
