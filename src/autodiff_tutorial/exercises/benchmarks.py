"""The exercises of the chapter on benchmarks: a stopwatch, ratios, growth, predictions, bounds, and when to compile."""

import math

import numpy as np

from autodiff_tutorial.exercises.judge import Case, exercise, numbers


class _Machine:
    """A device with a clock of its own: calls are queued, the first one compiles, and results have to be waited for."""

    def __init__(self, compiling, calling, working):
        self.compiling, self.calling, self.working = compiling, calling, working
        self.now = self.free = 0.0
        self.calls = 0

    def clock(self):
        return self.now

    def function(self, x):
        self.now += self.calling + (0 if self.calls else self.compiling)
        self.calls += 1
        self.free = max(self.now, self.free) + self.working
        return _Promise(self, self.free)


class _Promise:
    def __init__(self, machine, ready):
        self.machine, self.ready = machine, ready

    def block_until_ready(self):
        self.machine.now = max(self.machine.now, self.ready)
        return self

    def __array__(self, dtype=None, copy=None):
        self.block_until_ready()
        return np.zeros(1)


@exercise("benchmarks.stopwatch")
def _(attempt):
    for compiling, calling, working in (3.0, 0.25, 2.0), (0.5, 0.125, 0.25), (0.0, 0.5, 8.0):
        machine = _Machine(compiling, calling, working)
        got = attempt(machine.function, np.ones(3), machine.clock)
        truth = calling + working
        yield Case(
            f"{compiling:g} s to compile, {calling:g} s to hand over a call, {working:g} s to compute",
            got,
            truth,
            slips=(
                (
                    calling,
                    "that is how long handing over takes. Wait for the result before you look at the clock again.",
                ),
                (truth + compiling, "the first call compiles. Make one before you start the clock."),
                (calling + compiling, "the first call compiles, and its result was not waited for."),
                (
                    truth + working - calling,
                    "the call before the clock started was still running. Wait for that one, too.",
                ),
                (truth + working, "the call before the clock started was still running. Wait for that one, too."),
                (working, "handing over belongs to a call: start the clock before it."),
                (machine.calls == 0, "f was never called."),
            ),
            hint="warm up, wait, start the clock, call, wait, stop the clock.",
        )


@exercise("benchmarks.ratio")
def _(attempt):
    random = np.random.default_rng(11)
    for words, disturb in (
        ("nine turns without a disturbance", lambda ours, peer: None),
        ("nine turns, in one of which the machine paused", lambda ours, peer: ours.__setitem__(4, 40.0)),
        ("nine turns, one of them far too quick", lambda ours, peer: peer.__setitem__(2, 0.01)),
    ):
        ours, peer = random.uniform(1.0, 1.3, 9), random.uniform(3.0, 4.5, 9)
        disturb(ours, peer)
        got = attempt(ours.copy(), peer.copy())
        yield Case(
            words,
            got,
            np.median(peer) / np.median(ours),
            slips=(
                (np.median(ours) / np.median(peer), "upside down: how many times as long does the peer take?"),
                (peer.mean() / ours.mean(), "one pause moves a mean as far as it likes. Take medians."),
                (peer.sum() / ours.sum(), "one pause moves a sum as far as it likes. Take medians."),
                (peer.min() / ours.min(), "one lucky turn decides a minimum. Take medians."),
                (np.mean(peer / ours), "one pause moves a mean as far as it likes. Take medians."),
                (np.median(peer / ours), "close. Take each median first, then the ratio: the table does."),
                (np.median(peer) - np.median(ours), "that is a difference. How many times as long?"),
            ),
            hint="the median of the peer's times, over the median of ours.",
        )


@exercise("benchmarks.exponent")
def _(attempt):
    random = np.random.default_rng(5)
    n = np.array([100, 300, 1000, 3000, 10_000])
    for power, factor in (1.0, 3e-7), (2.0, 1e-9), (1.5, 4e-8):
        t = factor * n**power * random.uniform(0.8, 1.25, n.size)
        slope, start = np.polyfit(np.log(n), np.log(t), 1)
        got = attempt(n.copy(), t.copy())
        yield Case(
            f"times that grow about like n^{power:g}",
            got,
            slope,
            slips=(
                (start, "that is where the line begins. Its slope is asked for."),
                ([slope, start], "return the slope alone."),
                (1 / slope, "that is log n against log t. Which of them depends on the other?"),
                (np.polyfit(n, t, 1)[0], "a power is a straight line only if both axes are logarithmic."),
                (np.polyfit(n, np.log(t), 1)[0], "take the logarithm of n as well."),
                (np.polyfit(np.log(n), t, 1)[0], "take the logarithm of t as well."),
                (np.log(t[-1] / t[0]) / np.log(n[-1] / n[0]), "that uses two of the five points. Fit a line to all."),
                (float(round(slope)) if np.ndim(got) == 0 else 0.0, "do not round: what is measured is not whole."),
                (np.polyfit(np.log(n), np.log10(t), 1)[0], "the same logarithm on both axes."),
                (np.polyfit(np.log10(n), np.log(t), 1)[0], "the same logarithm on both axes."),
            ),
            hint="log t = log c + p log n is a straight line in log n. `np.polyfit` fits one.",
        )


@exercise("benchmarks.predict")
def _(attempt):
    yield numbers(attempt, 4)
    n, tape, product = 1000, 3, 2.5
    cases = (
        (
            "central differences",
            2 * n,
            (
                (n + 1, "forward differences do with so few: f(x) is used again. Central ones step both ways."),
                (n, "how many points does one component need?"),
                (2, "that is one component. The gradient has a thousand."),
                (2 * n + 1, "f(x) itself is not needed."),
            ),
            "two calls for each component.",
        ),
        (
            "reverse mode",
            tape,
            (
                (tape * n, "the first is right. One pass back gives all components."),
                (n, "the first is right. One pass back gives all components."),
                (tape + 1, "the first is right. The three evaluations hold the one that goes forward."),
            ),
            "the first is right. It does not depend on n.",
        ),
        (
            "one product with the Hessian",
            product * tape,
            (
                (product, "the first two are right. It takes so many gradients, and a gradient takes three."),
                (product * tape * n, "the first two are right. That is the whole Hessian."),
                (n * tape, "the first two are right. No column of the Hessian is made."),
            ),
            "the first two are right. Gradients, each for three evaluations.",
        ),
        (
            "the whole Hessian",
            product * tape * n,
            (
                (product * tape * n**2, "the first three are right. One product gives a whole column."),
                (product * tape * n / 2, "the first three are right. Its symmetry does not make a product cheaper."),
                (n**2, "the first three are right. One product gives a whole column."),
                (2 * n * product * tape, "the first three are right. One product for each column."),
            ),
            "the first three are right. One product for each column.",
        ),
    )
    for got, (given, truth, slips, hint) in zip(attempt, cases, strict=True):
        yield Case(given, float(got), truth, rtol=1e-4, slips=slips, hint=hint, secret=True)


@exercise("benchmarks.roof")
def _(attempt):
    for words, work, traffic, speed, bandwidth in (
        ("a sum of two vectors of 10^6", 1e6, 24e6, 2e10, 1e10),
        ("a product of matrices, n = 1000", 2e9, 24e6, 2e10, 1e10),
        ("a kernel just on the edge", 4e7, 2e7, 2e10, 1e10),
    ):
        compute, memory = work / speed, traffic / bandwidth
        got = attempt(work, traffic, speed, bandwidth)
        yield Case(
            words,
            got,
            max(compute, memory),
            slips=(
                (min(compute, memory), "both have to be done. Which of the two ends last?"),
                (compute + memory, "the processor loads the next numbers while it computes: the two overlap."),
                (compute, "the bytes have to come, too."),
                (memory, "the operations have to be done, too."),
                (1 / max(compute, memory), "seconds are asked for, not calls a second."),
                (traffic / speed, "operations go with operations a second, bytes with bytes a second."),
                (work / bandwidth, "operations go with operations a second, bytes with bytes a second."),
            ),
            hint="how long do the operations take alone, and how long the bytes?",
        )


@exercise("benchmarks.break_even")
def _(attempt):
    for compiling, compiled, plain in (
        (1.0, 0.25, 0.5),
        (1.0, 0.125, 0.525),
        (3.0, 0.5, 8.0),
        (0.5, 0.75, 0.5),
        (0.5, 0.5, 0.5),
    ):
        gain = plain - compiled
        never = gain <= 0
        truth = math.inf if never else math.floor(compiling / gain) + 1
        got = float(attempt(compiling, compiled, plain))
        worth = 1 if never else compiling / gain
        yield Case(
            f"{compiling:g} s to compile, then {compiled:g} s a call, against {plain:g} s",
            got,
            truth,
            passes=got == truth,
            slips=(
                (never and not got > 1e300, "compiling does not pay here, however many calls there are."),
                (math.isinf(got) and not never, "it does pay, after some calls: each of them is faster."),
                (got == worth == truth - 1, "with so many calls both take the same time. One more is needed."),
                (worth == got, "calls come in whole numbers."),
                (got == math.ceil(compiling / plain), "compiled calls take time, too: what does one save?"),
                (got == math.floor(worth), "with so many calls compiling is still behind, or just even."),
                (compiling / plain == got, "compiled calls take time, too: what does one save?"),
            ),
            hint="each call saves plain - compiled. After how many have the savings exceeded the compilation?",
        )
