"""The exercises of the chapter on GPUs: rounding, steps, memory, transfers, batches, and split products."""

import numpy as np

from autodiff_tutorial.exercises.judge import Case, exercise, numbers


def _tf32(x):
    """Round to ten bits after the leading one, to the even number in a tie."""
    bits = np.asarray(x, dtype=np.float32).view(np.uint32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & 0xFFFFE000).view(np.float32)


@exercise("gpu.rounding")
def _(attempt):
    yield numbers(attempt, 3)
    for (given, number), got, wrong in zip(
        (("the first number", 2051.0), ("the second number", 5001.0), ("the third number", 100.06)),
        attempt,
        (
            (2050.0, "a tie, and the last bit of yours is 1. Which of its two neighbors has a 0 there?"),
            (5004.0, "that is the neighbor on the other side. Which one is nearer?"),
            (100.0, "gaps are smaller here: there are ten bits after the leading one, wherever the point is."),
        ),
        strict=True,
    ):
        yield Case(
            given,
            float(got),
            float(_tf32(number)),
            rtol=1e-7,
            slips=(
                (number, "it does not fit into eleven bits: count from its leading one."),
                wrong,
            ),
            hint="between which two powers of two does it lie, and how wide are the gaps there?",
            secret=True,
        )


_FUNCTIONS = {
    "f = sin": (np.sin, np.cos),
    "f = exp": (np.exp, np.exp),
    "f = x^3": (lambda x: x * x * x, lambda x: 3 * x**2),
}


@exercise("gpu.slip")
def _(attempt):
    random = np.random.default_rng(31)
    for name, (value, slope) in _FUNCTIONS.items():
        x, reached = random.uniform(1.0, 3.0, 5).astype(np.float32), [0.0]

        def f(points, value=value, x=x, reached=reached):
            points = np.asarray(points, dtype=np.float32)
            reached.append(float(np.abs(points - x).max()))
            return value(points)

        got, truth = attempt(f, x.copy()), slope(x.astype(float))
        yield Case(
            f"{name}, five points in float32",
            got,
            truth,
            rtol=2e-3,
            slips=(
                (np.zeros(5), "nothing has moved: x + h is x, where h is less than half of the gap behind x."),
                (max(reached) == 0.0, "f was called at x alone. Is x + h still x?"),
                (-truth, "the sign is reversed: forward minus backward."),
                (2 * truth, "twice too large: the two points are 2 h apart."),
                (truth / 2, "half of it: how far apart are the two points?"),
                (max(reached) < 1e-4, "the step is still too short: few digits are left after the subtraction."),
                (max(reached) > 0.1, "the step is too long: the function bends between the two points."),
            ),
            hint="the cube root of the machine epsilon of float32 is a good step for central differences.",
        )


@exercise("gpu.kept")
def _(attempt):
    yield numbers(attempt, 3)
    array, steps, segment = 2e6 * 4 / 1e9, 300, 20
    all_steps = steps * array
    for given, got, truth, slips, hint in zip(
        ("the first number", "the second number", "the third number"),
        attempt,
        (all_steps, 2 * all_steps, (steps / segment + segment) * array),
        (
            (
                (array, "that is one array. Each step keeps one."),
                (all_steps / 4, "that counts numbers. How many bytes has one?"),
                (2 * all_steps, "those are the bytes of float64."),
                (all_steps * 1e9, "those are bytes. A gigabyte is a thousand million of them."),
                (all_steps * 1e3, "those are megabytes."),
                (all_steps * 1e9 / 2**30, "a gigabyte is a power of ten here."),
            ),
            (
                (all_steps, "the first is right. In float64 each number is twice as long."),
                (4 * all_steps, "the first is right. That doubles twice."),
            ),
            (
                (steps / segment * array, "the first two are right. While a segment is run again, its steps are kept."),
                (segment * array, "the first two are right. The beginning of each segment is kept as well."),
                (all_steps / segment, "the first two are right. While a segment is run again, its steps are kept."),
                (2 * (steps / segment + segment) * array, "the first two are right. This one is in single precision."),
                (all_steps, "the first two are right. Steps inside a segment are not kept on the way there."),
            ),
        ),
        (
            "steps, times numbers, times bytes a number.",
            "the first is right. How many bytes has a number?",
            "the first two are right. One array for each segment, and those of one segment.",
        ),
        strict=True,
    ):
        yield Case(given, float(got), truth, rtol=1e-3, slips=slips, hint=hint, secret=True)


@exercise("gpu.crossing")
def _(attempt):
    for words, size, launch, cpu, gpu, link in (
        ("data that stay", 12, 5e-6, 4e10, 3.2e11, np.inf),
        ("data that are carried by a fast link", 8, 1e-5, 2e10, 2e12, 6e10),
        ("data that are carried by a slow link", 12, 5e-6, 4e10, 3.2e11, 1.6e10),
        ("a GPU as fast as the processor", 12, 5e-6, 4e10, 4e10, np.inf),
    ):
        gain = size / cpu - size / gpu - size / link
        truth = launch / gain if gain > 0 else np.inf
        got = float(attempt(size, launch, cpu, gpu, link))
        stays, home = size / cpu - size / gpu, size / cpu
        yield Case(
            f"{words}, {size} bytes an entry, {launch:g} s to start, {cpu:g}, {gpu:g} and {link:g} bytes a second",
            got,
            truth,
            passes=got == truth if np.isinf(truth) else bool(abs(got - truth) <= 1e-6 * truth),
            slips=(
                (bool(np.isinf(truth) and got < 0), "a negative length: the GPU never catches up."),
                (bool(np.isinf(got) and gain > 0), "it does pay from some length on."),
                (bool(stays > 0 and np.isclose(got, launch / stays, rtol=1e-6)), "carrying the bytes takes time, too."),
                (launch / home, "the GPU takes time for the bytes, too. What does it gain with each entry?"),
                (size * truth if gain > 0 else 0.0, "those are bytes. How many entries are they?"),
                (bool(np.isinf(truth)), "here the GPU is never faster, however long the vectors are."),
                (truth / 2, "bytes are carried once: size counts both ways."),
            ),
            hint="each entry takes size / cpu on the processor, and size / gpu + size / link on the GPU.",
        )


@exercise("gpu.batches")
def _(attempt):
    random = np.random.default_rng(33)
    for N, n, size in (12, 3, 4), (10, 2, 4), (3, 2, 5), (7, 4, 1):
        X, stacks = random.normal(size=(N, n)), []

        def f(rows, stacks=stacks):
            rows = np.asarray(rows)
            if rows.ndim != 2:
                raise ValueError(f"f takes a stack of rows, of shape (k, n), and got shape {rows.shape}")
            stacks.append(len(rows))
            return np.sin(rows).sum(axis=1) ** 2

        got, truth = attempt(f, X.copy(), size), np.sin(X).sum(axis=1) ** 2
        given = f"N = {N} rows, {size} at a time"
        most = max(stacks, default=0)
        yield Case(
            f"the largest stack, {given}",
            most,
            f"at most {size}",
            passes=most <= size,
            hint="so many rows do not fit. Hand over slices.",
        )
        whole = N // size * size
        yield Case(
            given,
            got,
            truth,
            slips=(
                (truth[:whole], "the last rows are missing: they are fewer than a batch."),
                (truth[::-1], "the order is reversed."),
                (truth.sum(), "return a number for each row."),
                (bool(np.shape(got) != (N,)), f"return an array of shape ({N},): join the parts of all batches."),
            ),
            hint="f of the first rows, f of the next ones, and so on, joined in this order.",
        )
        yield Case(
            f"the rows that were computed, {given}",
            sum(stacks),
            N,
            hint="each row is to be computed once.",
        )


@exercise("gpu.split")
def _(attempt):
    random = np.random.default_rng(34)
    for m, k, n in (5, 40, 4), (3, 200, 6):
        A, B = (random.normal(size=shape).astype(np.float32) for shape in ((m, k), (k, n)))
        calls = []

        def product(A, B, calls=calls):
            calls.append(1)
            return _tf32(A) @ _tf32(B)

        got, truth = attempt(A.copy(), B.copy(), _tf32, product), A.astype(float) @ B
        A1, B1 = _tf32(A), _tf32(B)
        A2, B2 = _tf32(A - A1), _tf32(B - B1)
        given = f"matrices of shapes {A.shape} and {B.shape}"

        def like(*terms, got=got, truth=truth):
            found = sum(terms)
            if np.shape(got) != found.shape:
                return False
            return bool(np.abs(np.asarray(got, dtype=float) - found).max() <= 5e-6 * np.abs(truth).max())

        yield Case(
            given,
            np.asarray(got),
            truth,
            rtol=5e-6,
            slips=(
                (len(calls) > 1 and like(A1 @ B1), "what you add is the smallest of the four terms."),
                (like(A1 @ B1), "that is one product, of ten bits. What has rounding taken away?"),
                (like(A1 @ B1, A1 @ B2), "one of the two small terms is missing: A is rounded, too."),
                (like(A1 @ B1, A2 @ B1), "one of the two small terms is missing: B is rounded, too."),
                (like(A1 @ B1, -(A1 @ B2), -(A2 @ B1)), "the sign of the small terms: A = A1 + A2."),
            ),
            hint="with A = A1 + A2 and B = B1 + B2 there are four terms, and the last is too small to matter.",
        )
        yield Case(
            f"the calls of product, {given}",
            len(calls),
            3,
            slips=(
                (len(calls) == 0, "leave the multiplying to product: A @ B is not to be had at its speed."),
                (len(calls) > 3, "one of the terms is too small to matter. Leave it out."),
            ),
            hint="three products do.",
        )
