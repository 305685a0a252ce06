"""The predictions of notebooks 08a to 08c, and the recall questions that open each of them."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "08.transpose",
        "C = A B by the textbook loop, k innermost, compiled. How fast is it on B transposed, so "
        "that it reads neighbours?",
        ("as slow", "3 times", "10 times"),
        "as slow",
        "At this size the numbers come soon enough either way: the loop waits for something else.",
    ),
    Prediction(
        "08.regroup",
        "The same loop on B transposed, with permission to regroup its sums. How much faster than "
        "the textbook loop?",
        ("about as fast", "2 to 10 times", "over 10 times"),
        None,
        "Many partial sums, in the lanes of several registers: many additions are on their way.",
    ),
    Prediction(
        "08.fastest-order",
        "C = A B is computed in three nested loops, compiled. Which order is the fastest?",
        ("ijk", "ikj", "jki"),
        "ikj",
        "With j innermost each number of the row has a sum of its own, so no addition waits for "
        "the one before; and B and C are read along their rows, so whole vectors are loaded at "
        "once.",
    ),
    Prediction(
        "08.stride",
        "An array is far larger than the nearer caches. Multiplying every sixteenth number is a "
        "sixteenth of the work. Which part of the time does it take?",
        ("a sixteenth", "more"),
        "more",
        "Memory comes in lines of (mostly) 16 float32, and every sixteenth number is in another "
        "line: all lines are fetched.",
    ),
    Prediction(
        "08.ikj-limit",
        "The loop i, k, j does 16 flop for 96 bytes of the first cache and for 32 bytes of the "
        "second. Which limit is the lowest on your machine?",
        ("the first cache", "the second cache", "the roof"),
        None,
        "The limit of a cache is its flop for each byte times its bandwidth. C travels only "
        "between the first cache and the registers, B through both caches.",
    ),
    Prediction(
        "08.blas",
        "BLAS has been tuned for decades. How long do the products of a training step take by a "
        "kernel written in Python and compiled by numba, beside BLAS?",
        ("about as long", "twice", "ten times"),
        None,
        "Both keep a tile of C in registers, with enough sums on the way to fill the pipes.",
    ),
    Prediction(
        "08.near-passes",
        "Adam as 13 compiled loops, one for each operation, on 1024 parameters in the first cache. "
        "How much longer do they take than one fused loop?",
        ("hardly", "over a quarter"),
        "over a quarter",
        "Each pass loads its numbers anew and stores them, and that takes time in the first cache, "
        "too.",
    ),
    Prediction(
        "08.adam-limit",
        "A fused loop of Adam runs on 1024 parameters in the first cache. Of its 13 flop, one is a "
        "root and one a division. With cheaper operations in their place, how much time is saved?",
        ("less than a tenth", "over a tenth"),
        "over a tenth",
        "In the time of one root or one division, a core could start several multiply-adds of "
        "vectors.",
    ),
    Prediction(
        "08.one-trap",
        "Two traps keep a loop from computing its exponentials in vectors. One of them is mended. "
        "Does the loop take less than half the time that it took with both?",
        ("no", "yes"),
        "no",
        "Without SVML, either trap alone keeps the exponential at one number at a time. One mend "
        "alone may even make the loop slower.",
    ),
    Prediction(
        "08.frozen-global",
        "A function under @njit divides by a global, width. It is called while width is 4, and "
        "again, with 64, when width has become 16. What does it give then?",
        ("4", "16"),
        "16",
        "It was compiled with width 4, and 64 / 4 is 16. numba looks at a global only when it "
        "compiles.",
    ),
    Prediction(
        "08.small-product",
        "A product of 8 x 32 by 32 x 32 is split between two threads. Is that faster?",
        ("no", "yes"),
        "no",
        "Handing out the work and waiting for it takes longer than the work itself.",
    ),
    Prediction(
        "08.lost-counts",
        "Two threads each add 1 to the same number two million times: they load it, add 1, and "
        "store it. What can it be afterwards?",
        ("always 4 million", "less than 4 million"),
        "less than 4 million",
        "Both may load the same value, and then one of the two additions is overwritten.",
    ),
    Prediction(
        "08.two-flags",
        "Two words are 0. Two threads each store 1 in their own word and then load the other's, "
        "with ordinary stores and loads, a thousand times. How often do both load a 0?",
        ("never", "at least once"),
        "at least once",
        "A core may load before its earlier store is visible to others.",
    ),
)

RECALL = (
    Recall(
        "08.r1",
        "07",
        "Adam divides by 1 - beta1^step because",
        (
            "m starts at 0 and is too small at first",
            "the gradient is noisy",
            "the learning rate falls",
        ),
        "a",
        "With a constant gradient g, m is (1 - beta1^step) g.",
    ),
    Recall(
        "08.r2",
        "07",
        "Free bits put a floor under",
        ("each example's KL", "the whole loss", "each latent's KL, averaged over the batch"),
        "c",
        "Where a latent's KL is below the floor, its term of the loss is constant and has no "
        "gradient.",
    ),
    Recall(
        "08.r3",
        "05",
        "The backward pass of y = tanh(a) is",
        ("da = dy y (1 - y)", "da = dy (1 - y^2)", "da = dy / (1 - y^2)"),
        "b",
        "The derivative of tanh is 1 - y^2; y (1 - y) is that of the sigmoid.",
    ),
    Recall(
        "08b.r1",
        "08a",
        "The textbook loop (i, j, k), at the width of section 8.2 in 08a, is slow because",
        (
            "B is read down its columns",
            "each addition waits for the one before it",
            "it does more arithmetic than i, k, j",
        ),
        "b",
        "On B transposed it is as slow; two sums side by side make it nearly twice as fast.",
    ),
    Recall(
        "08b.r2",
        "08a",
        "A loop does 16 flop for 96 bytes of the first cache. By that cache it can reach at most",
        (
            "its bandwidth times 1/6",
            "its bandwidth times 6",
            "the peak",
        ),
        "a",
        "flop per byte times bytes per second.",
    ),
    Recall(
        "08b.r3",
        "07",
        "Adam's v is",
        (
            "the mean of the parameters",
            "the largest gradient so far",
            "a running mean of the squared gradient",
        ),
        "c",
        "And m that of the gradient itself.",
    ),
    Recall(
        "08c.r1",
        "08b",
        "On long arrays a fused loop is faster than NumPy's passes above all because",
        (
            "it loads and stores each number once",
            "it does less arithmetic",
            "NumPy is not compiled",
        ),
        "a",
        "Compiled passes, one loop after another, are slow as well.",
    ),
    Recall(
        "08c.r2",
        "08b",
        "In numba, 0.5 times a float32 is computed in",
        (
            "float32, as in NumPy",
            "float16",
            "float64",
        ),
        "c",
        "A number without a type is a float64.",
    ),
    Recall(
        "08c.r3",
        "08a",
        "A register tile of R x V vectors needs many sums on the way because",
        (
            "C is large",
            "each multiply-add takes several ticks, and several can be started in each",
            "float32 rounds",
        ),
        "b",
        "Latency times pipes of them keep the pipes full.",
    ),
)
