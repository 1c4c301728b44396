"""What Python's operators and the methods of arrays do with traced values."""

from autodiff_tutorial.primitives import arrays, elementwise, linear_algebra, parts, reductions
from autodiff_tutorial.primitives.tracing import Traced

_TWO_SIDED = {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "pow": elementwise.power,
    "matmul": linear_algebra.matmul,
}
_OTHERS = {
    "__neg__": elementwise.negative,
    "__abs__": elementwise.absolute,
    "__lt__": elementwise.less,
    "__le__": elementwise.less_equal,
    "__gt__": elementwise.greater,
    "__ge__": elementwise.greater_equal,
    "__eq__": elementwise.equal,
    "__ne__": elementwise.not_equal,
    "__getitem__": parts.index,
    "sum": reductions.sum,
    "mean": reductions.mean,
    "max": reductions.max,
    "min": reductions.min,
    "prod": reductions.prod,
    "cumsum": reductions.cumsum,
    "reshape": arrays.reshape,
    "ravel": arrays.ravel,
    "squeeze": arrays.squeeze,
    "transpose": lambda x, *axes: arrays.transpose(x, *(axes if len(axes) < 2 else (axes,))),
    "astype": arrays.astype,
    "swapaxes": arrays.swapaxes,
    "dot": linear_algebra.dot,
}


def _method(function):
    return lambda self, *args, **options: function(self, *args, **options)


def _reflected(function):
    return lambda self, other: function(other, self)


for _name, _function in _TWO_SIDED.items():
    setattr(Traced, f"__{_name}__", _method(_function))
    setattr(Traced, f"__r{_name}__", _reflected(_function))
for _name, _function in _OTHERS.items():
    setattr(Traced, _name, _method(_function))
for _name, _member in ("__pos__", lambda self: self), ("T", property(arrays.transpose)):
    setattr(Traced, _name, _member)
