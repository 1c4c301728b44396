"""What the outputs of a linear program depend on: its equations one by one, with calls, branches and loops.

It knows of JAX only its jaxprs, the lists of equations that `jax.make_jaxpr` returns.
"""

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun

from autodiff_tutorial.sparse.dependence import merged, union
from autodiff_tutorial.sparse.loops import Body, stacked
from autodiff_tutorial.sparse.rules import RULES

# Loops of no more steps are followed step by step where the steps differ, as for y.at[i].set(...).
_STEPS = 2000

_CALLS = {
    "jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr", "remat": "jaxpr",
    "remat2": "jaxpr", "checkpoint": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr",
}  # fmt: skip

# These write into arrays, so that what is read later depends on more than what its operation is given.
_MUTATING = frozenset(
    ("new_ref", "mutable_array", "ref", "get", "swap", "addupdate", "freeze", "core_map", "run_state")
)

# Stands for a value that is known, but differs from step to step of a loop.
_VARYING = object()


class NoForwardRuleError(Exception):
    """A function that has a rule for reverse mode alone stands in a program of forward mode."""


class Program:
    """The equations of a jaxpr, what its inputs depend on, and such values in it as are the same for all x.

    Parameters
    ----------
    jaxpr : Jaxpr or ClosedJaxpr
        The equations.
    dependences : list of Dependence or None
        One an input; None where it depends on nothing.
    values : list of callable
        One an input: it returns the value, None for one that is unknown, or `_VARYING`.
    unknown : set of str
        Collects the names of operations that have no rule.

    Attributes
    ----------
    missed : bool
        Whether a value was asked for that differs from step to step of a loop.
    """

    def __init__(self, jaxpr, dependences, values, unknown):
        self.jaxpr, consts = (jaxpr.jaxpr, jaxpr.consts) if hasattr(jaxpr, "consts") else (jaxpr, ())
        self.unknown, self.missed = unknown, False
        # A constant that is traced outside of f may have any value.
        known = [None if isinstance(value, jax.core.Tracer) else value for value in consts]
        self._values = dict(zip(self.jaxpr.constvars, known, strict=True))
        self._given = dict(zip(self.jaxpr.invars, values, strict=True))
        self._found = dict(zip(self.jaxpr.invars, dependences, strict=True))
        self._makers = {}

    def run(self):
        """Return what each output depends on."""
        for i, eqn in enumerate(self.jaxpr.eqns):
            if eqn.primitive.name in _MUTATING:
                raise TypeError(
                    "`sparse.pattern(f=...)` should not write into mutable arrays (jax.new_ref): their contents are "
                    f"not followed. Got the operation {eqn.primitive.name!r}. Use x.at[i].set(...) instead."
                )
            ins = [self._dependence(v) for v in eqn.invars]
            if all(d is None for d in ins):
                self._makers |= dict.fromkeys(eqn.outvars, i)
            else:
                outs = zip(eqn.outvars, self._follow(eqn, ins), strict=True)
                self._found |= {v: d for v, d in outs if v.aval.size}
        return [self._dependence(v) for v in self.jaxpr.outvars]

    def _dependence(self, v):
        return None if isinstance(v, Literal) else self._found.get(v)

    def _follow(self, eqn, ins):
        name, shapes = eqn.primitive.name, [v.aval.shape for v in eqn.outvars]
        if name == "custom_lin":
            raise NoForwardRuleError
        if name in _CALLS:
            return self._call(eqn.params[_CALLS[name]], ins, eqn.invars, eqn.outvars)
        if name in _STRUCTURES:
            return _STRUCTURES[name](self, eqn, ins)
        if name in RULES:
            return RULES[name](eqn, ins, shapes, [lambda v=v: self._known(v) for v in eqn.invars])
        self.unknown.add(name)
        return [merged(ins, shape) for shape in shapes]

    def _known(self, v):
        """Return the value of a variable as a NumPy array, or None."""
        value = self.value(v)
        self.missed |= value is _VARYING
        return None if value is None or value is _VARYING else np.asarray(value)

    def value(self, v):
        if isinstance(v, Literal):
            return v.val
        if v in self._given:
            return self._given[v]()
        if v not in self._values:
            self._compute(v)
        return self._values[v]

    def _compute(self, v):
        needed, stack = set(), [v]
        while stack:
            v = stack.pop()
            if isinstance(v, Literal) or v in self._given or v in self._values:
                continue
            if v not in self._makers:
                self._values[v] = None
            elif self._makers[v] not in needed:
                needed.add(self._makers[v])
                stack += self.jaxpr.eqns[self._makers[v]].invars
        for i in sorted(needed):
            eqn = self.jaxpr.eqns[i]
            values = [self.value(v) for v in eqn.invars]
            if eqn.effects or eqn.primitive.name == "rng_uniform" or any(value is None for value in values):
                found = [None] * len(eqn.outvars)
            elif any(value is _VARYING for value in values):
                found = [_VARYING] * len(eqn.outvars)
            else:
                found = _evaluated(eqn, values)
            self._values |= zip(eqn.outvars, found, strict=True)

    def _thunks(self, variables):
        return [lambda v=v: self.value(v) for v in variables]

    def _call(self, jaxpr, ins, variables, outputs=()):
        inner = Program(jaxpr, ins, self._thunks(variables), self.unknown)
        found = inner.run()
        self.missed |= inner.missed
        # What depends on nothing may be needed later, as the indices of a gradient are.
        for v, own, d in zip(outputs, inner.jaxpr.outvars, found, strict=bool(outputs)):
            if d is None:
                self._given[v] = lambda own=own: inner.value(own)
        return found

    def _branches(self, eqn, ins):
        branches, index = eqn.params["branches"], None if ins[0] is not None else self._known(eqn.invars[0])
        if index is not None:
            branches = [branches[int(np.clip(index, 0, len(branches) - 1))]]
        found = [self._call(branch, ins[1:], eqn.invars[1:]) for branch in branches]
        return [union(ds, v.aval.shape) for ds, v in zip(zip(*found, strict=True), eqn.outvars, strict=True)]

    def _scan(self, eqn, ins):
        jaxpr, length, reverse = (eqn.params[name] for name in ("jaxpr", "length", "reverse"))
        # What is carried keeps its shape, and what is scanned loses an axis.
        num_carry = sum(
            len(out.aval.shape) == len(v.aval.shape) for out, v in zip(eqn.outvars, jaxpr.jaxpr.outvars, strict=True)
        )
        num_xs = sum(len(v.aval.shape) < len(x.aval.shape) for x, v in zip(eqn.invars, jaxpr.jaxpr.invars, strict=True))
        num_consts = len(ins) - num_carry - num_xs
        if length == 0:
            return [*ins[num_consts : num_consts + num_carry], *[None] * (len(eqn.outvars) - num_carry)]
        thunks = self._thunks(eqn.invars)
        varying = [lambda t=t: None if t() is None else _VARYING for t in thunks[num_consts:]]
        body = Body(self._runner(jaxpr, thunks[:num_consts] + varying), jaxpr, ins, num_consts, num_carry)
        if body.missed and length <= _STEPS:
            return self._unrolled(eqn, ins, num_consts, num_carry)
        return body.scanned(ins, length, reverse)

    def _unrolled(self, eqn, ins, num_consts, num_carry):
        jaxpr, length = eqn.params["jaxpr"], eqn.params["length"]
        fixed, num_before = self._thunks(eqn.invars[:num_consts]), num_consts + num_carry
        carry, xs = ins[num_consts:num_before], ins[num_before:]
        (*state,) = (self.value(v) for v in eqn.invars[num_consts:num_before])
        (*values,) = (self.value(v) for v in eqn.invars[num_before:])
        rows = [None] * length
        for t in range(length)[:: -1 if eqn.params["reverse"] else 1]:
            with jax.ensure_compile_time_eval():  # what is known stays so where the detection is traced
                parts = state + [x if x is None or x is _VARYING else x[t] for x in values]
            slices = [None if d is None else d.moved(lambda layer, t=t: layer[t]) for d in xs]
            step = Program(
                jaxpr, [*ins[:num_consts], *carry, *slices], fixed + [lambda p=p: p for p in parts], self.unknown
            )
            found = step.run()
            self.missed |= step.missed
            carry, rows[t] = found[:num_carry], found[num_carry:]
            outs = zip(step.jaxpr.outvars[:num_carry], carry, strict=True)
            state = [step.value(v) if d is None else None for v, d in outs]
        return [*carry, *(stacked(ds) for ds in zip(*rows, strict=True))]

    def _while(self, eqn, ins):
        skip, num_consts, jaxpr = (eqn.params[name] for name in ("cond_nconsts", "body_nconsts", "body_jaxpr"))
        ins, num_carry = ins[skip:], len(eqn.outvars)
        values = self._thunks(eqn.invars[skip : skip + num_consts]) + [lambda: None] * num_carry
        body = Body(self._runner(jaxpr, values), jaxpr, ins, num_consts, num_carry)
        self.missed |= body.missed
        return body.repeated(ins)

    def _solve(self, eqn, ins):
        """Follow the solution of A x = b: the inverse is a polynomial in A, and reaches what powers of A reach."""
        counts, matvec = eqn.params["const_lengths"], eqn.params["jaxprs"].matvec
        shapes, consts, b = [v.aval.shape for v in eqn.outvars], ins[: counts.matvec], ins[sum(counts) :]
        if any(d is not None for d in consts):
            return [merged(ins, shape) for shape in shapes]
        values = self._thunks(eqn.invars[: counts.matvec]) + [lambda: None] * len(b)
        body = Body(self._runner(matvec, values), matvec, consts + b, counts.matvec, len(b))
        found = body.repeated(consts + b)
        return found + [None] * (len(shapes) - len(found))  # what else the solver returns has no derivative

    def _runner(self, jaxpr, values):
        def run(dependences):
            step = Program(jaxpr, dependences, values, self.unknown)
            return step.run(), step.missed

        return run


def _evaluated(eqn, values):
    """Return what an operation makes of known values."""
    with jax.ensure_compile_time_eval():
        if eqn.primitive.name in _CALLS:
            jaxpr = eqn.params[_CALLS[eqn.primitive.name]]
            return jaxpr_as_fun(jaxpr if hasattr(jaxpr, "consts") else ClosedJaxpr(jaxpr, ()))(*values)
        outs = eqn.primitive.bind(*values, **eqn.params)
    return outs if eqn.primitive.multiple_results else [outs]


def has_rules(jaxpr):
    """Tell whether a program calls functions with derivative rules of their own."""
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    for eqn in jaxpr.eqns:
        if eqn.primitive.name.startswith(("custom_jvp_call", "custom_vjp_call")):
            return True
        for parameter in eqn.params.values():
            parts = parameter if isinstance(parameter, tuple | list) else [parameter]
            if any(hasattr(getattr(part, "jaxpr", part), "eqns") and has_rules(part) for part in parts):
                return True
    return False


_STRUCTURES = {
    "cond": Program._branches,
    "scan": Program._scan,
    "while": Program._while,
    "custom_linear_solve": Program._solve,
}
