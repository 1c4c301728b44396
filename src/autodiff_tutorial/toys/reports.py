"""What a run of toys has found: as numbers, in a few lines, and in one figure."""

import numpy as np

from autodiff_tutorial.toys.storage import PLOT, write


def report(found, mu, asymptotic):
    """Return the outcome of a test as a dictionary, beside the CLs of the asymptotic formula."""
    counts = {
        name: {
            "attempted": len(toys.q),
            "converged": int(np.sum(toys.converged)),
            "flagged": int(np.sum(~toys.converged)),
            "tried twice": int(np.sum(toys.retried)),
        }
        for name, toys in (("signal", found.signal), ("background", found.background))
    }
    numbers = ("cls", "cls_error", "cl_sb", "cl_sb_error", "cl_b", "cl_b_error", "q")
    return {
        "mu": mu,
        "toys": counts,
        **{name: _number(getattr(found, name)) for name in numbers},
        "expected": [_number(cls) for cls in found.expected],
        "asymptotic": _number(asymptotic),
        "data converged": bool(found.converged),
    }


def _number(x):
    """Return a number, or None in place of NaN and infinity, which JSON does not know."""
    return float(x) if np.isfinite(x) else None


def text(report):
    """Return a report in lines for people."""

    def shown(x, digits):
        return "not a number" if x is None else f"{x:.{digits}g}"

    lines = []
    for name, counts in report["toys"].items():
        flagged = "none" if not counts["flagged"] else f"{counts['flagged']:,}"
        lines.append(
            f"{name + ':':12}{counts['attempted']:,} toys attempted, {counts['converged']:,} converged, "
            f"{flagged} flagged ({counts['tried twice']:,} tried twice)"
        )
    observed, error, formula = (shown(report[key], n) for key, n in (("cls", 4), ("cls_error", 1), ("asymptotic", 4)))
    lines.append(f"CLs at mu = {report['mu']:g}: {observed} +- {error} (asymptotic formula: {formula})")
    lines.append(
        f"expected, from -2 to 2 standard deviations: {', '.join(shown(cls, 3) for cls in report['expected'])}"
    )
    if not report["data converged"]:
        lines.append("The fits of the observed data have not converged: do not use this CLs.")
    return "\n".join(lines)


def plot(found, mu, path):
    """Draw the distributions of the test statistic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    toys = {"with signal": (found.signal, "-"), "background alone": (found.background, "--")}
    top = max(np.max(s.q[s.converged], initial=0) for s, _ in toys.values())
    edges = np.linspace(0, max(top, found.q, 1), 61)
    for (label, (statistics, style)), color in zip(toys.items(), ("#0072b2", "#d55e00"), strict=True):
        q = statistics.q[statistics.converged]
        axes.stairs(np.histogram(q, edges)[0] / max(len(q), 1), edges, label=label, color=color, linestyle=style)
    axes.axvline(found.q, color="#555555", linestyle=":", label=f"observed: {found.q:.2f}")
    axes.set(yscale="log", xlabel=rf"$\tilde q_\mu$ at $\mu$ = {mu:g}", ylabel="fraction of toys in a bin")
    axes.legend(frameon=False)
    write(path / PLOT, lambda file: figure.savefig(file, format="png", dpi=150))
