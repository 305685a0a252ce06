"""The tables of the bench as text."""

from collections.abc import Iterator
from typing import Any

from minivae.studies.bench.runners import NAMES
from minivae.studies.bench.tables import SWEPT

TABLES = {  # of steps, by their key in the report
    "steps": "One training step",
    "steps_on_one_thread": "One training step",
    "steps_on_dense_images": "A step on images without zeros",
}


def format_report(result: dict[str, Any]) -> str:
    """The tables as text."""
    machine = result["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, "
        f"registers of {machine['float32_lanes']} float32",
        ", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
        *(f"{name}: not measured, {reason}" for name, reason in result["absent"].items()),
    ]
    for key, title in TABLES.items():
        for row in result.get(key, ()):
            lines += ["", *step_lines(title, row)]
    if "products" in result:
        lines += ["", *_product_lines(result["products"]), "", *_memory_lines(result["memory"])]
    for what, table in result.get("sweep", {}).items():
        lines += ["", *sweep_lines(what, table)]
    return "\n".join(lines)


def step_lines(title: str, row: dict[str, Any]) -> Iterator[str]:
    """One table of steps, line by line."""
    size = f"{row['data_dim']}-{row['hidden']}-{row['hidden']}-{row['latent']}"
    beside = f", beside {row['busy']} busy processes" if row.get("busy") else ""
    yield f"{title}, {size}, batch {row['batch']}, threads: {row['threads']}{beside}"
    unit = "ms, means of turns" if row.get("busy") else "ms, median (quartiles)"
    yield f"  {'':16}{unit:>28}{'ratio to minivae, numba':>30}"
    for name, time_ in row["milliseconds"].items():
        ratio = _range(row["ratios"][name], 2) if name in row["ratios"] else "1"
        yield f"  {NAMES[name]:16}{_range(time_, 2):>28}{ratio:>30}"
    yield from _absence_lines(row)
    parts = " + ".join(
        f"{name} {t['median']:.2f}" for name, t in row["limit_parts_milliseconds"].items()
    )
    yield (
        f"  limit: {row['gflop']:.3f} GFLOP at {row['best_gflop_per_second']['median']:.0f} GFLOP/s"
        f" or {row['megabytes']:.0f} MB at {row['gigabytes_per_second']['median']:.0f} GB/s, the "
        "larger for each part"
    )
    yield f"    ms: {parts} = {row['limit_milliseconds']['median']:.2f}"
    yield f"  the numba step reaches {row['fraction_of_limit']['median']:.0%} of its speed"
    if row["fastest_opponent"]:
        ratio = row["ratios"][row["fastest_opponent"]]["median"]
        yield f"  against the fastest opponent, {NAMES[row['fastest_opponent']]}: {ratio:.2f}"
    if row["loses_to"]:
        yield f"  minivae, numba loses to {_names(row['loses_to'])}"


def _absence_lines(row):
    for name, reason in row["did_not_start"].items():
        yield f"  {NAMES[name]:16}did not start: {reason}"


def _names(contestants):
    return " and ".join(NAMES[name] for name in contestants)


def _product_lines(products):
    yield "The products of a step, microseconds: kernel, NumPy's BLAS, ratio"
    for row in products["rows"]:
        yield (
            f"  {row['product']:18}{row['m']:>5} x {row['k']:>4} x {row['n']:>4}"
            f"{row['kernel_microseconds']['median']:>10.0f}{row['blas_microseconds']['median']:>8.0f}"
            f"   {_range(row['ratio'], 2):>19}"
        )
    yield f"  all of them: {_range(products['sum_ratio'], 2)}"


def _memory_lines(memory):
    yield "Peak memory of a process that trains, MB"
    for name, megabytes in memory.items():
        yield f"  {NAMES[name]:16}" + (f"{megabytes:>8.0f}" if megabytes else " not available")


def sweep_lines(what: str, table: dict[str, Any]) -> Iterator[str]:
    """The sweep over one size, line by line."""
    names = [name for name in SWEPT if any(name in row["milliseconds"] for row in table["rows"])]
    yield f"A step, ms, by {what:10}" + "".join(f"{NAMES[name]:>18}" for name in names)
    for row in table["rows"]:
        medians = {name: time_["median"] for name, time_ in row["milliseconds"].items()}
        loses = f"   loses to {_names(row['loses_to'])}" if row["loses_to"] else ""
        yield f"  {row['value']:>22} " + _cells(medians, names) + loses
        yield from _absence_lines(row)
    yield f"  {'grows with power':>22} " + _cells(table["growth_exponents"], names)


def _cells(numbers, names):
    return "".join(f"{numbers[name]:>18.2f}" if name in numbers else f"{'-':>18}" for name in names)


def _range(spread, digits):
    low, median, high = (f"{spread[key]:.{digits}f}" for key in ("low", "median", "high"))
    return f"{median} ({low} to {high})"
