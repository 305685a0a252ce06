"""The tables of the bench as text: every number of a result is in it."""

import re

import numpy as np
import pytest
from bench_parts import SIZE, step_row

from minivae.studies.bench import report, runners, tables


def made_up():
    """A full result in which every number is another one."""
    numbers = iter(np.arange(1.01, 2000, 1.13))

    def three():
        median = float(next(numbers))
        return {"median": median, "low": median - 0.17, "high": median + 0.26}

    def steps(threads, batch, **changes):
        names = ("numba", "numpy", "torch", "jax")
        return {
            "threads": threads, **tables.BASE, "batch": batch, "images": "digits",
            "milliseconds": {name: three() for name in names},
            "ratios": {name: three() for name in names[1:]},
            "fastest_opponent": "jax", "loses_to": ["jax"], "gflop": float(next(numbers)),
            "best_gflop_per_second": three(), "limit_milliseconds": three(),
            "megabytes": float(next(numbers)), "gigabytes_per_second": three(),
            "limit_parts_milliseconds": {"products": three(), "Adam": three()},
            "fraction_of_limit": three(), "did_not_start": {"torch.compile": "no compiler"},
            **changes,
        }  # fmt: skip

    def product(name, m, k, n):
        return {"product": name, "m": m, "k": k, "n": n, "kernel_microseconds": three(),
                "blas_microseconds": three(), "ratio": three()}  # fmt: skip

    return {
        "machine": {"processor": "An Abacus", "cores": 6, "threads": 5, "float32_lanes": 8,
                    "versions": {"python": "3.99", "jax": "0.77"}},
        "absent": {"PyTorch eager": "torch is not installed"},
        "steps": [steps(5, 20), steps(5, 100), steps(5, 500, loses_to=[])],
        "steps_on_one_thread": [steps(1, 100, loses_to=["numpy", "jax"])],
        "steps_on_dense_images": [steps(5, 100, images="noise")],
        "products": {"rows": [product("enc1: x W", 11, 12, 13), product("out: x W", 14, 15, 16)],
                     "sum_ratio": three()},
        "memory": {"numba": 6001.0, "numpy": 6002.0, "torch": None},
        "sweep": {
            what: {
                "rows": [{"value": 7001, **steps(5, 100)},
                         {"value": 7002, **steps(5, 100, loses_to=[])}],
                "growth_exponents": {"numba": float(next(numbers)), "torch": float(next(numbers))},
            }
            for what in ("batch", "latent")
        },
    }  # fmt: skip


def ranges(spread):
    return f"{spread['median']:.2f} ({spread['low']:.2f} to {spread['high']:.2f})"


@pytest.fixture(scope="module")
def result():
    return made_up()


@pytest.fixture(scope="module")
def lines(result):
    return report.format_report(result).splitlines()


def line_with(lines, *parts):
    """The one line that holds all parts."""
    found = [line for line in lines if all(part in line for part in parts)]
    assert len(found) == 1, (parts, found)
    return found[0]


def test_the_report_names_the_machine_and_who_is_missing(lines):
    assert lines[0] == "An Abacus, 6 cores, 5 threads, registers of 8 float32"
    assert lines[1] == "python 3.99, jax 0.77"
    assert lines[2] == "PyTorch eager: not measured, torch is not installed"


@pytest.mark.parametrize("key", report.TABLES)
def test_the_report_holds_every_number_of_the_steps(key, result, lines):
    for row in result[key]:
        title = f"{report.TABLES[key]}, 784-200-200-50, batch {row['batch']}, "
        starts = [i for i, line in enumerate(lines)
                  if line == title + f"threads: {row['threads']}"]  # fmt: skip
        assert len(starts) == 1
        table = lines[starts[0] :]
        table = table[: table.index("")]
        for name, times in row["milliseconds"].items():
            line = line_with(table, f"  {runners.NAMES[name]} ", ranges(times))
            assert line.endswith("  1" if name == "numba" else ranges(row["ratios"][name]))
        assert "  torch.compile   did not start: no compiler" in table
        limit = line_with(table, f"{row['gflop']:.3f} GFLOP")
        assert f"at {row['best_gflop_per_second']['median']:.0f} GFLOP/s" in limit
        assert f"{row['megabytes']:.0f} MB" in limit
        assert f"at {row['gigabytes_per_second']['median']:.0f} GB/s" in limit
        parts = [f"{n} {t['median']:.2f}" for n, t in row["limit_parts_milliseconds"].items()]
        whole = f"{row['limit_milliseconds']['median']:.2f}"
        assert f"    ms: {' + '.join(parts)} = {whole}" in table
        part = f"{row['fraction_of_limit']['median']:.0%}"
        assert f"  the numba step reaches {part} of its speed" in table
        fastest = row["ratios"]["jax"]["median"]
        assert f"  against the fastest opponent, JAX jit: {fastest:.2f}" in table
        loses = [line for line in table if "loses to" in line]
        names = " and ".join(runners.NAMES[name] for name in row["loses_to"])
        assert loses == ([f"  minivae, numba loses to {names}"] if names else [])


def test_a_table_beside_busy_processes_says_so_and_stands_alone(result):
    """That run holds nothing but the steps."""
    row = result["steps"][0] | {"busy": 4}
    some = {key: result[key] for key in ("machine", "absent")} | {"steps": [row]}
    text = report.format_report(some)
    assert "batch 20, threads: 5, beside 4 busy processes\n" in text
    assert "Peak memory" not in text


def test_the_report_holds_every_number_of_the_products_and_of_memory(result, lines):
    for row in result["products"]["rows"]:
        line = line_with(lines, row["product"], f"{row['m']} x   {row['k']} x   {row['n']}")
        for key in ("kernel_microseconds", "blas_microseconds"):
            assert f"{row[key]['median']:.0f}" in line.split()
        assert line.endswith(ranges(row["ratio"]))
    assert "  all of them: " + ranges(result["products"]["sum_ratio"]) in lines
    assert line_with(lines, " 6001").startswith("  minivae, numba ")
    assert line_with(lines, " 6002").startswith("  minivae, numpy ")
    assert "  PyTorch eager    not available" in lines


@pytest.mark.parametrize("what", ["batch", "latent"])
def test_the_report_holds_every_number_of_the_sweep(what, result, lines):
    start = next(i for i, line in enumerate(lines) if line.startswith(f"A step, ms, by {what}"))
    heading, *table = lines[start : start + 6]
    names = ["numba", "numpy", "torch", "jax"]
    assert re.split("  +", heading)[1:] == [runners.NAMES[name] for name in names]
    for row, line in zip(result["sweep"][what]["rows"], table[::2], strict=False):
        value, *medians = line.split("loses")[0].split()
        assert value == str(row["value"])
        assert medians == [f"{row['milliseconds'][name]['median']:.2f}" for name in names]
    assert [table[0].endswith("   loses to JAX jit"), "loses" in table[2]] == [True, False]
    assert [table[1], table[3]] == 2 * ["  torch.compile   did not start: no compiler"]
    exponents = result["sweep"][what]["growth_exponents"]
    cells = table[4].removeprefix("        grows with power").split()
    assert cells == [f"{exponents['numba']:.2f}", "-", f"{exponents['torch']:.2f}", "-"]


def test_who_starts_at_one_size_only_keeps_a_column_in_the_sweep():
    rows = [{"value": 1, **step_row(SIZE)}, {"value": 2, **step_row(SIZE, ["numba", "jax"])}]
    heading, *table = report.sweep_lines("batch", {"rows": rows, "growth_exponents": {"numba": 1}})
    assert re.split("  +", heading)[1:] == ["minivae, numba", "minivae, numpy", "JAX jit"]
    assert table[0].split() == ["1", "1.00", "2.00", "-"]
    assert table[1].split() == ["2", "1.00", "-", "2.00"]
