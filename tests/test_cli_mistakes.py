"""A user's mistake on the command line ends in one line that says what would be right."""

import sys
from pathlib import Path

import numpy as np
import tiny

import minivae


def test_numbers_out_of_range(tiny_file, capsys):
    train = ("train", "--data", "tiny.npy")
    for option, value, said in (
        ("--latent", "0", "--latent is 0; it must be a whole number from 1"),
        ("--latent", "99999999999", "--latent is 99999999999"),
        ("--hidden", "0", "--hidden is 0"),
        ("--epochs", "-1", "--epochs is -1; it must be a whole number from 1"),
        ("--batch-size", "0", "--batch-size is 0"),
        ("--lr", "0", "--lr is 0.0; it must be a number above 0"),
        ("--lr", "nan", "--lr is nan"),
        ("--lr", "inf", "--lr is inf"),
        ("--beta", "-1", "--beta is -1.0"),
        ("--warmup", "-0.5", "--warmup is -0.5"),
        ("--free-bits", "nan", "--free-bits is nan"),
        ("--samples", "0", "--samples is 0"),
        ("--variance", "1", "--variance belongs to the gaussian"),
        ("--seed", "-1", "--seed is -1"),
        ("--checkpoint-seconds", "-1", "--checkpoint-seconds is -1"),
        ("--checkpoint-seconds", "nan", "--checkpoint-seconds is nan"),
    ):
        assert said in tiny.refused(tiny_file, capsys, *train, option, value)
    said = tiny.refused(tiny_file, capsys, *train, "--batch-size", "100")
    assert "--batch-size is 100, but there are only 54 training images; choose a smaller" in said


def test_words_that_are_none(tiny_file, capsys):
    for argv, said in (
        ((), "the following arguments are required: COMMAND"),
        (("trian",), "there is no command trian (did you mean train?)"),
        (("frobnicate",), "there is no command frobnicate; `python -m minivae --help` lists"),
        (("train", "--latents", "2"), "no option --latents (did you mean --latent?)"),
        (("train", "--lat", "2"), "no option --lat (did you mean --latent?)"),
        (("train", "--latent"), "argument --latent: expected one argument"),
        (("train", "--latent", "two"), "--latent is 'two'; it must be a whole number"),
        (("train", "--latent", "2.5"), "--latent is '2.5'; it must be a whole number"),
        (("train", "--latent", "9" * 5000), "it must be a whole number"),
        (
            ("train", "--objective", "evidence"),
            "--objective is 'evidence'; it must be one of elbo, iwae",
        ),
        (("train", "--backend", "torch"), "--backend is 'torch'; it must be one of numba, numpy"),
        (
            ("train", "extra"),
            "train has no use for 'extra'; `python -m minivae train --help` lists",
        ),
        (("gradcheck", "--plnt=x"), "no option --plnt (did you mean --plant?)"),
        (("--verison",), "has no option --verison (did you mean --version?)"),
        (("train", "--likelihood", "gausian"), "(did you mean gaussian?)"),
        (("train", "--resume", "--from-run", "x"), "give only one of them"),
        (("exercises", "--review", "--json"), "leave --json out"),
        (("evaluate",), "the following arguments are required: RUN"),
        (("train", "--seed", "1\n2"), "--seed is '1\\n2'; it must be a whole number"),
    ):
        assert said in tiny.refused(tiny_file, capsys, *argv)


def test_data_that_are_none(tiny_file, capsys):
    """The list of what people pass by mistake; each line says what would be right."""
    grey = tiny.images()
    Path("empty").mkdir()
    Path("text.npy").write_text("no array")
    holes = grey / 255
    for name, images, said in (
        (
            "labels",
            np.arange(60) % 10,
            "60 integers looks like labels; give the images",
        ),
        ("one", grey[0, 0].astype(float), "not a stack of images"),
        ("channels", np.zeros((5, 6, 6, 2), np.uint8), "colour channels; convert to grey"),
        ("five", np.zeros((2, 2, 2, 2, 2)), "has 5 dimensions"),
        ("nothing", grey[:0], "holds no images"),
        ("nan", np.where(holes > 0.5, np.nan, holes), "NaN or infinite"),
        ("inf", np.where(holes > 0.5, np.inf, holes), "NaN or infinite"),
        ("floats", grey.astype(np.float64), "divide by 255 or pass uint8"),
        ("signed", grey / 127.5 - 1, "rescale or clip them to [0, 1]"),
        ("big", grey.astype(np.int64) * 2, "give integers in 0..255"),
        ("text", np.array([["a", "b"]]), "dtype <U1; save a plain array of numbers"),
    ):
        np.save(name, images, allow_pickle=False)
        assert said in tiny.refused(tiny_file, capsys, "train", "--data", f"{name}.npy")
    for name, said in (
        ("mnits", "did you mean mnist?"),
        ("nowhere.npy", "known names are mnist and cats, or give a .npy"),
        ("empty", "holds no PNG images"),
        ("", "give the name of a file or folder"),
        ("\0", "give the name of a file or folder"),
        ("x" * 5000, "no data set or file is called"),
    ):
        assert said in tiny.refused(tiny_file, capsys, "train", "--data", name)
    (tiny_file / "text.npy").write_text("no array")
    assert "in an unknown format" in tiny.refused(tiny_file, capsys, "train", "--data", "text.npy")


def test_integer_images_of_any_width_are_fine(tiny_file, capsys):
    """int64 in 0..255 is what many arrays are: it gives the same model as uint8."""
    tiny.command(capsys, "train", *tiny.OPTIONS)
    np.save("tiny.npy", tiny.images().astype(np.int64))
    assert tiny.command(capsys, "train", *tiny.OPTIONS)[0] == 0
    assert tiny.outputs(tiny_file / "runs/tiny") == tiny.outputs(tiny_file / "runs/tiny-2")


def test_places_that_cannot_be_used(tiny_file, capsys):
    Path("file").write_text("")
    Path("thesis").mkdir()
    Path("thesis", "chapter.tex").write_text("years of work")
    for out in ("file", "file/below", "thesis", "", "\0", "y" * 300):
        tiny.refused(tiny_file, capsys, "train", *tiny.OPTIONS, "--out", out)
    for out in ("thesis", "file"):
        tiny.refused(tiny_file, capsys, "train", "--resume", "--out", out)


def test_evaluating_what_does_not_fit(tiny_file, capsys):
    tiny.command(capsys, "train", *tiny.OPTIONS)
    np.save("wide.npy", tiny.images(side=8))
    for argv, said in (
        (("runs/tiny", "--data", "wide.npy"), "have 64 pixels; this model takes 36"),
        (("runs/tiny", "--data", "nowhere"), "no data set or file is called nowhere"),
        (("runs/tiny", "--samples", "0"), "--samples is 0"),
        (("runs/tiny", "--limit", "0"), "--limit is 0; it must be a whole number from 1"),
        (("runs/tiny", "--seed", "-1"), "--seed is -1"),
        (("nowhere",), "nowhere does not exist; give a run folder"),
        (("tiny.npy",), "tiny.npy is not a run folder"),
        (("runs",), "runs is not a run folder"),
        (("",), "the run is ''"),
    ):
        assert said in tiny.refused(tiny_file, capsys, "evaluate", *argv)
    for argv, said in (
        (("runs/tiny", "--count", "0"), "--count is 0; it must be a whole number from 1 to 10000"),
        (("runs/tiny", "--count", "1000000000"), "it must be a whole number from 1 to 10000"),
        (("runs/tiny", "--out", "nowhere/x.png"), "create the folder first"),
        (("runs/tiny", "--out", "tiny.npy"), "give a name that ends in .png"),
        (("runs/tiny", "--out", "runs/tiny/model.npz"), "give a name that ends in .png"),
    ):
        assert said in tiny.refused(tiny_file, capsys, "sample", *argv)
    said = tiny.refused(tiny_file, capsys, "explore", "runs/tiny", "--out", "runs/tiny/run.json")
    assert "give a name that ends in .html" in said


def test_names_from_outside_cannot_write_on_the_terminal(tiny_file, capsys):
    """An escape sequence in a name is shown, not obeyed; an unprintable byte does not crash."""
    err = tiny.refused(tiny_file, capsys, "evaluate", "\x1b[2J\x07")
    assert "\\x1b[2J\\x07" in err
    assert "\\x1b[2J" in tiny.refused(tiny_file, capsys, "train", "\x1b[2J")
    tiny.refused(tiny_file, capsys, "evaluate", "\udcff\udcfe")


def test_no_module_is_no_traceback(tiny_file, capsys, monkeypatch):
    """numba may be missing on a machine: the reference backend is one option away."""
    monkeypatch.setitem(sys.modules, "minivae.kernels", None)
    monkeypatch.delattr(minivae, "kernels", raising=False)
    argv = [word if word != "numpy" else "numba" for word in tiny.OPTIONS]
    message = tiny.refused(tiny_file, capsys, "train", *argv)
    assert 'use the numpy backend (--backend numpy, or backend="numpy")' in message
