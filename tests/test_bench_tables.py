"""The tables of the bench: which measurements each asks for, how they are asked for, and the whole
command."""

import gc
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tiny
from bench_parts import ROOT, SIZE, spread, step_row, without

from minivae import MinivaeError, kernels
from minivae.studies.bench import report, runners, tables

pytestmark = pytest.mark.usefixtures("mnist_loaded_once")

needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot hold a process to some cores"
)


@pytest.fixture
def asked(monkeypatch):
    """What `run` asks to be measured, [(measure, threads, arguments)]; the answers are made up."""
    calls = []

    def answer(measure, threads, **arguments):
        calls.append((measure, threads, arguments))
        if measure == "steps":
            row = step_row(arguments["size"], arguments["contestants"])
            return row | {"images": arguments.get("images", "digits")}
        return {
            "products": {"rows": [], "sum_ratio": spread(1.25)},
            "memory": {"megabytes": 100.0},
        }[measure]

    monkeypatch.setattr(tables, "ask", answer)
    monkeypatch.setattr(kernels, "thread_count", lambda: 2)
    return calls


def test_who_is_not_installed_is_named_as_such(asked, monkeypatch):
    without(monkeypatch, "torch")
    result = json.loads(json.dumps(tables.measure_all(quick=True)))
    reason = "torch is not installed"
    assert result["absent"].items() >= {"PyTorch eager": reason, "torch.compile": reason}.items()
    assert "torch" not in result["machine"]["versions"]
    for measure, _, arguments in asked:
        if measure == "steps":
            assert not any(name.startswith("torch") for name in arguments["contestants"])
            assert {"numba", "numpy"} <= {*arguments["contestants"]}
    assert not any(name.startswith("torch") for name in result["memory"])
    text = report.format_report(result)
    for name in ("PyTorch eager", "torch.compile", "torch autotuned"):
        assert f"{name}: not measured, torch is not installed" in text.splitlines()


def test_with_nothing_but_minivae_all_tables_are_measured(asked, monkeypatch):
    without(monkeypatch, "torch", "jax")
    result = tables.measure_all()
    assert list(result["absent"]) == [
        "PyTorch eager", "torch.compile", "torch autotuned", "JAX jit", "JAX scan",
    ]  # fmt: skip
    assert set(result["memory"]) == {"numba", "numpy"}
    assert set(result["sweep"]) == {"batch", "hidden", "data_dim", "latent"}


def test_without_numba_there_is_no_bench_and_one_line_says_why(monkeypatch):
    monkeypatch.setitem(sys.modules, "minivae.kernels", None)
    monkeypatch.delattr("minivae.kernels")
    with pytest.raises(MinivaeError, match=r"^the numba backend is not available "):
        tables.measure_all(quick=True)


def of_steps(asked):
    """[(threads, batch, images)] of the tables of steps; the sweep names no images."""
    return [
        (threads, arguments["size"]["batch"], arguments["images"])
        for measure, threads, arguments in asked
        if measure == "steps" and "images" in arguments
    ]


def test_quick_measures_each_table_once(asked):
    result = tables.measure_all(quick=True)
    digits = [(2, batch, "digits") for batch in (20, 100, 500)]
    assert of_steps(asked) == [*digits, (1, 100, "digits"), (2, 100, "noise")]
    assert {a["rounds"] for m, _, a in asked if m == "steps"} == {tables.QUICK_ROUNDS}
    assert "sweep" not in result
    assert [row["images"] for row in result["steps_on_dense_images"]] == ["noise"]
    assert [row["threads"] for row in result["steps_on_one_thread"]] == [1]


def test_the_full_run_adds_one_thread_at_every_batch_and_the_sweep(asked):
    result = tables.measure_all()
    batches = (20, 100, 500)
    digits = [(threads, batch, "digits") for threads in (2, 1) for batch in batches]
    assert of_steps(asked) == [*digits, (2, 100, "noise")]
    for what, table in result["sweep"].items():
        assert [row["value"] for row in table["rows"]] == list(tables.SWEEP[what])
        for row in table["rows"]:
            assert {key: row[key] for key in SIZE} == {**tables.BASE, what: row["value"]}


def test_all_contestants_race_on_dense_images_and_the_sweep_spares_only_the_compiler(
    asked, monkeypatch
):
    monkeypatch.setattr(runners, "absent", lambda name: None)
    result = tables.measure_all()
    for key in report.TABLES:
        for row in result[key]:
            assert list(row["milliseconds"]) == list(runners.CONTESTANTS)
    for table in result["sweep"].values():
        assert all(list(row["milliseconds"]) == list(tables.SWEPT) for row in table["rows"])


def test_beside_busy_processes_only_the_steps_are_measured(asked):
    result = tables.measure_all(busy=3)
    assert [(measure, arguments["busy"]) for measure, _, arguments in asked] == [("steps", 3)] * 3
    assert list(result) == ["machine", "absent", "steps"]
    assert {row["busy"] for row in result["steps"]} == {3}
    assert [arguments["crowded"] for _, _, arguments in asked] == [True] * 3
    tables.measure_all(quick=True)
    steps = [arguments for measure, _, arguments in asked[3:] if measure == "steps"]
    assert [arguments["crowded"] for arguments in steps] == [False] * 5


def test_spinning_processes_live_as_long_as_the_block():
    with tables.spinning(2) as spinners:
        assert [spinner.poll() for spinner in spinners] == [None, None]
    assert None not in [spinner.poll() for spinner in spinners]


def test_one_thread_needs_no_table_of_its_own_where_there_is_only_one(asked, monkeypatch):
    monkeypatch.setattr(kernels, "thread_count", lambda: 1)
    assert "steps_on_one_thread" not in tables.measure_all(quick=True)
    assert {threads for _, threads, _ in asked} == {1}


def test_memory_is_not_asked_of_who_did_not_start(asked, monkeypatch):
    answer = tables.ask

    def without_numpy(measure, threads, **arguments):
        row = answer(measure, threads, **arguments)
        return row | {"did_not_start": {"numpy": "a reason"}} if measure == "steps" else row

    monkeypatch.setattr(tables, "ask", without_numpy)
    assert "numpy" not in tables.measure_all(quick=True)["memory"]


def test_growth_exponents_of_made_up_times():
    """time = c size^p between the two largest sizes, whatever happens below them."""
    rows = [
        {"value": value, "milliseconds": {
            "numba": spread(0.1 * value**2), "numpy": spread(3 + 0 * value),
            "jax": spread(5 * value**0.5) if value != 200 else spread(9e9),
        }}
        for value in (200, 400, 1000)
    ]  # fmt: skip
    assert tables.growth_exponents(rows) == pytest.approx({"numba": 2, "numpy": 0, "jax": 0.5})


def test_who_did_not_start_at_a_size_has_no_exponent():
    rows = [
        {"value": 1, "milliseconds": {"numba": spread(1), "jax": spread(1)}},
        {"value": 2, "milliseconds": {"numba": spread(2), "torch": spread(3)}},
    ]
    assert tables.growth_exponents(rows) == pytest.approx({"numba": 1})


@pytest.fixture
def started(monkeypatch):
    """`_ask` without a process: {"arguments": of subprocess.run, "cores": as seen meanwhile}."""
    seen = {}

    def start(*args, **kwargs):
        seen.update(kwargs, cores=len(os.sched_getaffinity(0)))
        return subprocess.CompletedProcess(args, 0, seen.get("answer", '{"megabytes": 3}'), "")

    monkeypatch.setattr(tables.subprocess, "run", start)
    return seen


@needs_affinity
def test_every_library_gets_the_same_number_of_threads_and_as_many_cores(started):
    before = os.sched_getaffinity(0)
    assert tables.ask("memory", 1, size=SIZE, contestant="numpy") == {"megabytes": 3}
    for name in ("OMP", "OPENBLAS", "MKL", "MINIVAE", "VECLIB"):
        assert started["env"][f"{name}_NUM_THREADS"] == "1"
    assert started["env"]["JAX_PLATFORMS"] == "cpu"
    assert started["cores"] == 1
    assert os.sched_getaffinity(0) == before
    tables.ask("memory", 10**6, size=SIZE, contestant="numpy")
    assert started["cores"] == len(before)


@needs_affinity
def test_a_refusal_in_the_measuring_process_is_one_here(started):
    before = os.sched_getaffinity(0)
    started["answer"] = '{"refused": "JAX jit computes something else"}'
    with pytest.raises(MinivaeError, match=r"^JAX jit computes something else$"):
        tables.ask("steps", 1, size=SIZE, contestants=["numba"], rounds=1)
    assert os.sched_getaffinity(0) == before


def test_a_measuring_process_that_dies_gives_one_line_and_its_own_words(capfd):
    message = "^the measurement of memory ended with status 1: KeyError: 'abacus'$"
    with pytest.raises(MinivaeError, match=message):
        tables.ask("memory", 1, size=SIZE, contestant="abacus")
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("Traceback")


def test_a_process_is_not_charged_with_its_parents_memory():
    """On Linux a new process starts with its parent's peak as its own `ru_maxrss`."""
    ballast = np.ones(400 << 17)  # 400 MB
    megabytes = tables.ask("memory", 1, size=SIZE, contestant="numpy")["megabytes"]
    assert ballast[-1] == 1
    del ballast
    gc.collect()
    assert megabytes is None or 20 < megabytes < 350


def test_what_a_library_prints_is_not_the_result(tmp_path):
    """From Python or past it; and a refusal is an answer, not a traceback."""
    script = (
        "import os\n"
        "from minivae.studies.bench import runners, measuring\n"
        "def noisy(*setting):\n"
        "    print('hello from Python')\n"
        "    os.write(1, b'hello from C\\n')\n"
        "    step, parameters = runners.minivae_runner('numpy')(*setting)\n"
        "    return lambda: step() + 1, parameters\n"
        "runners.RUNNERS['torch'] = noisy\n"
        "measuring.main()\n"
    )
    job = {"size": SIZE, "contestants": ["torch"], "rounds": 1}
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps({"measure": "steps", "arguments": job}),
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert list(answer) == ["refused"]
    assert answer["refused"].startswith("PyTorch eager computes something else: its losses are [")
    assert done.returncode == 0
    assert done.stderr.count("hello from Python") == done.stderr.count("hello from C") == 1


def tiny_bench(monkeypatch, capsys, *argv):
    """The command at a tiny size, its measuring processes included -> result, standard error."""
    monkeypatch.setattr(tables, "BASE", SIZE)
    monkeypatch.setattr(tables, "BATCHES", (SIZE["batch"],))
    for rounds in ("ROUNDS", "QUICK_ROUNDS", "SWEEP_ROUNDS"):
        monkeypatch.setattr(tables, rounds, 1)
    monkeypatch.setattr(kernels, "thread_count", lambda: 2)
    status, out, err = tiny.command(capsys, "bench", "--json", *argv)
    assert status == 0, err
    assert out.count("\n") == 1
    return json.loads(out), err


def check_steps(result, contestants):
    for key in report.TABLES:
        for row in result[key]:
            assert row["did_not_start"] == {}
            assert list(row["milliseconds"]) == contestants
            assert list(row["ratios"]) == [name for name in contestants if name != "numba"]
            for times in (*row["milliseconds"].values(), *row["ratios"].values()):
                assert 0 < times["low"] <= times["median"] <= times["high"]


def test_the_quick_command_prints_one_json_object_with_all_tables(monkeypatch, capsys):
    """One process for each kind of measurement; the next of the kind gets the same answer."""
    without(monkeypatch, "torch", "jax")
    ask, answers = tables.ask, {}

    def ask_once(measure, *args, **arguments):
        if measure not in answers:
            answers[measure] = ask(measure, *args, **arguments)
        return answers[measure]

    monkeypatch.setattr(tables, "ask", ask_once)
    result, err = tiny_bench(monkeypatch, capsys, "--quick")
    assert all(line.startswith("bench: ") for line in err.splitlines())
    assert list(result) == ["machine", "absent", *report.TABLES, "products", "memory"]
    check_steps(result, ["numba", "numpy"])
    assert result["steps_on_one_thread"][0]["threads"] == 1
    assert len(result["products"]["rows"]) == 20
    assert set(result["memory"]) == {"numba", "numpy"}
    assert report.format_report(result)


@pytest.mark.slow
@pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++", "cl"))),
    reason="torch.compile needs a C++ compiler",
)
def test_the_full_command_with_every_opponent_installed(monkeypatch, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("jax", reason="JAX is not installed")
    monkeypatch.setattr(tables, "SWEEP", {"batch": (3, 6)})
    result, _ = tiny_bench(monkeypatch, capsys)
    assert list(result) == ["machine", "absent", *report.TABLES, "products", "memory", "sweep"]
    assert result["absent"] == {}
    check_steps(result, list(runners.CONTESTANTS))
    assert result["steps"][0]["images"] == "digits"
    assert result["steps_on_dense_images"][0]["images"] == "noise"
    assert list(result["memory"]) == list(runners.CONTESTANTS)
    for what, table in result["sweep"].items():
        assert [row["value"] for row in table["rows"]] == list(tables.SWEEP[what])
        assert set(table["growth_exponents"]) == set(tables.SWEPT)
    assert report.format_report(result)
