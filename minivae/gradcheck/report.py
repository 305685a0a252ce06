"""The report of `check_backends` as text."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from minivae import mistakes
from minivae.gradcheck.symptoms import VARIES
from minivae.gradcheck.verdicts import CANNOT_TELL, RIGHT, WRONG

WIDTH = 94
INDENT = " " * 6


def format_report(report: dict[str, Any]) -> str:
    """The report of `check_backends` as text: a line for each parameter block, its worst model."""
    if "mistakes" in report:
        return _format_list()
    lines = _planted_lines(report) if "planted" in report else []
    lines += [
        "Is every gradient that was derived by hand the derivative of the loss?",
        "",
        f"{len({b['case'] for b in report['blocks']})} models in float64, small ones entry by "
        "entry, wide ones along random directions.",
        "error = max|by hand - numerical| / the block's largest entry; the worst model counts.",
        "Each entry (or direction) is judged by an error bar of its own: right, wrong, or cannot "
        "tell.",
    ]
    for backend in dict.fromkeys(b["backend"] for b in report["blocks"]):
        lines += ["", *_backend_lines(backend, report["blocks"])]
    for absent in report.get("not_checked", ()):
        lines += ["", *wrap(f"not checked: {absent}", WIDTH)]
    lines += ["", *_conclusion(report)]
    return "\n".join(lines)


def _backend_lines(backend: str, blocks: list[dict[str, Any]]) -> Iterator[str]:
    columns = f"{'central differences':>20}{'complex step':>16}{'entries':>11}"
    yield f"{backend + ' backend':<16}{columns}"
    mine = [b for b in blocks if b["backend"] == backend]
    for name in sorted({b["block"] for b in mine}, key=_reading_order):
        rows = [b for b in mine if b["block"] == name]
        central, complex_step = (_worst(rows, key) for key in ("central_diff", "complex_step"))
        entries = sum(sum(row["entries"].values()) for row in rows)
        verdict = _worst_verdict(rows)
        word = verdict if verdict != WRONG else "WRONG"
        yield f"  {name:<14}{central:>20.1e}{complex_step:>16.1e}{entries:>11}  {word}"
        if verdict != RIGHT:
            alike = [b for b in rows if b["verdict"] == verdict]
            # one with a constant ratio, where there is one: it is the most informative
            shown = min(alike, key=lambda b: VARIES in b["sentence"])
            text = f"in {len(alike)} of {len(rows)} models; {shown['case']}: {shown['sentence']}"
            yield from wrap(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)


def _worst_verdict(rows: list[dict[str, Any]]) -> str:
    return next(v for v in (WRONG, CANNOT_TELL, RIGHT) if v in {row["verdict"] for row in rows})


def _worst(rows: list[dict[str, Any]], key: str) -> float:
    return max(float("inf") if row[key] is None else row[key] for row in rows)


def _reading_order(name: str) -> tuple[int, str]:
    """In the order of the data flow: encoder, heads, decoder, output; then a GAN's two players."""
    sides = ("enc", "mu", "logvar", "dec", "out", "gen", "dis")
    return next(i for i, side in enumerate(sides) if name.startswith(side)), name


def _conclusion(report: dict[str, Any]) -> Iterator[str]:
    if "planted" not in report:
        if report["ok"]:
            yield "Right: every block of every model, by both numerical gradients."
        for verdict, word in ((WRONG, "WRONG"), (CANNOT_TELL, "I can't tell")):
            blocks = {b["block"] for b in report["blocks"] if b["verdict"] == verdict}
            if blocks:
                yield f"{word}: {', '.join(sorted(blocks, key=_reading_order))}"
        return
    mistake = mistakes.find(report["planted"])
    yield from wrap(f"What to expect: {mistake.symptom}", WIDTH)
    if mistake.witness != mistakes.GRADIENT:
        yield from wrap(f"What catches it: {mistake.witness}.", WIDTH)


def _planted_lines(report: dict[str, Any]) -> list[str]:
    mistake = mistakes.find(report["planted"])
    lines = [f"Planted in {mistake.target}: {mistake.name}", mistake.sentence, ""]
    for edit in mistake.edits:
        lines += [f"  - {line.strip()}" for line in edit.right.splitlines()]
        lines += [f"  + {line.strip()}" for line in edit.wrong.splitlines()]
    return [*lines, ""]


def _format_list() -> str:
    lines = ["Mistakes that can be planted, with `gradcheck --plant NAME`:"]
    for mistake in mistakes.MISTAKES:
        lines += [f"  {mistake.name}", f"      {mistake.sentence}"]
    return "\n".join(lines)
