"""A conditional model in a run folder: trained, stopped and resumed, drawn from and scored."""

import functools
import json

import numpy as np
import pytest
import tiny
from refusals import refusal

from minivae import MinivaeError, checks, conditional, data, evaluate, files, runs, train, vae
from minivae.runs import model_files
from minivae.spec import unpack

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")
OPTIONS = ("train", "--condition", "labels", *tiny.OPTIONS[2:], "--data", "tiny.npz")
BACKENDS = ("numpy", "numba")
NAMES = ("cat", "dog", "horse")


def dataset(**changes):
    """Three classes, of which only the numbers 3, 5 and 8 occur."""
    labels = np.array([3, 5, 8])[np.arange(tiny.TRAIN + tiny.TEST) % 3]
    made = tiny.dataset(train_labels=labels[: tiny.TRAIN], test_labels=labels[tiny.TRAIN :])
    return made._replace(**changes)


def settings(**changes):
    return tiny.settings(condition="labels", **changes)


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    labels = np.array([3, 5, 8])[np.arange(tiny.TRAIN + tiny.TEST) % 3]
    np.savez(tmp_path / "tiny.npz", images=tiny.images(), labels=labels)
    words = np.array(NAMES)[np.arange(tiny.TRAIN + tiny.TEST) % 3]
    np.savez(tmp_path / "words.npz", images=tiny.images(), labels=words)
    np.save(tmp_path / "tiny.npy", tiny.images())
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---- labels as classes -------------------------------------------------------------------------


def test_the_labels_that_occur_are_the_classes_in_order():
    made = dataset()
    assert data.class_labels(made) == (3, 5, 8)
    assert data.classes_of(np.array([8, 3, 3]), made, (3, 5, 8)).tolist() == [2, 0, 0]
    named = made._replace(train_labels=np.array([2, 0, 2]), classes=NAMES)
    assert data.class_labels(named) == ("cat", "horse")
    # other data number the same names otherwise
    other = made._replace(classes=("horse", "cat"))
    assert data.classes_of(np.array([0, 1, 0]), other, ("cat", "horse")).tolist() == [1, 0, 1]
    with pytest.raises(MinivaeError, match=r"not trained on the label 9; it knows 3, 5, 8"):
        data.classes_of(np.array([3, 9]), made, (3, 5, 8))
    assert data.class_labels(tiny.dataset()) == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_labels": None, "test_labels": None}, "the data tiny have no labels"),
        ({"test_labels": None}, "test images of the data tiny have no labels"),
        ({"train_labels": np.zeros(tiny.TRAIN, int)}, "1 different values"),
        ({"test_labels": np.full(tiny.TEST, 9)}, "label 9 and no training image"),
        ({"test_labels": np.full(tiny.TEST, 9), "classes": (*"abcdefghi", "yak")}, "label yak"),
    ],
)
def test_data_without_the_labels_that_it_needs_are_refused(changes, words):
    message = refusal(checks.check_settings, settings(), dataset(**changes))
    assert message.startswith("condition is 'labels', but ")
    assert words in message


def test_numbers_are_not_taken_for_classes():
    many = np.arange(checks.MAX_CLASSES + 1)
    made = dataset(
        train=np.zeros((len(many), 4), np.uint8), train_labels=many, test_labels=many[:0]
    )._replace(test=np.zeros((0, 4), np.uint8), image_shape=(2, 2))
    assert "1001 different values" in refusal(checks.check_settings, settings(), made)


def test_what_has_no_labels_refuses():
    iwae = settings(objective="iwae", samples=3)
    assert "condition is for the elbo" in refusal(checks.check_settings, iwae, dataset())
    images = tiny.images()
    assert "the class VAE" in refusal(tiny.estimator(condition="labels").fit, images)
    assert "must be one of" in refusal(tiny.estimator(condition="digits").fit, images)


# ---- training ----------------------------------------------------------------------------------


def bright(seed):
    """Images of one bright column, whose place is the label: 60 of (1, 3)."""
    y = np.random.default_rng(seed).integers(0, 3, 60)
    images = np.zeros((60, 3), np.uint8)
    images[np.arange(60), y] = 255
    return tiny.dataset(
        train=images, train_labels=y, test=images[:9], test_labels=y[:9], image_shape=(1, 3)
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_draws_the_class_that_it_is_told(backend):
    """And z carries nothing, because the label says all."""
    made = bright(0)
    chosen = settings(epochs=150, lr=1e-2, schedule="constant", backend=backend)
    state = train.train(made, chosen)
    spec = train.spec_of(made, chosen)
    for label in range(3):
        flat, plain = conditional.given(state.flat, spec, label)
        drawn = vae.sample(unpack(flat, plain), 50, np.random.default_rng(0), plain)
        assert np.abs(drawn - np.eye(3)[label]).max() < 0.1
    last = state.history[-1]
    assert -last["test_elbo"] < 0.1 < np.log(3)  # the cost of an image without its label
    assert last["test_kl"] < 0.01


@pytest.mark.parametrize("samples", [1, 2])
def test_a_step_is_adam_on_the_gradient_with_the_labels_of_the_batch(samples):
    made = dataset()
    chosen = settings(samples=samples, likelihood="gaussian", variance=0.5)
    seen = []

    def watch(params, x, y, eps, spec, **kwargs):
        seen.append((x, y))
        return right(params, x, y, eps, spec, **kwargs)

    right = conditional.elbo_and_grads
    conditional.elbo_and_grads = watch
    try:
        train.train(made, chosen._replace(epochs=1))
    finally:
        conditional.elbo_and_grads = right
    known = {row.tobytes(): label for row, label in zip(made.train, made.train_labels, strict=True)}
    for x, y in seen:
        rows = np.rint(255 * x).astype(np.uint8)
        assert [known[row.tobytes()] for row in rows] == np.array([3, 5, 8])[y].tolist()
    assert sum(len(y) for _, y in seen) == samples * tiny.TRAIN


def test_without_the_option_no_bit_changes():
    """Labels or none: an ordinary model does not look at them."""
    plain = train.train(tiny.dataset(), tiny.settings()).flat
    labelled = train.train(dataset(), tiny.settings()).flat
    assert plain.tobytes() == labelled.tobytes()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stop_after_any_step_changes_no_bit(tmp_path, backend):
    made, chosen = dataset(), settings(backend=backend)
    tiny.run(tmp_path / "whole", made, chosen)
    expected = tiny.outputs(tmp_path / "whole")
    for steps in range(1, 2 * tiny.STEPS_PER_EPOCH + 1):
        folder = tmp_path / f"stopped-{steps}"
        with pytest.raises(train.Interrupted):
            tiny.run(folder, made, chosen, should_stop=tiny.stop_after(steps))
        tiny.run(folder, made, chosen)
        assert tiny.outputs(folder) == expected, f"stopped after step {steps}"


# ---- its numbers -------------------------------------------------------------------------------


def test_its_numbers_are_those_of_the_ordinary_models_of_the_labels(tmp_path):
    made = dataset()
    model, _ = tiny.run(tmp_path / "run", made, settings())
    x = data.test_images(made.test, "bernoulli")
    y = data.classes_of(made.test_labels, made, model.labels)
    found = evaluate.evaluate_conditional(model.flat, x, y, model.spec, samples=3000)
    log_p = [
        evaluate.log_likelihood(
            plain.params, x[i : i + 1], plain.spec, samples=3000, rng=np.random.default_rng(i)
        ).mean
        for i in range(len(x))
        for plain in [model.given(model.labels[y[i]])]
    ]
    assert found["log_likelihood"] == pytest.approx(np.mean(log_p), abs=0.05)
    assert found["elbo"] < found["log_likelihood"]
    assert found["elbo"] == pytest.approx(-(found["nll"] + found["kl"]))
    assert (found["classes"], found["images"], found["latent_dim"]) == (3, len(x), 2)
    again = evaluate.evaluate_conditional(model.flat, x[:2], y[:2], model.spec, samples=3000)
    assert again["log_likelihood"] != found["log_likelihood"]
    swapped = evaluate.evaluate_conditional(model.flat, x, (y + 1) % 3, model.spec, samples=50)
    assert swapped["elbo"] != found["elbo"]


# ---- files -------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path):
    return tiny.run(tmp_path / "run", dataset(), settings())[0]


def test_a_saved_model_comes_back(tmp_path, model):
    assert model.labels == (3, 5, 8)
    for labels in (model.labels, NAMES):
        runs.save_model(tmp_path / "m.npz", model._replace(labels=labels, white=16))
        back = runs.load_conditional(tmp_path / "m.npz")
        assert back.flat.tobytes() == model.flat.tobytes()
        assert (back.spec, back.labels, back.white) == (model.spec, labels, 16)
    assert "knows cat, dog, horse" in refusal(back.given, "cow")
    for load in (runs.load_model, runs.load_gan, type(tiny.estimator()).load):
        with pytest.raises(MinivaeError):
            load(tmp_path / "m.npz")
    plain = back.given("dog")
    runs.save_model(tmp_path / "dog.npz", plain)
    assert runs.load_model(tmp_path / "dog.npz").flat.tobytes() == plain.flat.tobytes()
    with pytest.raises(MinivaeError):
        runs.load_conditional(tmp_path / "dog.npz")


@pytest.mark.parametrize(
    ("name", "value"),
    [("labels", None), ("labels", [1, 2]), ("labels", [1, 2, "3"]), ("labels", [1, 2, 2]),
     ("labels", [True, False, 2]), ("labels", [[1], [2], [3]]), ("labels", "abc"),
     ("classes", 0), ("classes", -3), ("classes", 3.0), ("classes", 10**9), ("white", "16")],
)  # fmt: skip
def test_a_damaged_file_is_refused(tmp_path, model, name, value):
    path = tmp_path / "run" / runs.MODEL_FILE
    arrays, meta = files.read_archive(path, kind=model_files.CONDITIONAL_KIND)
    (meta["spec"] if name == "classes" else meta)[name] = value
    files.write_archive(path, arrays, meta)
    assert "model.npz is damaged" in refusal(runs.load_conditional, path)


def test_an_ordinary_file_with_classes_is_damaged(tmp_path, model):
    plain = model.given(3)
    runs.save_model(tmp_path / "m.npz", plain._replace(spec=model.spec, flat=model.flat))
    assert "not conditional" in refusal(runs.load_model, tmp_path / "m.npz")


# ---- the commands ------------------------------------------------------------------------------


def test_a_conditional_model_trains_from_one_command_and_resumes(in_folder, capsys):
    status, out, _ = tiny.command(capsys, *OPTIONS)
    assert status == 0
    assert "sample runs/tiny  (a row for each label)" in out
    made = in_folder / "runs" / "tiny"
    pictures = {"curves.png", "samples.png", "reconstructions.png"}
    assert pictures <= set(tiny.contents(made))
    before = tiny.outputs(made)
    status, out, _ = tiny.command(capsys, "train", "--resume", "--out", "runs/tiny", "--json")
    report = json.loads(out)
    assert (status, report["resumed"], report["condition"]) == (0, True, "labels")
    assert tiny.outputs(made) == before
    assert tiny.command(capsys, "train", "--from-run", "runs/tiny", "--out", "again")[0] == 0
    assert tiny.outputs(in_folder / "again")["model.npz"] == before["model.npz"]
    status, *_ = tiny.command(capsys, "train", "--resume", "--out", "runs/tiny", "--epochs", "3")
    assert status == 0
    assert runs.load_conditional_run("runs/tiny").labels == (3, 5, 8)
    error = tiny.refused(
        in_folder, capsys, "train", "--resume", "--out", "runs/tiny", "--condition", "none"
    )
    assert "--condition labels" in error


def test_its_images_are_drawn_by_label(in_folder, capsys):
    assert tiny.command(capsys, *OPTIONS, "--data", "words.npz")[0] == 0
    run = "runs/words"
    assert runs.load_conditional_run(run).labels == NAMES
    status, out, _ = tiny.command(capsys, "sample", run, "--label", "dog", "--json")
    report = json.loads(out)
    assert (status, report["count"], report["label"]) == (0, 64, "dog")
    assert report["file"] == f"{run}/samples-dog-0.png"
    status, out, _ = tiny.command(capsys, "sample", run, "--label", "cat", "--out", "cat.png")
    assert (in_folder / "cat.png").read_bytes() != (in_folder / report["file"]).read_bytes()
    status, out, _ = tiny.command(capsys, "sample", run, "--json")
    assert (status, json.loads(out)["count"]) == (0, 30)
    status, out, _ = tiny.command(capsys, "sample", run, "--count", "4", "--json")
    assert (status, json.loads(out)["count"]) == (0, 12)
    error = tiny.refused(in_folder, capsys, "sample", run, "--label", "cow")
    assert "knows cat, dog, horse" in error


def test_it_is_scored_with_the_labels(in_folder, capsys):
    assert tiny.command(capsys, *OPTIONS)[0] == 0
    scoring = ("evaluate", "runs/tiny", "--samples", "20", "--backend", "numpy")
    status, out, _ = tiny.command(capsys, *scoring)
    assert status == 0
    assert "log p(x|y) " in out
    status, out, _ = tiny.command(capsys, *scoring, "--limit", "4", "--json")
    assert (status, json.loads(out)["images"], json.loads(out)["classes"]) == (0, 4, 3)
    error = tiny.refused(in_folder, capsys, *scoring, "--data", "tiny.npy")
    assert "tiny.npy have no labels" in error


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("explore", "runs/tiny"), "minivae sample runs/tiny --label"),
        ((*OPTIONS, "--objective", "iwae"), "--condition is for the elbo"),
        ((*OPTIONS, "--model", "gan"), "--condition belongs to a VAE"),
        ((*OPTIONS, "--no-labels"), "--condition is 'labels', but the data tiny have no labels"),
        ((*OPTIONS, "--data", "tiny.npy"), "the data tiny have no labels"),
        ((*OPTIONS, "--data", "cats"), "the data cats have no labels"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(in_folder, capsys, argv, words, monkeypatch):
    few = functools.partial(data.cats.dataset, 30, 20)  # all of the cats take two seconds to draw
    monkeypatch.setattr(data.cats, "dataset", few)
    if argv[0] == "explore":
        assert tiny.command(capsys, *OPTIONS)[0] == 0
    assert words in tiny.refused(in_folder, capsys, *argv)


def test_an_ordinary_model_draws_no_label(in_folder, capsys):
    assert tiny.command(capsys, "train", *tiny.OPTIONS)[0] == 0
    error = tiny.refused(in_folder, capsys, "sample", "runs/tiny", "--label", "3")
    assert "was trained without labels" in error
