"""Notebook 05: answers for dense layers: one of them, tied weights, a skip connection."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 05.dense ------------------------------------------------------------------------------------


@right("05.dense")
def the_libraries_way_transposed(x, W, b):
    return (W.T @ x.T).T + b


@right("05.dense")
def with_einsum(x, W, b):
    return np.einsum("ni,io->no", x, W) + b[None, :]


@right("05.dense")
def row_by_row(x, W, b):
    return np.array([row @ W + b for row in x])


@right("05.dense")
def bias_as_a_weight(x, W, b):
    return np.c_[x, np.ones(len(x))] @ np.r_[W, [b]]


@wrong("05.dense")
def dot_in_the_same_order(x, W, b):
    return np.dot(W, x) + b


@wrong("05.dense")
def both_transposed(x, W, b):
    return W.T @ x.T + b[:, None]


@wrong("05.dense")
def entry_by_entry_product(x, W, b):
    return x * W + b


@wrong("05.dense")
def bias_as_a_column(x, W, b):
    return x @ W + b[:, None]


@wrong("05.dense")
def first_bias_for_all(x, W, b):
    return x @ W + b[0]


@wrong("05.dense")
def biases_summed(x, W, b):
    return x @ W + b.sum()


@wrong("05.dense")
def bias_inside(x, W, b):
    return x @ (W + b)


@wrong("05.dense", clue="weights-transposed")
def indices_in_the_other_order(x, W, b):
    return np.einsum("ni,oi->no", x, W) + b


@wrong("05.dense")
def relu_after_it(x, W, b):
    return np.maximum(x @ W + b, 0)


@wrong("05.dense")
def first_example_only(x, W, b):
    return x[0] @ W + b


@wrong("05.dense")
def averaged_over_the_inputs(x, W, b):
    return x @ W / x.shape[1] + b


@wrong("05.dense")
def bias_multiplied(x, W, b):
    return (x @ W) * b


@wrong("05.dense")
def shapes_made_to_fit(x, W, b):
    return x @ W.reshape(W.shape[::-1]).T + b


# ---- 05.dense-backward ---------------------------------------------------------------------------


@right("05.dense-backward")
def all_with_einsum(da, x, W):
    dx = np.einsum("no,io->ni", da, W)
    return dx, np.einsum("ni,no->io", x, da), np.einsum("no->o", da)


@right("05.dense-backward")
def outer_products_summed(da, x, W):
    dW = sum(np.outer(x_n, da_n) for x_n, da_n in zip(x, da, strict=True))
    return np.array([W @ da_n for da_n in da]), dW, np.ones(len(da)) @ da


@right("05.dense-backward")
def transposed_back(da, x, W):
    return [(W @ da.T).T, (da.T @ x).T, np.add.reduce(da)]


@wrong("05.dense-backward")
def one_example_for_all(da, x, W):
    return da @ W.T, np.outer(x[0], da[0]), da[0]


@wrong("05.dense-backward")
def bias_kept_as_a_row(da, x, W):
    return da @ W.T, x.T @ da, da.sum(axis=0, keepdims=True)


@wrong("05.dense-backward")
def bias_gradient_is_one(da, x, W):
    return da @ W.T, x.T @ da, np.ones(da.shape[1])


@wrong("05.dense-backward")
def bias_times_the_examples(da, x, W):
    return da @ W.T, x.T @ da, len(da) * da.mean(axis=0) * len(da)


@wrong("05.dense-backward")
def local_derivatives_only(da, x, W):
    return W.T, x.T, np.ones(da.shape[1])


@wrong("05.dense-backward")
def rows_of_dx_summed(da, x, W):
    return (da @ W.T).sum(axis=0), x.T @ da, da.sum(axis=0)


@wrong("05.dense-backward")
def bias_first(da, x, W):
    return da.sum(axis=0), x.T @ da, da @ W.T


@wrong("05.dense-backward")
def bias_left_out(da, x, W):
    return da @ W.T, x.T @ da


@wrong("05.dense-backward")
def slope_of_tanh_in_it(da, x, W):
    da = da * (1 - np.tanh(x @ W) ** 2)
    return da @ W.T, x.T @ da, da.sum(axis=0)


@wrong("05.dense-backward")
def sum_of_x_first(da, x, W):
    return da @ W.T, np.outer(x.sum(axis=0), da.sum(axis=0)), da.sum(axis=0)


@wrong("05.dense-backward")
def divided_by_the_inputs(da, x, W):
    return da @ W.T / x.shape[1], x.T @ da, da.sum(axis=0)


@wrong("05.dense-backward")
def dx_subtracted(da, x, W):
    return x - da @ W.T, x.T @ da, da.sum(axis=0)


# ---- 05.tied-backward ----------------------------------------------------------------------------


@right("05.tied-backward")
def one_example_after_the_other(dy, x, W):
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    for n in range(len(x)):
        y1 = np.tanh(x[n] @ W)
        da = (dy[n] @ W) * (1 - y1) * (1 + y1)
        dx[n] = W @ da
        dW += np.outer(x[n], da) + np.outer(dy[n], y1)
    return dx, dW


@right("05.tied-backward")
def two_layers_with_names_of_their_own(dy, x, W):
    V = W.T
    y1 = np.tanh(x @ W)
    dV, dy1 = y1.T @ dy, dy @ V.T
    da = dy1 / np.cosh(x @ W) ** 2
    return da @ V, x.T @ da + dV.T


@right("05.tied-backward")
def tied_with_einsum(dy, x, W):
    y1 = np.tanh(np.einsum("ni,ih->nh", x, W))
    da = np.einsum("ni,ih,nh->nh", dy, W, 1 - y1**2)
    dW = np.einsum("ni,nh->ih", np.concatenate([x, dy]), np.concatenate([da, y1]))
    return np.einsum("nh,ih->ni", da, W), dW


@wrong("05.tied-backward", clue="first-place-only")
def second_place_held_fixed(dy, x, W):
    da = (dy @ W) * (1 - np.tanh(x @ W) ** 2)
    return da @ W.T, np.einsum("ni,nh->ih", x, da)


@wrong("05.tied-backward")
def first_place_twice(dy, x, W):
    da = (dy @ W) * (1 - np.tanh(x @ W) ** 2)
    return da @ W.T, 2 * x.T @ da


@wrong("05.tied-backward")
def second_place_not_transposed(dy, x, W):
    y1 = np.tanh(x @ W)
    da = (dy @ W) * (1 - y1**2)
    return da @ W.T, x.T @ da + y1.T @ dy


@wrong("05.tied-backward")
def second_place_before_tanh(dy, x, W):
    da = (dy @ W) * (1 - np.tanh(x @ W) ** 2)
    return da @ W.T, x.T @ da + dy.T @ (x @ W)


@wrong("05.tied-backward")
def slope_in_both_places(dy, x, W):
    y1 = np.tanh(x @ W)
    da = (dy @ W) * (1 - y1**2)
    return da @ W.T, x.T @ da + dy.T @ (y1 * (1 - y1**2))


@wrong("05.tied-backward")
def slope_from_the_output(dy, x, W):
    y1 = np.tanh(x @ W)
    da = (dy @ W) * (1 - (y1 @ W.T @ W) ** 2)
    return da @ W.T, x.T @ da + dy.T @ y1


@wrong("05.tied-backward")
def slope_from_a(dy, x, W):
    a = x @ W
    da = (dy @ W) * (1 - a**2)
    return da @ W.T, x.T @ da + dy.T @ np.tanh(a)


@wrong("05.tied-backward")
def stopped_before_the_first_product(dy, x, W):
    y1 = np.tanh(x @ W)
    da = (dy @ W) * (1 - y1**2)
    return da, x.T @ da + dy.T @ y1


@wrong("05.tied-backward")
def tied_averaged_over_the_examples(dy, x, W):
    y1 = np.tanh(x @ W)
    da = (dy @ W) * (1 - y1**2)
    return da @ W.T, (x.T @ da + dy.T @ y1) / len(x)


@wrong("05.tied-backward")
def two_gradients_of_w(dy, x, W):
    y1 = np.tanh(x @ W)
    da = (dy @ W) * (1 - y1**2)
    return da @ W.T, x.T @ da, dy.T @ y1


@wrong("05.tied-backward")
def tanh_forgotten_altogether(dy, x, W):
    return dy @ W @ W.T, x.T @ (dy @ W) + dy.T @ (x @ W)


@wrong("05.tied-backward")
def products_multiplied(dy, x, W):
    y1 = np.tanh(x @ W)
    da = (dy @ W) * (1 - y1**2)
    return da @ W.T, (x.T @ da) * (dy.T @ y1)


# ---- 05.skip-backward ----------------------------------------------------------------------------


@right("05.skip-backward")
def skip_with_einsum(dy, x, W1, W2):
    y1 = np.tanh(np.einsum("ni,ih->nh", x, W1))
    da = np.einsum("nj,hj,nh->nh", dy, W2, 1 - y1**2)
    dW2 = np.einsum("nh,nj->hj", y1, dy)
    return dy + np.einsum("nh,ih->ni", da, W1), np.einsum("ni,nh->ih", x, da), dW2


@right("05.skip-backward")
def skip_by_examples(dy, x, W1, W2):
    dx, dW1, dW2 = dy.copy(), np.zeros(W1.shape), np.zeros(W2.shape)
    for n, (g, row) in enumerate(zip(dy, x, strict=True)):
        a = row @ W1
        da = (W2 @ g) / np.cosh(a) ** 2
        dx[n] += W1 @ da
        dW1 += np.outer(row, da)
        dW2 += np.outer(np.tanh(a), g)
    return dx, dW1, dW2


@right("05.skip-backward")
def skip_as_a_wider_layer(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    dy1 = dy @ W2.T
    da = dy1 - dy1 * y1 * y1
    both = np.hstack([dy, da]) @ np.vstack([np.eye(x.shape[1]), W1.T])
    return [both, (da.T @ x).T, (dy.T @ y1).T]


@wrong("05.skip-backward")
def skip_adds_x(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    da = (dy @ W2.T) * (1 - y1**2)
    return x + da @ W1.T, x.T @ da, y1.T @ dy


@wrong("05.skip-backward")
def skip_adds_one(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    da = (dy @ W2.T) * (1 - y1**2)
    return 1 + da @ W1.T, x.T @ da, y1.T @ dy


@wrong("05.skip-backward")
def skip_in_dw2_too(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    da = (dy @ W2.T) * (1 - y1**2)
    return dy + da @ W1.T, x.T @ da, (y1.T + x.mean()) @ dy


@wrong("05.skip-backward")
def slope_from_y(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    da = (dy * (1 - (x + y1 @ W2) ** 2)) @ W2.T
    return dy + da @ W1.T, x.T @ da, y1.T @ dy


@wrong("05.skip-backward")
def second_layer_skipped(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    da = (dy @ W1) * (1 - y1**2)
    return dy + da @ W1.T, x.T @ da, y1.T @ dy


@wrong("05.skip-backward")
def weights_not_transposed(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    da = (dy @ W2) * (1 - y1**2)
    return dy + da @ W1, x.T @ da, y1.T @ dy


@wrong("05.skip-backward")
def weights_averaged(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    da = (dy @ W2.T) * (1 - y1**2)
    return dy + da @ W1.T, x.T @ da / len(x), y1.T @ dy / len(x)


@wrong("05.skip-backward")
def weights_in_the_other_order(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    da = (dy @ W2.T) * (1 - y1**2)
    return dy + da @ W1.T, y1.T @ dy, x.T @ da


@wrong("05.skip-backward")
def skip_subtracted(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    da = (dy @ W2.T) * (1 - y1**2)
    return da @ W1.T - dy, x.T @ da, y1.T @ dy


@wrong("05.skip-backward", clue="tanh-derivative-lost")
def slope_is_one(dy, x, W1, W2):
    dy1 = np.einsum("nj,hj->nh", dy, W2)
    return dy + np.einsum("nh,ih->ni", dy1, W1), x.T @ dy1, np.tanh(x @ W1).T @ dy


@wrong("05.skip-backward")
def slope_in_dw1_only(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    return dy + dy @ W2.T @ W1.T, x.T @ (dy @ W2.T * (1 - y1**2)), y1.T @ dy


@wrong("05.skip-backward")
def adds_into_dy(dy, x, W1, W2):
    y1 = np.tanh(x @ W1)
    da = (dy @ W2.T) * (1 - y1**2)
    dW2 = y1.T @ dy
    dy += da @ W1.T
    return dy, x.T @ da, dW2
