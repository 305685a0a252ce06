"""Tables drawn as pictures."""

import numpy as np
import pytest

from minivae import plots
from minivae.plots.tables import jacobian_blocks, number_tables


@pytest.fixture
def drawn():
    _, axes = plots.figure(4, 2, 1, 2)
    tables = {"x": np.array([[1, 2], [3, 4], [5, 6]]), "b": np.array([[7, 8, 9]])}
    number_tables(axes, tables, {"x": np.s_[:, 1]})
    return axes


def test_every_number_stands_in_its_cell(drawn):
    at = {text.get_text(): text.get_position() for ax in drawn for text in ax.texts}
    assert at == {str(n): ((n - 1) % 2 + 0.5, (n - 1) // 2 + 0.5) for n in range(1, 7)} | {
        str(n): (n - 6.5, 0.5) for n in (7, 8, 9)
    }


def test_only_the_entries_that_belong_together_are_shaded(drawn):
    shades = [ax.images[0].get_array() > 0 for ax in drawn]
    assert np.array_equal(shades[0], [[False, True]] * 3)
    assert not shades[1].any()


def test_tables_of_other_shapes_have_cells_of_one_size(drawn):
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in drawn}) == 1


def test_a_zero_of_the_jacobian_is_white_and_each_example_has_its_block():
    _, ax = plots.figure()
    jacobian = np.kron(np.eye(4), [[1.0, -2.0, 3.0], [4.0, 0.5, 6.0]])
    jacobian_blocks(ax, jacobian, outputs=2, inputs=3)
    shown = ax.images[0].get_array()
    assert np.array_equal(np.ma.getmaskarray(shown), jacobian == 0)
    assert np.array_equal(shown.compressed(), np.abs(jacobian[jacobian != 0]))
    lines = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines]
    assert sorted(y for x, y in lines if x == 0) == [1.5, 3.5, 5.5]
    assert sorted(x for x, y in lines if y == 0) == [2.5, 5.5, 8.5]
