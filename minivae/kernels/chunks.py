"""One chunk of a task: which function does it, for each operation of `tasks.py`."""

from minivae.kernels.compilation import inlined
from minivae.kernels.loops import (
    activation_gradient_chunk,
    adam_chunk,
    add_chunk,
    bernoulli_chunk,
    column_sums_chunk,
    kl_chunk,
    kl_gradient_chunk,
    reparam_chunk,
    reparam_gradient_chunk,
    scale_rows_chunk,
)
from minivae.kernels.products import product_chunk
from minivae.kernels.sparse_products import sparse_chunk
from minivae.kernels.tasks import (
    ACTIVATION_GRADIENT,
    ADD,
    BERNOULLI,
    COLUMN_SUMS,
    KL,
    KL_GRADIENT,
    PRODUCT,
    REPARAM,
    REPARAM_GRADIENT,
    SCALE_ROWS,
    SPARSE,
)


@inlined
def do_chunk(task, chunk, together, scratch, tile_rows, kind):
    """Do this chunk of the task; together: other threads do chunks of the same job."""
    if task.operation == PRODUCT:
        product_chunk(task, chunk, scratch, tile_rows, kind)
    elif task.operation == SPARSE:
        sparse_chunk(task, chunk, kind)
    elif task.operation == COLUMN_SUMS:
        column_sums_chunk(task, chunk, kind)
    elif task.operation == BERNOULLI:
        bernoulli_chunk(task, chunk, scratch, kind)
    elif task.operation == SCALE_ROWS:
        scale_rows_chunk(task, chunk, kind)
    elif task.operation == REPARAM:
        reparam_chunk(task, chunk, kind)
    elif task.operation == REPARAM_GRADIENT:
        reparam_gradient_chunk(task, chunk, kind)
    elif task.operation == KL:
        kl_chunk(task, chunk, kind)
    elif task.operation == KL_GRADIENT:
        kl_gradient_chunk(task, chunk, kind)
    elif task.operation == ACTIVATION_GRADIENT:
        activation_gradient_chunk(task, chunk, kind)
    elif task.operation == ADD:
        add_chunk(task, chunk, kind)
    else:
        adam_chunk(task, chunk, together, kind)
