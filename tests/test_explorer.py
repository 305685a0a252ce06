"""The explorer's page decodes as NumPy does, in a real browser, and requests nothing."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest
from browser import needs_browser, selftest

from minivae import data, ops, runs, vae
from minivae.errors import MinivaeError
from minivae.plots import explorer

HOSTILE = "</script><script>alert(1)</script><b>&\"'"


def make_model(latent=3, likelihood="bernoulli", activation="tanh"):
    spec = vae.Spec(48, (20, 10), latent, activation, likelihood)
    rng = np.random.default_rng(0)
    flat = vae.init_params(spec, rng, data_mean=np.full(48, 0.4))
    flat += 0.3 * rng.standard_normal(flat.size).astype(np.float32)
    return runs.Model(spec, flat, (6, 8))


def make_dataset(label="a"):
    rng = np.random.default_rng(1)
    images = (rng.random((40, 48)) < 0.4).astype(np.float32)
    labels = np.array([label, "b"] * 20)
    return data.Dataset(HOSTILE, images, images, None, labels, (6, 8), "forty small pictures")


def make_page(model, title="a model", label="a"):
    dataset = make_dataset(label)
    return explorer.page(model, dataset, dataset.test, title=title, ops=ops)


def payload_of(page):
    text = re.search(r'<script type="application/json" id="model">(.*?)</script>', page, re.S)[1]
    return json.loads(text)


def test_a_name_from_outside_stays_text():
    page = make_page(make_model(), title=HOSTILE, label=HOSTILE)
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "<b>" not in page
    assert payload_of(page)["colors"][0]["names"] == sorted([HOSTILE, "b"])


def test_a_title_that_looks_like_a_placeholder_is_not_one():
    assert "<title>__MODEL__ __CSP__</title>" in make_page(make_model(), title="__MODEL__ __CSP__")


def test_the_policy_forbids_every_request():
    page = make_page(make_model())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "unsafe" not in policy
    assert not re.search(r"""(src|href)\s*=|url\(|@import|fetch\(|https?:""", page)


def test_the_page_of_a_large_default_model_stays_below_a_megabyte():
    spec = vae.Spec(784, (200, 200), 10)
    model = runs.Model(spec, np.zeros(vae.n_params(spec), np.float32), (28, 28))
    images = np.zeros((2000, 784), np.float32)
    dataset = data.Dataset("x", images, images, None, np.arange(2000) % 10, (28, 28), "black")
    assert len(explorer.page(model, dataset, images, title="large", ops=ops)) < 1_000_000


def test_a_slider_is_named_for_the_factor_that_its_latent_tracks():
    """An encoder that copies two pixels tracks the factors that are these pixels."""
    rng = np.random.default_rng(3)
    x = rng.random((12_000, 48), dtype=np.float32)
    spec = vae.Spec(48, (), 2, likelihood="gaussian")
    model = runs.Model(spec, np.zeros(vae.n_params(spec), np.float32), (6, 8))
    params = model.params
    params["mu_W"][5, 0] = params["mu_W"][9, 1] = 1
    params["logvar_b"][:] = -12
    dataset = data.Dataset("x", x, x, None, None, (6, 8), "noise")
    factors = {"ear height": x[:, 9], "chonk": x[:, 5]}
    labels = payload_of(explorer.page(model, dataset, x, title="t", ops=ops, factors=factors))
    first, second = labels["labels"]
    assert first.startswith("z1: chonk (9")
    assert second.startswith("z2: ear height (9")
    assert [coloring["name"] for coloring in labels["colors"]] == ["ear height", "chonk"]


def test_one_latent_is_refused():
    with pytest.raises(MinivaeError, match="needs a plane"):
        make_page(make_model(latent=1))


def test_an_unwritable_path_is_refused(tmp_path):
    dataset = make_dataset()
    with pytest.raises(MinivaeError, match="cannot write"):
        explorer.write(
            tmp_path / "none" / "x.html", make_model(), dataset, dataset.test, title="x", ops=ops
        )


@needs_browser
@pytest.mark.parametrize(
    ("likelihood", "activation", "latent"),
    [("bernoulli", "tanh", 2), ("gaussian", "relu", 5)],
)
def test_a_browser_decodes_as_numpy_does(tmp_path, likelihood, activation, latent):
    model = make_model(latent, likelihood, activation)
    file = tmp_path / "explorer.html"
    file.write_text(make_page(model, title=HOSTILE), encoding="utf-8")
    report = selftest(file, tmp_path)
    codes = np.array(payload_of(file.read_text(encoding="utf-8"))["tests"], np.float32)
    expected = vae.mean_image(model.params, codes, model.spec)
    assert len(codes) >= 16
    assert np.abs(np.array(report["decoded"]) - expected).max() < 0.01
    assert report["drag"]
    assert report["keys"]
    assert report["slider"]
    np.testing.assert_allclose(report["draggedTo"], [2.4, 1.8], atol=0.02)
    assert report["unlabelled"] == 0
    shows_the_nearest_image(report, model)
    assert report["sliderHeight"] >= 24
    assert report["live"] == 1
    assert report["said"] == "", "a screen reader hears of the point when it rests, not at once"
    assert report["follows"]


def shows_the_nearest_image(report, model):
    """The pointer was over two places of the plane; the picture is that of the second one."""
    dataset = make_dataset()
    mu = vae.encode(model.params, dataset.test, model.spec)[0]
    axes = sorted(np.argsort(-mu.var(axis=0), kind="stable")[:2])
    for (x, y), index in zip([(0.2, 0.7), (0.8, 0.3)], report["hovered"], strict=True):
        at = np.array([6 * x - 3, 3 - 6 * y])
        distances = np.linalg.norm(mu[:, axes] - at, axis=1)
        assert distances[index] <= distances.min() + 0.02
    np.testing.assert_array_equal(report["trueImage"], 255 * dataset.test[report["hovered"][1]])


def luminance(colour):
    """The relative luminance of WCAG 2: colour (3,), from 0 to 255."""
    share = np.array(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_the_dots_stand_out_from_the_panel():
    """A contrast of 3, as WCAG 2 asks of graphics, light and dark, all along both ramps."""
    css, script = ((explorer.PARTS / f"explorer.{kind}").read_text() for kind in ("css", "js"))
    panels = re.findall(r"--panel: #(\w+)", css)
    ramps = re.findall(r"(light|dark): (\[\[.*\]\]),", script)
    assert [name for name, _ in ramps] == ["light", "dark"]
    for (name, stops), panel in zip(ramps, panels, strict=True):
        digits = panel if len(panel) == 6 else "".join(2 * digit for digit in panel)
        behind = luminance([int(digits[i : i + 2], 16) for i in (0, 2, 4)])
        between = [np.linspace(a, b, 11) for a, b in pairwise(json.loads(stops))]
        for colour in np.concatenate(between):
            low, high = sorted((behind, luminance(colour)))
            assert (high + 0.05) / (low + 0.05) >= 3, (name, colour)


def test_pictures_of_large_images_are_fewer():
    images = np.zeros((1500, 64 * 64), np.uint8)
    dataset = data.Dataset("x", images, images, None, None, (64, 64), "black")
    spec = vae.Spec(64 * 64, (5,), 2)
    model = runs.Model(spec, np.zeros(vae.n_params(spec), np.float32), (64, 64))
    black = np.zeros((1500, 64 * 64), np.float32)
    payload = payload_of(explorer.page(model, dataset, black, title="large", ops=ops))
    assert 0 < payload["pictured"] < 1500
    assert len(payload["pictures"]) <= 4 / 3 * explorer.PICTURE_BYTES + 4


@needs_browser
def test_a_browser_decodes_softplus_as_its_formula(tmp_path):
    """log(1 + e^a), also where e^a overflows: the weights are made large for that."""
    model = make_model()
    for name in ("dec1_W", "dec2_W"):
        model.params[name][...] *= 100
    model.params["out_W"][...] /= 1000
    text = make_page(model)
    assert text.count('"activation":"tanh"') == 1
    file = tmp_path / "explorer.html"
    file.write_text(
        text.replace('"activation":"tanh"', '"activation":"softplus"'), encoding="utf-8"
    )
    report = selftest(file, tmp_path)
    h = np.array(payload_of(text)["tests"])
    params = {name: array.astype(np.float64) for name, array in model.params.items()}
    for name in ("dec1", "dec2"):
        a = h @ params[f"{name}_W"] + params[f"{name}_b"]
        assert a.max() > 100
        assert a.min() < -100
        h = np.logaddexp(0, a)
    expected = ops.sigmoid(h @ params["out_W"] + params["out_b"])
    assert expected.std() > 0.1
    assert np.abs(np.array(report["decoded"]) - expected).max() < 0.01
