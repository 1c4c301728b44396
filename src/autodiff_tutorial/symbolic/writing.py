"""Expressions written as Python; knows which functions a backend has by its namespace, and nothing else of it."""

import math
from typing import NamedTuple

import sympy
from sympy.core.function import AppliedUndef
from sympy.logic.boolalg import BooleanAtom

# The functions that go by the same name in NumPy, JAX and PyTorch, and SymPy's names for some of them.
_ELEMENTARY = (
    "abs acos acosh angle asin asinh atan atan2 atanh ceil conj cos cosh exp floor imag log logical_and logical_not "
    "logical_or maximum minimum real remainder sign sin sinh sqrt tan tanh where"
)
_OTHER_NAMES = {
    "Abs": "abs", "And": "logical_and", "Max": "maximum", "Min": "minimum", "Mod": "remainder", "Not": "logical_not",
    "Or": "logical_or", "arg": "angle", "ceiling": "ceil", "conjugate": "conj", "im": "imag", "re": "real",
}  # fmt: skip
_RECIPROCALS = {"sec": "cos", "csc": "sin", "cot": "tan", "sech": "cosh", "csch": "sinh", "coth": "tanh"}
_ADVICE = {
    "ComplexInfinity": "; the expression divides by zero",
    "DiracDelta": "; it stands for the derivative of a jump, which has no value",
    "NaN": "; the expression has no value",
}

# SymPy's names of special functions, and the names in `scipy.special`, `jax.scipy.special` and `torch.special`.
SPECIAL = {"erf": "erf", "erfc": "erfc", "gamma": "gamma", "loggamma": "gammaln", "polygamma": "polygamma"}

_SUM, _PRODUCT, _POWER, _ATOM = range(4)


class UnknownFunction(Exception):
    """An expression holds a function that the namespace lacks."""


def elementary_names():
    """Return the names of the functions that every backend has."""
    return _ELEMENTARY.split()


def folded(e, memo, missing):
    """Carry out derivatives; round irrational constants, and integers beyond 32 bits, to floats.

    Then no function has a constant argument. Each distinct subexpression is visited once, so the cost is that of the
    shared expression. `memo` holds what variables are replaced by; those that it lacks are added to `missing`.
    """
    if e in memo:
        return memo[e]
    found = e
    if isinstance(e, sympy.Derivative) and (done := e.doit()) != e:
        found = folded(done, memo, missing)
    elif e.is_Symbol or isinstance(e, AppliedUndef | sympy.Derivative):
        missing.add(e)
    elif e.is_Rational:
        found = e if max(abs(e.p), e.q) < 2**31 else sympy.Float(e, 17)
    elif e.is_number and e is not sympy.I and (value := _rounded(e)) is not None:
        found = value
    elif not getattr(e, "bound_symbols", None):
        # Rebuilt even where nothing changed: `sympy.cse` is wrong on what was made with evaluate=False.
        found = e.func(*(folded(a, memo, missing) for a in e.args)) if e.args else e
    memo[e] = found
    return found


def _rounded(e):
    """Return a constant as a float, or a sum of a real and an imaginary one; None where it has no finite value."""
    value = e.evalf(17)
    real, imaginary = value.as_real_imag()
    if not (real.is_Float or real.is_Rational) or not (imaginary.is_Float or imaginary.is_Rational):
        return None
    if imaginary and abs(e.evalf(60).as_real_imag()[1]) <= 1e-40 * abs(real):  # no more than roundoff
        return real
    return value


class Words(NamedTuple):
    """Expressions written as Python: with what the variables are called, and the functions that there are."""

    names: dict
    namespace: dict

    def written(self, e):
        """Write an expression."""
        return self._code(e)[0]

    def written_array(self, e):
        """Write an expression such that it gives an array; a number becomes one of the type that the others have."""
        return f"number({self.written(e)})" if e.is_number or isinstance(e, BooleanAtom) else self.written(e)

    def _at_least(self, level, e):
        text, own = self._code(e)
        return text if own >= level else f"({text})"

    def _code(self, e):
        """Return an expression as Python, and how tightly it binds."""
        name = type(e).__name__
        if e.is_Symbol:
            return self.names.get(e, e.name), _ATOM
        if isinstance(e, BooleanAtom):
            return str(bool(e)), _ATOM
        if e in (sympy.oo, -sympy.oo):
            return f'float("{e}")'.replace("oo", "inf"), _ATOM
        if e is sympy.I:
            return "1j", _ATOM
        if e.is_Integer:
            return str(e), _ATOM if e >= 0 else _SUM
        if e.is_Rational:
            return (f"{e.p}/{e.q}", _PRODUCT if e > 0 else _SUM) if _short(e) else self._code(sympy.Float(e, 17))
        if e.is_Float:
            value = float(e)
            text = repr(value) if math.isfinite(value) else f'float("{value}")'
            return text, _ATOM if value >= 0 else _SUM
        if e.is_Add:
            return self._sum(e), _SUM
        if e.is_Mul:
            return self._product(e)
        if e.is_Pow:
            return self._power(*e.args)
        if e.is_Piecewise:
            return self._choice(e.args), _ATOM
        if e.is_Relational:
            left, right = (self.written(a) for a in e.args)
            return f"({left} {e.rel_op} {right})", _ATOM
        if name == "Heaviside":
            x, at_zero = e.args
            return self._choice(((sympy.S.One, x > 0), (sympy.S.Zero, x < 0), (at_zero, sympy.true))), _ATOM
        if name in _RECIPROCALS:
            return f"1/{_RECIPROCALS[name]}({self.written_array(e.args[0])})", _PRODUCT
        if name == "polygamma" and e.args[0].is_Integer:
            return f"polygamma({e.args[0]}, {self.written_array(e.args[1])})", _ATOM
        name = _OTHER_NAMES.get(name, name)
        if name not in self.namespace or not e.args:
            raise UnknownFunction(f"{type(e).__name__}{_ADVICE.get(type(e).__name__, '')}")
        return self._call(name, [self.written_array(a) for a in e.args]), _ATOM

    def _call(self, name, texts):
        """Write a call; one of more than two arguments is nested."""
        text = texts[0] if len(texts) > 1 else f"{name}({texts[0]})"
        for other in texts[1:]:
            text = f"{name}({text}, {other})"
        return text

    def _sum(self, e):
        terms = [self._at_least(_PRODUCT if t.is_Add else _SUM, t) for t in e.args]
        text = terms[0]
        for term in terms[1:]:
            text += f" - {term[1:]}" if term.startswith("-") else f" + {term}"
        return text

    def _product(self, e):
        coefficient, factors = e.as_coeff_mul()
        sign, coefficient = ("-", -coefficient) if coefficient < 0 else ("", coefficient)
        above, below = [], []
        if _short(coefficient):
            above += [str(coefficient.p)] if coefficient.p != 1 else []
            below += [str(coefficient.q)] if coefficient.q != 1 else []
        else:
            above.append(self._at_least(_ATOM, sympy.Float(coefficient, 17)))
        for factor in factors:
            base, exponent = factor.as_base_exp()
            if exponent.is_Rational and exponent < 0:
                text, level = self._power(base, -exponent)
                below.append(text if level >= _POWER else f"({text})")
            else:
                above.append(self._at_least(_POWER, factor))
        text = "*".join(above or ["1"])
        if below:
            text += f"/({'*'.join(below)})" if len(below) > 1 else f"/{below[0]}"
        return sign + text, _SUM if sign else _PRODUCT

    def _power(self, base, exponent):
        if exponent == 1:
            return self._code(base)
        if exponent.is_Rational and exponent < 0:
            text, level = self._power(base, -exponent)
            return f"1/{text}" if level >= _POWER else f"1/({text})", _PRODUCT
        if exponent == sympy.S.Half:
            return f"sqrt({self.written_array(base)})", _ATOM
        return f"{self._at_least(_ATOM, base)}**{self._at_least(_ATOM, exponent)}", _POWER

    def _choice(self, branches):
        text = 'number(float("nan"))'
        for value, condition in reversed(branches):
            value = self.written_array(value)
            text = value if condition is sympy.true else f"where({self.written_array(condition)}, {value}, {text})"
        return text


def _short(number):
    """Tell whether a rational number is exact in every type of floats, numerator and denominator each."""
    return number.is_Rational and max(abs(number.p), number.q) <= 2048
