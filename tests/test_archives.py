"""minivae's own archives come back as they were written; damaged or crafted ones are refused."""

import io
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
from refusals import refusal

from minivae import files
from minivae.errors import MinivaeError
from minivae.files import archives

MODEL = {
    "flat": np.linspace(-1, 1, 60, dtype=np.float32),
    "table": np.arange(12, dtype=np.int64).reshape(3, 4),
    "step": np.array(7, np.uint32),
}
META = {"kind": "model", "spec": {"hidden": [200, 200], "beta": 0.1}, "state": 2**127 + 1}


def assert_same(arrays, meta):
    assert meta == META
    assert set(arrays) == set(MODEL)
    for name, array in MODEL.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        assert arrays[name].tobytes() == array.tobytes()


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.npz"
    files.write_archive(path, MODEL, META)
    return path


def test_an_archive_comes_back_as_it_was(saved):
    arrays, meta = files.read_archive(saved, kind="model")
    assert_same(arrays, meta)
    assert all(array.flags.writeable and array.flags.c_contiguous for array in arrays.values())


@pytest.mark.parametrize("dtype", files.ARCHIVE_DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (2, 0, 3)])
def test_every_dtype_and_shape_comes_back(tmp_path, dtype, shape):
    array = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    files.write_archive(tmp_path / "a", {"x": array}, {"kind": "test"})
    back = files.read_archive(tmp_path / "a", kind="test")[0]["x"]
    assert back.dtype == array.dtype
    assert back.shape == shape
    assert back.tobytes() == array.tobytes()


def test_numpy_reads_an_archive_without_pickle(saved):
    with np.load(saved, allow_pickle=False) as archive:
        assert set(archive.files) == {"meta.json", *MODEL}
        for name, array in MODEL.items():
            assert np.array_equal(archive[name], array)
        assert json.loads(archive["meta.json"])["meta"] == META


def test_equal_content_gives_equal_bytes(saved, tmp_path):
    """The file does not depend on the order of the dict, the memory layout or the time."""
    other = {name: np.asfortranarray(MODEL[name]) for name in reversed(MODEL)}
    other["step"] = other["step"].reshape(())
    other["table"] = other["table"].astype(">i8")
    files.write_archive(tmp_path / "b", other, dict(reversed(META.items())))
    assert (tmp_path / "b").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_not_written(tmp_path, saved, bad):
    before = saved.read_bytes()
    flat = MODEL["flat"].copy()
    flat[3] = bad
    assert "array flat holds NaN" in refusal(files.write_archive, saved, {"flat": flat}, META)
    assert "NaN" in refusal(files.write_archive, saved, MODEL, {**META, "loss": bad})
    assert saved.read_bytes() == before


def test_what_the_programmer_got_wrong_is_not_written(tmp_path):
    for arrays in ({"../a": np.zeros(1)}, {"a": np.zeros(1, complex)}, {"a": np.array([None])}):
        with pytest.raises(ValueError, match="array"):
            files.write_archive(tmp_path / "a", arrays, META)
    assert os.listdir(tmp_path) == []


def test_the_wrong_kind_is_refused(saved):
    message = refusal(files.read_archive, saved, kind="checkpoint")
    assert "holds a model, not a checkpoint" in message


def reseal(path, data):
    """Write bytes with a correct seal, as anybody can who knows the format."""
    path.write_bytes(archives.seal(data))


@pytest.mark.parametrize(
    ("version", "said"),
    [(2, "a later minivae, in format 2"), (0, "an earlier minivae, in format 0")],
)
def test_another_format_version_says_who_wrote_it(saved, version, said):
    data = saved.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    head = json.loads(members["meta.json"]) | {"format_version": version}
    reseal(saved, archives.zip_bytes(members | {"meta.json": json.dumps(head).encode()}))
    assert said in refusal(files.read_archive, saved, kind="model")


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"hello" * 100)
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    for name in (".", "empty", "text", "other.npz", "missing", "missing/a", "a" * 300):
        assert refusal(files.read_archive, tmp_path / name, kind="model")
    assert "a folder" in refusal(files.read_archive, tmp_path, kind="model")
    assert "does not exist" in refusal(files.read_archive, tmp_path / "missing", kind="model")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    message = refusal(files.read_archive, tmp_path / "pipe", kind="model")
    assert "not an ordinary file" in message


def test_a_message_stays_one_printable_line(tmp_path):
    message = refusal(files.read_archive, tmp_path / "a\n\x1b[31m\u202eb", kind="model")
    assert message.isprintable()
    assert r"a\n\x1b[31m\u202eb" in message


def attempt(path):
    try:
        return files.read_archive(path, kind="model"), None
    except MinivaeError as error:
        return None, str(error)


def check_flips_and_cuts(saved, flips, cuts):
    """Each damaged copy is refused with a line that names the file, or holds the same content."""
    data = saved.read_bytes()
    rng = np.random.default_rng(11)
    damaged = []
    for bit in rng.choice(8 * len(data), flips, replace=False):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        damaged.append(bytes(flipped))
    damaged += [data[:length] for length in rng.choice(len(data), cuts, replace=False)]
    for copy in damaged:
        saved.write_bytes(copy)
        content, message = attempt(saved)
        if content:
            assert_same(*content)
        else:
            assert saved.as_posix() in message
            assert "\n" not in message


def test_bit_flips_and_truncations_are_refused(saved):
    check_flips_and_cuts(saved, 100, 50)


@pytest.mark.slow
def test_2000_bit_flips_and_500_truncations_are_refused(saved):
    check_flips_and_cuts(saved, 2000, 500)


def npy(descr="<f4", shape=(1,), data=b"\0\0\0\0"):
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def head(arrays, **changes):
    fields = {"format": "minivae", "format_version": 1, "kind": "model", "meta": {"kind": "model"}}
    return json.dumps(fields | {"arrays": arrays} | changes).encode()


ONE = {"a": ["float32", [1]]}
CRAFTED = {
    "no description": {"a.npy": npy()},
    "description not JSON": {"meta.json": b"{", "a.npy": npy()},
    "description a list": {"meta.json": b"[]", "a.npy": npy()},
    "description not text": {"meta.json": b"\xff\xfe\xff", "a.npy": npy()},
    "description deep": {"meta.json": b"[" * 200_000, "a.npy": npy()},
    "description a huge integer": {"meta.json": b"9" * 10_000, "a.npy": npy()},
    "description with infinity": {"meta.json": head(ONE, meta=1).replace(b"1,", b"1e999,", 1)},
    "description with NaN": {"meta.json": head(ONE, meta={"x": float("nan")}), "a.npy": npy()},
    "meta not a dict": {"meta.json": head(ONE, meta=[]), "a.npy": npy()},
    "arrays not a dict": {"meta.json": head([]), "a.npy": npy()},
    "array entry no list": {"meta.json": head({"a": 3}), "a.npy": npy()},
    "array entry odd": {"meta.json": head({"a": [[], {}]}), "a.npy": npy()},
    "version not a number": {"meta.json": head(ONE, format_version="1"), "a.npy": npy()},
    "kind not text": {"meta.json": head(ONE, kind=["model"]), "a.npy": npy()},
    "array missing": {"meta.json": head(ONE)},
    "array not listed": {"meta.json": head({}), "a.npy": npy()},
    "not finite": {"meta.json": head(ONE), "a.npy": npy(data=b"\0\0\xc0\x7f")},
    "other shape": {"meta.json": head(ONE), "a.npy": npy(shape=(1, 1))},
    "other dtype": {"meta.json": head(ONE), "a.npy": npy("<i4")},
    "objects": {"meta.json": head({"a": ["object", [1]]}), "a.npy": npy("|O", data=b"\x80\x04N.")},
    "text": {"meta.json": head({"a": ["<U1", [1]]}), "a.npy": npy("<U1")},
    "bytes": {"meta.json": head({"a": ["int8", [4]]}), "a.npy": npy("|i1", (4,))},
    "100 GB": {"meta.json": head({"a": ["uint8", [10**11]]}), "a.npy": npy("|u1", (10**11,))},
    "exabytes": {"meta.json": head({"a": ["uint8", [10**18]]}), "a.npy": npy("|u1", (10**18,))},
    "40 axes": {"meta.json": head({"a": ["float32", [1] * 40]}), "a.npy": npy(shape=(1,) * 40)},
    "header cut": {"meta.json": head(ONE), "a.npy": b"\x93NUMPY\x01\x00\xff\xff"},
    "header empty": {"meta.json": head(ONE), "a.npy": b""},
    "header runs code": {"meta.json": head(ONE), "a.npy": npy(shape="__import__('os').abort()")},
}


@pytest.mark.parametrize("case", CRAFTED)
def test_a_crafted_archive_with_a_correct_seal_is_refused(tmp_path, case):
    path = tmp_path / "model.npz"
    reseal(path, archives.zip_bytes(CRAFTED[case]))
    tracemalloc.start()
    try:
        message = refusal(files.read_archive, path, kind="model")
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert "model.npz" in message


def test_a_type_that_is_never_saved_is_named(tmp_path):
    path = tmp_path / "model.npz"
    reseal(path, archives.zip_bytes(CRAFTED["bytes"]))
    message = refusal(files.read_archive, path, kind="model")
    assert "array a has dtype int8, which minivae never saves" in message


def zip_of(members, method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.comment = bytes(archives.SEAL_BYTES)
    return buffer.getvalue()


def test_a_sealed_zip_bomb_is_refused(tmp_path):
    """Compressed members, and a stored one with a wrong size in both of its headers."""
    path = tmp_path / "model.npz"
    array = npy("|u1", (10**6,), bytes(10**6))
    members = {"meta.json": head({"a": ["uint8", [10**6]]}), "a.npy": array}
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        reseal(path, zip_of(members, method))
        assert refusal(files.read_archive, path, kind="model")
    honest = zip_of(members, zipfile.ZIP_STORED)
    size = len(array).to_bytes(4, "little")
    assert honest.count(size) == 4  # packed and unpacked, in the member's header and the directory
    reseal(path, honest)
    assert files.read_archive(path, kind="model")
    for lie in (len(array) - 1, len(array) + 1, 2**31):
        reseal(path, honest.replace(size, lie.to_bytes(4, "little")))
        assert refusal(files.read_archive, path, kind="model")


def test_names_in_an_archive_never_become_paths(tmp_path):
    """A member called ../evil is either an array of that name or refused: nothing is created."""
    inside = tmp_path / "inside"
    inside.mkdir()
    members = {"meta.json": head({"../evil": ["float32", [1]]}), "../evil.npy": npy()}
    reseal(inside / "model.npz", archives.zip_bytes(members))
    arrays, _ = files.read_archive(inside / "model.npz", kind="model")
    assert list(arrays) == ["../evil"]
    assert os.listdir(tmp_path) == ["inside"]
    assert os.listdir(inside) == ["model.npz"]
