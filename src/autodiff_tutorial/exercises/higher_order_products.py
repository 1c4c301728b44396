"""The exercises of the chapter on higher derivatives that deal with matrices known by their products only."""

import numpy as np

from autodiff_tutorial.exercises.judge import Case, exercise


def _product(M, calls, name, most=10_000):
    """Return the product with a matrix as a function, which notes its calls and stops an endless loop."""

    def product(v):
        if np.shape(v) != M.shape[1:]:
            raise ValueError(f"{name} takes one vector, of shape {M.shape[1:]}, and got shape {np.shape(v)}")
        calls.append(name)
        if len(calls) > most:
            raise _EndlessError
        return M @ v

    return product


class _EndlessError(Exception):
    pass


_SPECTRA = {
    "the eigenvalues -4, 2, 1 and -0.5": [-4.0, 2.0, 1.0, -0.5],
    "the eigenvalues 7e9, 3.5e9, -3e9, 2e9 and 1e9": [7e9, 3.5e9, -3e9, 2e9, 1e9],
    "n = 300, the eigenvalue 3, and all others between -1.5 and 1.5": [3.0, *np.linspace(-1.5, 1.5, 299)],
}


@exercise("higher_order.power")
def _(attempt):
    random = np.random.default_rng(27)
    for name, spectrum in _SPECTRA.items():
        n, truth, calls = len(spectrum), spectrum[0], []
        Q = np.linalg.qr(random.normal(size=(n, n)))[0]
        try:
            with np.errstate(all="ignore"):
                got = attempt(_product((Q * spectrum) @ Q.T, calls, "hv"), n)
        except _EndlessError:
            turns = "no end after 10000 products. Where the eigenvalue is negative, v turns around at each of them."
            yield Case(name, "no number", truth, passes=False, hint=turns)
        alone = "return one number, the eigenvalue alone."
        yield Case(name, got, truth, passes=not isinstance(got, tuple | list), hint=alone)
        number = np.shape(got) == () and not np.iscomplexobj(got)
        finite = bool(np.isfinite(np.asarray(got, dtype=complex)).all())
        yield Case(
            name,
            got,
            truth,
            rtol=1e-4,
            slips=(
                (not finite, "not a finite number: v grows with every product. Give it the length 1 again."),
                (-truth, "a length has no sign. Does H v point along v, or against it?"),
                (np.shape(got) == (n,), "that is a vector. How much longer does hv make it, and with which sign?"),
                (max(spectrum), "that is the largest one. The largest by its absolute value is asked for."),
                (min(spectrum), "that is the least one. The largest by its absolute value is asked for."),
                (min(spectrum, key=abs), "that is the one that is least by its absolute value."),
                (truth**2, "that is its square. v^T H v, for a v of length 1, is the eigenvalue itself."),
                (sum(spectrum), "that is the trace, the sum of all eigenvalues."),
                (number and bool(abs(got - truth) < 0.2 * abs(truth)), "close: a few more products, and it settles."),
            ),
            hint="multiply a vector by H again and again. Which direction takes over?",
        )
        if n > 100:
            yield Case(
                f"the number of products, n = {n}",
                len(calls),
                "about 100 at most",
                passes=len(calls) <= 110,
                hint="a few dozen are enough, and the matrix need not be known.",
            )


@exercise("higher_order.bottleneck")
def _(attempt):
    random = np.random.default_rng(28)
    for m, n, k in (4, 5, 2), (50, 60, 3):
        G, H = np.round(random.normal(size=(k, n)), 1), np.round(random.normal(size=(m, k)), 1)
        calls = []
        got = attempt(_product(G.T, calls, "pull_g"), _product(H, calls, "push_h"), k)
        truth = H @ G
        shape, rows = np.shape(got), [np.roll(range(k), shift) for shift in range(1, k)]
        yield Case(
            f"m = {m}, n = {n}, k = {k}",
            got,
            truth,
            rtol=1e-4,
            slips=(
                (truth.T, "that is the transpose. Row i holds the derivatives of output i: shape (m, n)."),
                (np.outer(H.sum(axis=1), G.sum(axis=0)), "a vector of ones mixes all k paths. Take them one by one."),
                *(
                    (np.outer(H[:, i], G[i]), "that is one of the k paths from x to y. Add the others.")
                    for i in range(k)
                ),
                *((H @ G[order], "column i of J_h belongs to row i of J_g.") for order in [*rows, range(k)[::-1]]),
                (truth / k, "that is the mean over the k paths. They add up."),
                (H, "that is J_h, the derivative with respect to g. x moves g by way of J_g."),
                (G, "that is J_g, the derivative of g. y changes with g by way of J_h."),
                (G.T, "that is the transpose of J_g. Where does h come in?"),
                (shape in ((n,), (m,)), "that is a vector. J is J_h times J_g, with m rows and n columns."),
                (shape == (), "that is a number. J is J_h times J_g, with m rows and n columns."),
                (shape == (k, m, n), "those are the shares of the k paths. Add them up."),
            ),
            hint="J is J_h times J_g. push_h gives columns of the first, pull_g rows of the second.",
        )
        pulled, pushed = calls.count("pull_g"), calls.count("push_h")
        yield Case(
            f"the calls of pull_g and of push_h, m = {m}, n = {n}, k = {k}",
            [pulled, pushed],
            f"at most {k} of each",
            passes=max(pulled, pushed) <= k,
            hint="k of each are enough: call each once for every basis vector of the k, and keep what it returns.",
        )
