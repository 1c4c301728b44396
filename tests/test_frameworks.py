"""The bridge to torch against JAX's transforms, torch's gradcheck and closed forms; both frameworks side by side."""

import math
import os
import re
import runpy
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy

torch = pytest.importorskip("torch")

from autodiff_tutorial import frameworks, reverse_mode, sampled_data, symbolic  # noqa: E402
from autodiff_tutorial.checks import check_derivatives  # noqa: E402
from autodiff_tutorial.frameworks import Comparison, compare, to_torch  # noqa: E402
from autodiff_tutorial.higher_order import mixed_partial  # noqa: E402

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # torch warns of itself when forward mode is first used
    torch.func.jvp(torch.sin, (torch.ones(1),), (torch.ones(1),))

nan, inf = math.nan, math.inf


def normal(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def to_tensors(tree, requires_grad=False):
    """Make tensors of the arrays in a pytree; those of floats require gradients if asked."""
    return jax.tree.map(lambda a: torch.tensor(a, requires_grad=requires_grad and a.dtype.kind == "f"), tree)


def assert_close(found, expected, tol=1e-12):
    """Assert that two pytrees agree: structure, shapes, and numbers relative to the largest of a leaf."""
    found = jax.tree.map(lambda leaf: leaf.detach().numpy() if isinstance(leaf, torch.Tensor) else leaf, found)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        theirs = np.asarray(theirs)
        assert np.shape(ours) == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tol * max(1.0, abs(theirs).max(initial=0.0)))


@jax.custom_jvp
def softened(x):
    """Return |x|, smoothed; it has a rule of its own."""
    return jnp.sqrt(x**2 + 0.01)


softened.defjvp(lambda x, x_dot: (softened(x[0]), x_dot[0] * x[0] / softened(x[0])))

a, b = sympy.symbols("a b", real=True)
compiled = symbolic.compile(sympy.sin(a * b) + a**3 / b, [a, b], backend="jax")

A = normal(3, 3, seed=1) + 4 * np.eye(3)
LAYER = {"W": normal(2, 3, seed=2), "b": normal(2, seed=3)}

# name: (function, arguments)
FUNCTIONS = {
    "elementwise": (lambda x: jnp.sin(x) * x**2, [normal(3)]),
    "two inputs": (lambda x, y: (x[:, None] * jnp.exp(y), jnp.sum(y)), [normal(2), normal(3, seed=4)]),
    "pytrees": (
        lambda p, x: {"y": jnp.tanh(p["W"] @ x["x"] + p["b"]), "size": [jnp.sum(p["W"] ** 2)]},
        [LAYER, {"x": normal(3, seed=5)}],
    ),
    "index and mask": (
        lambda x, i, keep: jnp.where(keep, jnp.cos(x[i]), x[i] ** 2),
        [normal(4), np.array([2, 0, 2]), np.array([True, False, True])],
    ),
    "inverse": (lambda A: jnp.linalg.inv(A) @ A.T, [A]),
    "loop": (lambda x: jax.lax.scan(lambda c, _: (c * (1.5 - c), c), x, length=5), [normal(2)]),
    "Fourier": (lambda x: jnp.abs(jnp.fft.rfft(x)) ** 2, [normal(5)]),
    "rule": (lambda x: softened(x) * x, [normal(3)]),
    "sampled_data": (sampled_data.derivative, [normal(6), np.array([0.0, 0.7, 1.1, 2.0, 2.4, 3.0])]),
    "symbolic": (compiled, [np.asarray(0.7), np.asarray(1.3)]),
    "reverse_mode": (reverse_mode.grad(lambda x: (x**3).sum() * x[0]), [normal(3)]),
}  # fmt: skip
CHECKED = ("elementwise", "two inputs", "pytrees", "index and mask", "inverse")


def flattened(name):
    """Return a bridged function of its floating tensors only, with a tuple of tensors as result, and those tensors."""
    f, args = FUNCTIONS[name]
    leaves, structure = jax.tree.flatten(to_tensors(args, requires_grad=True))
    bridged = to_torch(f)

    def of_floats(*floats):
        floats = iter(floats)
        full = [next(floats) if leaf.is_floating_point() else leaf for leaf in leaves]
        return tuple(jax.tree.leaves(bridged(*jax.tree.unflatten(structure, full))))

    return of_floats, tuple(leaf for leaf in leaves if leaf.is_floating_point())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_both_rules_are_those_of_jax(name):
    """Value, backward and forward mode agree with jax.vjp and jax.jvp."""
    f, args = FUNCTIONS[name]
    leaves, structure = jax.tree.flatten(args)
    floating = [np.asarray(leaf).dtype.kind == "f" for leaf in leaves]
    x = [jnp.asarray(leaf) for leaf, is_float in zip(leaves, floating, strict=True) if is_float]

    def g(*x):
        x = iter(x)
        return f(*jax.tree.unflatten(structure, [next(x) if c else a for a, c in zip(leaves, floating, strict=True)]))

    x_dot = [normal(*a.shape, seed=7) for a in x]
    y_bar = jax.tree.map(lambda a: normal(*a.shape, seed=8), jax.eval_shape(g, *x))

    @jax.jit
    def both_rules(x, x_dot, y_bar):
        return *jax.jvp(g, x, x_dot), jax.vjp(g, *x)[1](y_bar)

    y, y_dot, x_bar = both_rules(*jax.tree.map(jnp.asarray, (x, x_dot, y_bar)))
    assert_close(to_torch(f)(*to_tensors(args)), y)
    lent, tensors = flattened(name)
    found = torch.autograd.grad(lent(*tensors), tensors, to_tensors(jax.tree.leaves(y_bar)))
    assert_close(found, x_bar)
    found = torch.func.jvp(lent, tuple(t.detach() for t in tensors), tuple(to_tensors(x_dot)))[1]
    assert_close(list(found), jax.tree.leaves(y_dot))


@pytest.mark.parametrize("name", CHECKED)
def test_torch_checks_derivatives_by_differences(name):
    """Both gradcheck and gradgradcheck pass, in both modes, forward over reverse, and with cotangents left out."""
    lent, tensors = flattened(name)
    assert torch.autograd.gradcheck(lent, tensors, check_forward_ad=True, check_undefined_grad=True)
    assert torch.autograd.gradgradcheck(lent, tensors, check_fwd_over_rev=True)


def test_gradcheck_rejects_a_wrong_rule():
    """A JAX function whose own rule is wrong is found out through the bridge."""
    wrong = jax.custom_jvp(jnp.sin)
    wrong.defjvp(lambda x, x_dot: (jnp.sin(x[0]), x_dot[0] * jnp.sin(x[0])))
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(to_torch(wrong), to_tensors([normal(3)], requires_grad=True))


def curved(x):
    """Map R^3 to R^2, with all derivatives alive."""
    return jnp.stack([jnp.sin(x[0] * x[1]) + x[2] ** 3, x[2] / (9 + x[0] * x[1])])


def energy(x):
    return jnp.sum(curved(x) ** 2)


# The names are the same in both frameworks: `of` is torch.func or jax.
TRANSFORMS = {
    "jacfwd": (lambda of, f: of.jacfwd(f), curved, (3,)),
    "reverse over reverse": (lambda of, f: of.jacrev(of.jacrev(f)), curved, (3,)),
    "reverse over forward": (lambda of, f: of.jacrev(of.jacfwd(f)), curved, (3,)),
    "forward over forward": (lambda of, f: of.jacfwd(of.jacfwd(f)), curved, (3,)),
    "third, mixed": (lambda of, f: of.jacrev(of.jacfwd(of.grad(f))), lambda x: jnp.sin(x).prod(), (3,)),
    "vmap twice": (lambda of, f: of.vmap(of.vmap(f)), curved, (2, 4, 3)),
    "vmap of hessian": (lambda of, f: of.vmap(of.hessian(f)), energy, (4, 3)),
    "grad of vmap": (lambda of, f: of.grad(lambda x: of.vmap(f)(x).sum()), energy, (4, 3)),
}


@pytest.mark.parametrize("transform, f, shape", TRANSFORMS.values(), ids=TRANSFORMS)
def test_transforms_of_torch_do_what_those_of_jax_do(transform, f, shape):
    """The same expression in torch.func, of the bridged function, and in JAX, of the function."""
    x = normal(*shape)
    assert_close(transform(torch.func, to_torch(f))(torch.tensor(x)), jax.jit(transform(jax, f))(jnp.asarray(x)))


def test_vmap_over_some_inputs():
    """Inputs that are not batched are shared, at any axis, in pytrees as well, and in chunks."""
    x, W = normal(3), normal(3, 4, 2)
    lent = to_torch(lambda p, x: {"y": p["W"] @ p["scale"] * x, "i": jnp.argmax(p["W"])})
    p = to_tensors({"W": W, "scale": normal(2)})
    found = torch.vmap(lent, in_dims=({"W": 1, "scale": None}, None), chunk_size=3)(p, torch.tensor(x))
    expected = {"y": (W.transpose(1, 0, 2) @ normal(2)) * x, "i": W.transpose(1, 0, 2).reshape(4, 6).argmax(axis=1)}
    assert_close(found, expected)


def test_create_graph_reaches_the_third_derivative():
    """Three backward passes through one another give cos, -sin and -cos."""
    x = torch.tensor(normal(3), requires_grad=True)
    y = to_torch(jnp.sin)(x)
    for expected in (np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x)):
        (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        assert_close(y, expected(normal(3)))


@pytest.mark.parametrize("order", ["reverse over forward", "forward over reverse"])
def test_dual_numbers_of_torch_mix_with_backward(order):
    """torch.autograd.forward_ad and backward, either around the other, give the second derivative of x^3."""
    forward_ad = torch.autograd.forward_ad
    x, v = torch.tensor(normal(3), requires_grad=True), torch.tensor(normal(3, seed=1))
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, v)
        y = to_torch(lambda x: x**3)(dual)
        if order == "reverse over forward":
            (found,) = torch.autograd.grad(forward_ad.unpack_dual(y).tangent.sum(), x)
        else:
            (gradient,) = torch.autograd.grad(y.sum(), dual, create_graph=True)
            found = forward_ad.unpack_dual(gradient).tangent
    assert_close(found, 6 * normal(3) * normal(3, seed=1))


def test_integers_and_booleans_go_in_and_come_out_without_derivatives():
    """Results of integers are no part of the graph, have no tangent, and stop nothing."""
    lent = to_torch(lambda x, i: {"picked": x[i], "at": jnp.argmax(x), "next": i + 1, "sign": x > 0})
    x, i = torch.tensor([1.0, -3.0, 2.0], requires_grad=True), torch.tensor([2, 2])
    y = lent(x, i)
    assert [y[name].requires_grad for name in ("picked", "at", "next", "sign")] == [True, False, False, False]
    assert [y[name].tolist() for name in ("at", "next", "sign")] == [2, [3, 3], [True, False, True]]
    y["picked"].sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 2.0]
    with torch.autograd.forward_ad.dual_level():
        y = lent(torch.autograd.forward_ad.make_dual(x.detach(), torch.ones(3)), i)
        tangents = {name: torch.autograd.forward_ad.unpack_dual(leaf).tangent for name, leaf in y.items()}
    assert tangents.pop("picked").tolist() == [1.0, 1.0]
    assert set(tangents.values()) == {None}


def test_outputs_and_inputs_may_be_left_out_of_a_derivative():
    """What is not used has no or a zero cotangent, and what does not depend has a zero gradient."""
    a, b = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    product, _ = to_torch(lambda a, b: (a * b, a + b))(a, b)
    assert torch.autograd.grad(product, a)[0] == 3.0
    constant = to_torch(lambda a: jnp.ones(2))(a)
    assert torch.autograd.grad(constant.sum(), a)[0] == 0.0
    assert not to_torch(jnp.sin)(a.detach()).requires_grad
    with torch.no_grad():
        assert not to_torch(jnp.sin)(a).requires_grad


def test_none_in_a_pytree_is_empty():
    """None holds no leaf, in arguments and in results."""
    x = torch.tensor(2.0)
    found = to_torch(lambda p: {"square": p["x"] ** 2, "bias": p["bias"]})({"x": x, "bias": None})
    assert found == {"square": 4.0, "bias": None}


def test_cotangents_may_be_sparse_or_expanded():
    """Torch makes some cotangents without memory of their own: they count in full."""
    x = torch.tensor(normal(4, 2), requires_grad=True)
    y = to_torch(lambda x: 3 * x)(x)
    rows = torch.nn.functional.embedding(torch.tensor([0, 2, 2]), y, sparse=True)
    assert torch.autograd.grad(rows.sum(), x)[0].tolist() == [[3.0, 3.0], [0.0, 0.0], [6.0, 6.0], [0.0, 0.0]]


def test_network_of_torch_trains_on_a_bridged_loss():
    """A step of gradient descent through a torch module and a JAX loss is that of the same loss in torch."""
    x, target = to_tensors([normal(5, 3), normal(5, 2, seed=1)])

    def stepped(loss):
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()
        with torch.no_grad():
            for seed, p in enumerate(net.parameters()):
                p.copy_(torch.tensor(normal(*p.shape, seed=seed)))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            loss(net(x), target).backward()
            optimizer.step()
        return [p.detach().numpy() for p in net.parameters()]

    lent = to_torch(lambda y, target: jnp.mean(jnp.log(jnp.cosh(y - target))))
    assert_close(stepped(lent), stepped(lambda y, target: (y - target).cosh().log().mean()))


def test_function_without_a_transpose_works_as_far_as_it_can():
    """A while loop has no VJP: forward mode works, and so do gradients in what does not pass through it."""
    lent = to_torch(lambda x, y: y * jax.lax.while_loop(lambda x: x < 10, lambda x: x * x, x))  # x^4 y for x = 3
    x, y, one = torch.tensor(3.0), torch.tensor(2.0, requires_grad=True), torch.tensor(1.0)
    assert torch.func.jvp(lent, (x, y.detach()), (one, one)) == (162.0, 216.0 + 81.0)
    assert torch.autograd.grad(lent(x, y), y)[0] == 81.0
    with pytest.raises(ValueError, match=r"Reverse-mode differentiation does not work for lax\.while_loop"):
        lent(x.requires_grad_(), y).backward()


EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


@pytest.mark.parametrize("dtype", EPS)
def test_precision_is_kept(dtype):
    """Value, gradient and tangent have the input's dtype, and are right to its precision."""
    x = torch.tensor([0.5, 1.0], dtype=getattr(torch, dtype), requires_grad=True)
    y = to_torch(jnp.sin)(x)
    y.sum().backward()
    tangent = torch.func.jvp(to_torch(jnp.sin), (x.detach(),), (torch.ones_like(x),))[1]
    assert y.dtype == x.grad.dtype == tangent.dtype == x.dtype
    for found, f in ((y, np.sin), (x.grad, np.cos), (tangent, np.cos)):
        assert_close(found.double(), f([0.5, 1.0]), EPS[dtype])


def test_integers_pass_as_they_are():
    """Every type of integers keeps its bits, in one call of them all."""
    names = ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
    x = {name: torch.tensor([0, 1, 1], dtype=getattr(torch, name)) for name in names}
    y = to_torch(lambda x: jax.tree.map(lambda leaf: leaf[::-1], x))(x)
    assert {name: leaf.dtype for name, leaf in y.items()} == {name: leaf.dtype for name, leaf in x.items()}
    assert all(leaf.tolist() == [1, 1, 0] for leaf in y.values())


@pytest.mark.usefixtures("without_x64")
def test_32_bits_work_as_jax_comes():
    """Where JAX has no 64 bits, single precision works, and double precision is refused rather than cut."""
    x = torch.tensor([0.5, 1.0], requires_grad=True)
    y = to_torch(lambda x, i: jnp.sin(x[i]))(x, torch.tensor([1], dtype=torch.int32))
    assert y.dtype == torch.float32
    assert_close(torch.autograd.grad(y.sum(), x)[0], np.array([0.0, np.cos(1.0)]), 1e-6)
    for dtype in ("float64", "int64", "uint64"):
        message = f'at most 32 bits. Got {dtype}. Convert it, or jax.config.update("jax_enable_x64", True).'
        with pytest.raises(TypeError, match=re.escape(message)):
            to_torch(jnp.sin)(torch.ones(2, dtype=getattr(torch, dtype)))


def watched(monkeypatch):
    """Return a list that grows by (address that was given, address that came out) at each passage of a value."""
    seen, there, back = [], jax.dlpack.from_dlpack, torch.from_dlpack

    def to_jax(tensor):
        array = there(tensor)
        seen.append((tensor.data_ptr(), array.unsafe_buffer_pointer()))
        return array

    def to_torch(array):
        tensor = back(array)
        seen.append((array.unsafe_buffer_pointer(), tensor.data_ptr()))
        return tensor

    monkeypatch.setattr(jax.dlpack, "from_dlpack", to_jax)
    monkeypatch.setattr(torch, "from_dlpack", to_torch)
    return seen


def test_values_pass_without_copies(monkeypatch):
    """JAX reads the tensor's own memory, and the result lies where JAX has put it, backward as well."""
    x = torch.tensor(normal(1000), requires_grad=True)
    seen = watched(monkeypatch)
    y = to_torch(jnp.sin)(x)
    y.sum().backward()
    assert len(seen) == 5  # x, y, and x, y_bar, x_bar
    assert seen[0] == (x.data_ptr(), x.data_ptr())
    assert seen[1] == (y.data_ptr(), y.data_ptr())
    assert all(given == got for given, got in seen)


VIEWS = {
    "transposed": lambda x: x.T,
    "strided": lambda x: x[::2, 1::3],
    "unaligned": lambda x: x[0, 1:],
    "expanded": lambda x: x[:1].expand(4, -1),
    "negated": lambda x: torch.complex(x, x)[:1, :1].conj().imag,
    "empty": lambda x: x[:0],
    "scalar": lambda x: x[2, 3],
    "parameter": torch.nn.Parameter,
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_views_pass_with_their_values(view):
    """Tensors that are no plain block of memory count as what they show."""
    x = view(torch.tensor(normal(6, 8)))
    assert_close(to_torch(jnp.sin)(x), torch.sin(x).detach().numpy())


CONSTANT = jnp.arange(3.0)
PASSED_THROUGH = {
    "input": lambda x: x,
    "twice": lambda x: (x, x),
    "part": lambda x: x[:],
    "constant": lambda x: CONSTANT,
    "constant twice": lambda x: (CONSTANT, CONSTANT),
    "result twice": lambda x: (lambda y: (y, y))(2 * x),
    "compiled": jax.jit(lambda x: (x, CONSTANT)),
}


@pytest.mark.parametrize("f", PASSED_THROUGH.values(), ids=PASSED_THROUGH)
@pytest.mark.parametrize("disabled", [False, True], ids=["compiled", "disable_jit"])
def test_results_may_be_written_into(f, disabled):
    """A result shares memory with no input, no other result, nothing that f holds, and no later result."""
    lent = to_torch(f)
    with jax.disable_jit(disabled):
        x = torch.arange(3.0, dtype=torch.float64)
        expected = jax.tree.map(torch.clone, lent(x))
        results = jax.tree.leaves(lent(x))
        addresses = [x.data_ptr(), CONSTANT.unsafe_buffer_pointer(), *(y.data_ptr() for y in results)]
        assert len(set(addresses)) == len(addresses)
        for y in results:
            y.fill_(7.0)
        assert x.tolist() == CONSTANT.tolist() == [0.0, 1.0, 2.0]
        assert all(map(torch.equal, jax.tree.leaves(lent(x)), jax.tree.leaves(expected)))


def test_gradient_may_be_written_into():
    """The gradient of the identity is the cotangent, in memory of its own."""
    x, y_bar = torch.ones(3, requires_grad=True), torch.ones(3)
    to_torch(lambda x: x)(x).backward(y_bar)
    x.grad.zero_()
    assert y_bar.tolist() == [1.0, 1.0, 1.0]


def test_result_may_be_changed_in_place_within_the_graph():
    """An in-place operation on a result is differentiated like any other."""
    x = torch.tensor(normal(3), requires_grad=True)
    y = to_torch(jnp.sin)(x)
    y.mul_(2)
    assert_close(torch.autograd.grad(y.sum(), x)[0], 2 * np.cos(normal(3)))


def test_input_may_be_changed_right_after_the_call():
    """The call returns when JAX has read the input, though JAX computes in the background."""

    def heavy(x):
        return jax.lax.fori_loop(0, 60, lambda _, y: jnp.tanh(y @ x) + x, x)

    lent, x = to_torch(heavy), torch.tensor(normal(300, 300, dtype="float32") / 20)
    expected = lent(x.clone()).clone()
    for _ in range(3):
        changed = x.clone()
        found = lent(changed)
        changed.zero_()
        assert torch.equal(found, expected)


def test_input_that_was_changed_is_noticed_at_the_backward():
    """Only inputs are kept for the backward: torch refuses to use one that is no longer what it was."""
    x = torch.tensor(normal(3), requires_grad=True)
    shifted = x + 1
    y = to_torch(jnp.sin)(shifted)
    shifted.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_function_is_called_once_for_each_shape():
    """Python runs f once, for values and derivatives of all orders together, until a shape or dtype is new."""
    calls = []

    def f(p):
        calls.append(p["x"].shape)
        return jnp.sum(jnp.sin(p["x"]) * p["y"])

    lent = to_torch(f)

    def used(*shape, dtype=torch.float64):
        p = {name: torch.ones(*shape, dtype=dtype, requires_grad=True) for name in ("x", "y")}
        for _ in range(3):
            (x_bar,) = torch.autograd.grad(lent(p), p["x"], create_graph=True)
            x_bar.sum().backward()
        plain = {name: leaf.detach() for name, leaf in p.items()}
        torch.func.jvp(lent, (plain,), (plain,))
        torch.func.vmap(torch.func.grad(lent))({name: leaf[None] for name, leaf in plain.items()})

    used(3)
    assert calls == [(3,)]
    used(3)
    used(4)
    assert calls == [(3,), (4,)]
    used(4, dtype=torch.float32)
    assert calls == [(3,), (4,), (4,)]


def test_tensors_of_the_processor_stay_there():
    """Whatever JAX's default device is, also with constants elsewhere and inputs that f does not use."""
    program = """
import jax, jax.numpy as jnp, torch
first, second = jax.devices()
jax.config.update("jax_default_device", second)
from autodiff_tutorial.frameworks import to_torch
seen, back = set(), torch.from_dlpack
torch.from_dlpack = lambda y: seen.update(y.devices()) or back(y)
constant = jax.device_put(jnp.arange(3.0), second)
for f in (jnp.sin, lambda x: x * constant, lambda x: constant, lambda x: jnp.arange(3.0)):
    to_torch(f)(torch.ones(3, requires_grad=True)).sum().backward()
assert seen == {first}, seen
"""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | flags)


def test_module_says_what_it_needs(monkeypatch):
    """Without torch the import fails with the way out."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'needs PyTorch. Install it: pip install "autodiff-tutorial\[torch\]"'):
        runpy.run_path(frameworks.__file__)


def test_older_batching_of_torch_is_refused():
    """is_grads_batched, which torch.func replaces, raises an error and gives no wrong numbers."""
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(to_torch(jnp.sin)(x), x, torch.eye(2), is_grads_batched=True)


ones = torch.ones(3)
NOT_TRACEABLE = "`frameworks.to_torch(f=...)` should be traceable: jax.numpy, and no branches on values. Got "
NO_ARRAYS = "`frameworks.to_torch(f=...)` should return arrays of real numbers, or pytrees of them. Got "
WITH = "`frameworks.to_torch(f)(...)` should be called with "

# name: (function, arguments, error, message)
NOT_LENT = {
    "no function": (3, (ones,), TypeError, "`frameworks.to_torch(f=...)` should be callable. Got int."),
    "float": (jnp.sin, (2.0,), TypeError, WITH + "torch tensors. Got float. Convert it by torch.tensor."),
    "array": (
        jnp.sin,
        ({"a": np.ones(2)},),
        TypeError,
        WITH + "torch tensors. Got ndarray. Convert it by torch.tensor.",
    ),
    "nothing": (jnp.sin, (), ValueError, WITH + "tensors on one device. Got none."),
    "None": (lambda t: 1.0, ({"a": None},), ValueError, WITH + "tensors on one device. Got none."),
    "sparse": (jnp.sin, (ones.to_sparse(),), TypeError, WITH + "dense tensors. Got a sparse one. Convert it."),
    "complex": (jnp.abs, (1j * ones,), TypeError, WITH + "tensors of real numbers. Got complex64. Convert it, or give"),
    "8 bits": (jnp.sin, (ones.to(torch.float8_e5m2),), TypeError, "real numbers. Got float8_e5m2. Convert it"),
    "meta": (
        jnp.sin,
        (ones.to("meta"),),
        ValueError,
        WITH + "tensors on a device that JAX has too. Got meta. Move them",
    ),
    "two devices": (jnp.add, (ones, ones.to("meta")), ValueError, WITH + "tensors on one device. Got cpu and meta."),
    "branch": (lambda x: x if x[0] > 0 else -x, (ones,), TypeError, NOT_TRACEABLE + "Attempted boolean conversion"),
    "NumPy": (lambda x: np.fft.fft(x).real, (ones,), TypeError, NOT_TRACEABLE + "The numpy.ndarray conversion"),
    "math": (lambda x: math.sin(x[0]), (ones,), TypeError, NOT_TRACEABLE),
    "unknown size": (jnp.nonzero, (ones,), TypeError, NOT_TRACEABLE),
    "function of torch": (torch.sin, (ones,), TypeError, NOT_TRACEABLE + "sin(): argument"),
    "method of torch": (lambda x: x.detach(), (ones,), TypeError, NOT_TRACEABLE + "DynamicJaxprTracer has no"),
    "returns a word": (lambda x: "a", (ones,), TypeError, NO_ARRAYS + "str."),
    "returns an object": (lambda x: [x, object()], (ones,), TypeError, NO_ARRAYS + "object."),
    "returns None": (lambda x: None, (ones,), TypeError, NO_ARRAYS + "NoneType."),
    "returns an empty tree": (lambda x: {}, (ones,), TypeError, NO_ARRAYS + "dict."),
    "returns complex": (lambda x: 1j * x, (ones,), TypeError, NO_ARRAYS + "complex64."),
    "returns a key": (lambda x: jax.random.key(0), (ones,), TypeError, NO_ARRAYS + "key<fry>."),
    "returns a tensor": (lambda x: ones, (ones,), TypeError, NO_ARRAYS + "torch.float32."),
    "error of f": (lambda x: x @ jnp.ones((2, 2)), (ones,), TypeError, "dot_general requires contracting dimensions"),
    "arguments of f": (lambda x: x, (ones, ones), TypeError, "takes 1 positional argument but 2 were given"),
}


@pytest.mark.parametrize("f, args, error, message", NOT_LENT.values(), ids=NOT_LENT)
def test_what_cannot_be_lent_is_refused(f, args, error, message):
    """What cannot work is refused before work starts, in words that say what to do."""
    with pytest.raises(error, match=re.escape(message)):
        to_torch(f)(*args)


def test_nested_tensors_are_refused():
    """Tensors of tensors of several lengths have no counterpart in JAX."""
    nested = torch.nested.nested_tensor([ones, ones[:2]], layout=torch.jagged)
    with pytest.raises(TypeError, match=r"dense tensors\. Got a nested one\. Convert it\."):
        to_torch(jnp.sin)(nested)


BOTH = "`frameworks.compare("
ONE = "=...)` should return one real number, of shape (). Got "

# name: (in JAX, in torch, point, error, message)
NOT_COMPARED = {
    "integers": (jnp.sum, torch.sum, [1], TypeError, BOTH + "x=...)` should hold floats. Got int64. Write 2.0 for 2."),
    "no function in JAX": (1, torch.sum, [1.0], TypeError, BOTH + "f_jax=...)` should be callable. Got int."),
    "no function in torch": (jnp.sum, 1, [1.0], TypeError, BOTH + "f_torch=...)` should be callable. Got int."),
    "vector in JAX": (jnp.sin, torch.sum, [1.0], ValueError, BOTH + "f_jax" + ONE + "float64 of shape (1,)."),
    "vector in torch": (jnp.sum, torch.sin, [1.0], ValueError, BOTH + "f_torch" + ONE + "float64 of shape (1,)."),
    "two in JAX": (lambda x: (x, x), torch.sum, 1.0, ValueError, BOTH + "f_jax" + ONE + "tuple."),
    "two in torch": (jnp.sum, lambda x: (x, x), 1.0, ValueError, BOTH + "f_torch" + ONE + "tuple."),
    "integer in JAX": (lambda x: 1, torch.sum, 1.0, ValueError, BOTH + "f_jax" + ONE + "int."),
    "integer in torch": (jnp.sum, torch.argmax, 1.0, ValueError, BOTH + "f_torch" + ONE + "int64."),
    "complex in JAX": (lambda x: 1j * x, torch.sum, 1.0, ValueError, BOTH + "f_jax" + ONE + "complex128."),
    "complex in torch": (jnp.sum, lambda x: 1j * x, 1.0, ValueError, BOTH + "f_torch" + ONE + "complex128."),
    "word in JAX": (lambda x: "a", torch.sum, 1.0, ValueError, BOTH + "f_jax" + ONE + "str."),
    "word in torch": (jnp.sum, lambda x: "a", 1.0, ValueError, BOTH + "f_torch" + ONE + "str."),
}


@pytest.mark.parametrize("f_jax, f_torch, x, error, message", NOT_COMPARED.values(), ids=NOT_COMPARED)
def test_what_cannot_be_compared_is_refused(f_jax, f_torch, x, error, message):
    """The error names the argument that is at fault."""
    with pytest.raises(error, match=re.escape(message)):
        compare(f_jax, f_torch, x)


def by_both(f):
    """Return a function that is spelled alike in both frameworks, in each."""
    return lambda x: f(jnp, x), lambda x: f(torch, x)


def repeated(step, y, n):
    for _ in range(n):
        y = step(y)
    return y


v = [0.3, 0.8, 0.5]
M = (normal(3, 3) / 4 + np.eye(3)).tolist()
AGREEMENTS = {
    "sine and exponential": (*by_both(lambda xp, x: (xp.sin(x) * xp.exp(-x)).sum()), v),
    "quotient": (*by_both(lambda xp, x: x[0] / (1 + x[1] * x[2])), v),
    "powers": (*by_both(lambda xp, x: x[0] ** x[1] + 2.0 ** x[2]), v),
    "inverse functions": (*by_both(lambda xp, x: (xp.arcsin(x) + xp.arctan2(x, x**2)).sum()), v),
    "distinct maximum": (*by_both(lambda xp, x: x.max() * x.min()), v),
    "cumulative": (*by_both(lambda xp, x: (xp.cumsum(x, 0) * xp.cumprod(x, 0)).sum()), v),
    "sorted": (*by_both(lambda xp, x: xp.diff(xp.flip(x, (0,))).prod()), v),
    "norm": (*by_both(lambda xp, x: xp.linalg.norm(x)), v),
    "logsumexp": (jax.nn.logsumexp, lambda x: torch.logsumexp(x, 0), v),
    "error function": (lambda x: jax.scipy.special.erf(x).sum(), lambda x: torch.erf(x).sum(), v),
    "gamma function": (lambda x: jax.scipy.special.gammaln(x).sum(), lambda x: torch.lgamma(x).sum(), v),
    "determinant": (*by_both(lambda xp, x: xp.linalg.det(x)), M),
    "inverse": (*by_both(lambda xp, x: xp.linalg.inv(x).sum()), M),
    "Cholesky": (*by_both(lambda xp, x: xp.linalg.cholesky(x @ x.T).sum()), M),
    "Fourier": (*by_both(lambda xp, x: (xp.abs(xp.fft.fft(x)) ** 4).sum()), v),
    "loop": (*by_both(lambda xp, x: repeated(lambda y: xp.cos(y) * x.sum(), x[0], 20)), v),
}


@pytest.mark.parametrize("f_jax, f_torch, x", AGREEMENTS.values(), ids=AGREEMENTS)
def test_frameworks_agree(f_jax, f_torch, x):
    """Where a function is smooth, values and gradients agree to 1e-12, and the gradient is not zero."""
    found = compare(jax.jit(f_jax), f_torch, x)
    assert max(found.disagreement) < 1e-12
    assert found.gradients[0].any()
    assert found.gradients[0].shape == found.gradients[1].shape == np.shape(x)


WEIGHTS = [1.0, 10.0, 100.0]  # show which entry of a vector came from where


def two(name, x):
    """Return a case of a function of two numbers that has one name in both frameworks."""
    return lambda x: getattr(jnp, name)(x[0], x[1]), lambda x: getattr(torch, name)(x[0], x[1]), x


F = torch.nn.functional
untaken = by_both(lambda xp, x: xp.where(x > 0, xp.sqrt(x), 0.0 * x))
SINGULAR = [[1.0, 2.0], [2.0, 4.0]]

# name: (in JAX, in torch, point, (values), (gradients)); both frameworks give the same where there is one entry
CORNERS = {
    "abs at 0": (jnp.abs, torch.abs, 0.0, (0.0,), (1.0, 0.0)),
    "sign at 0": (jnp.sign, torch.sign, 0.0, (0.0,), (0.0,)),
    "relu at 0": (jax.nn.relu, torch.relu, 0.0, (0.0,), (0.0,)),
    "leaky relu at 0": (jax.nn.leaky_relu, F.leaky_relu, 0.0, (0.0,), (1.0, 0.01)),
    "hard tanh at 1": (jax.nn.hard_tanh, F.hardtanh, 1.0, (1.0,), (1.0, 0.0)),
    "maximum at a tie": (*two("maximum", [1.0, 1.0]), (1.0,), ([0.5, 0.5],)),
    "minimum at a tie": (*two("minimum", [1.0, 1.0]), (1.0,), ([0.5, 0.5],)),
    "fmax at a tie": (*two("fmax", [1.0, 1.0]), (1.0,), ([0.0, 1.0], [1.0, 0.0])),
    "max at a tie": (jnp.max, torch.max, [2.0, 2.0, 1.0], (2.0,), ([0.5, 0.5, 0.0],)),
    "amax at a tie": (jnp.max, torch.amax, [2.0, 2.0, 1.0], (2.0,), ([0.5, 0.5, 0.0],)),
    "max along an axis at a tie": (
        lambda x: jnp.max(x, axis=0),
        lambda x: torch.max(x, dim=0).values,
        [2.0, 2.0, 1.0],
        (2.0,),
        ([0.5, 0.5, 0.0], [1.0, 0.0, 0.0]),
    ),
    "cumulative maximum at a tie": (
        lambda x: jax.lax.cummax(x) @ np.array(WEIGHTS),
        lambda x: torch.cummax(x, 0).values @ torch.tensor(WEIGHTS).double(),
        [2.0, 2.0, 1.0],
        (222.0,),
        ([56.0, 55.0, 0.0], [1.0, 110.0, 0.0]),
    ),
    "sort at a tie": (
        lambda x: jnp.sort(x) @ np.array(WEIGHTS),
        lambda x: torch.sort(x, stable=True).values @ torch.tensor(WEIGHTS).double(),
        [2.0, 1.0, 1.0],
        (211.0,),
        ([100.0, 1.0, 10.0],),
    ),
    "downward sort at a tie": (
        lambda x: jnp.sort(x, descending=True) @ np.array(WEIGHTS),
        lambda x: torch.sort(x, stable=True, descending=True).values @ torch.tensor(WEIGHTS).double(),
        [2.0, 1.0, 1.0],
        (112.0,),
        ([1.0, 100.0, 10.0], [1.0, 10.0, 100.0]),
    ),
    "median of four": (
        jnp.median, torch.median, [1.0, 2.0, 3.0, 4.0], (2.5, 2.0), ([0.0, 0.5, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0]),
    ),
    "median at a tie": (jnp.median, torch.median, [2.0, 2.0, 3.0], (2.0,), ([0.0, 1.0, 0.0], [0.5, 0.5, 0.0])),
    "quantile at a tie": (*by_both(lambda xp, x: xp.quantile(x, 0.5)), [2.0, 2.0, 2.0], (2.0,), ([0.0, 1.0, 0.0],)),
    "sqrt at 0": (jnp.sqrt, torch.sqrt, 0.0, (0.0,), (inf,)),
    "norm at 0": (jnp.linalg.norm, torch.linalg.norm, [0.0, 0.0], (0.0,), ([nan, nan], [0.0, 0.0])),
    "norm at 0, written out": (*by_both(lambda xp, x: xp.sqrt((x**2).sum())), [0.0, 0.0], (0.0,), ([nan, nan],)),
    "1-norm with a 0": (*by_both(lambda xp, x: xp.linalg.norm(x, 1)), [0.0, 2.0], (2.0,), ([1.0, 1.0], [0.0, 1.0])),
    "hypot at 0": (*two("hypot", [0.0, 0.0]), (0.0,), ([0.5, 0.5], [nan, nan])),
    "std of equals": (
        lambda x: jnp.std(x, ddof=1), torch.std, [1.0, 1.0, 1.0], (0.0,), ([nan, nan, nan], [0.0, 0.0, 0.0]),
    ),
    "variance as it comes": (jnp.var, torch.var, [1.0, 3.0], (1.0, 2.0), ([-1.0, 1.0], [-2.0, 2.0])),
    "untaken sqrt below 0": (*untaken, -1.0, (0.0,), (nan,)),
    "untaken sqrt at 0": (*untaken, 0.0, (0.0,), (nan,)),
    "untaken division by 0": (*by_both(lambda xp, x: xp.where(x == 0, 1.0, xp.sin(x) / x)), 0.0, (1.0,), (nan,)),
    "x**0, an integer, at 0": (*by_both(lambda xp, x: x**0), 0.0, (1.0,), (0.0,)),
    "x**0.0 at 0": (*by_both(lambda xp, x: x**0.0), 0.0, (1.0,), (nan, 0.0)),
    "0**x at 0": (*by_both(lambda xp, x: 0.0**x), 0.0, (1.0,), (0.0,)),
    "x**y at 0, 0": (*by_both(lambda xp, x: x[0] ** x[1]), [0.0, 0.0], (1.0,), ([nan, 0.0], [0.0, 0.0])),
    "x**y at -2, 3": (*by_both(lambda xp, x: x[0] ** x[1]), [-2.0, 3.0], (-8.0,), ([12.0, nan],)),
    "x log x at 0": (
        lambda x: jax.scipy.special.xlogy(x, x), lambda x: torch.special.xlogy(x, x), 0.0, (0.0,), (nan,),
    ),
    "clip at its edge": (
        lambda x: jnp.clip(x, 0.0, 1.0), lambda x: torch.clamp(x, 0.0, 1.0), 1.0, (1.0,), (0.5, 1.0),
    ),
    "lax.clamp at its edge": (
        lambda x: jax.lax.clamp(0.0, x, 1.0), lambda x: torch.clamp(x, 0.0, 1.0), 1.0, (1.0,), (0.0, 1.0),
    ),
    "angle at 0": (jnp.angle, torch.angle, 0.0, (0.0,), (nan, 0.0)),
    "copysign at 0": (
        lambda x: jnp.copysign(x, 1.0), lambda x: torch.copysign(x, torch.ones(())), 0.0, (0.0,), (1.0, 0.0),
    ),
    "log below 0": (jnp.log, torch.log, -1.0, (nan,), (-1.0,)),
    "log at 0": (jnp.log, torch.log, 0.0, (-inf,), (inf,)),
    "arcsin at 1": (jnp.arcsin, torch.arcsin, 1.0, (math.pi / 2,), (inf,)),
    "sinc at 0": (jnp.sinc, torch.sinc, 0.0, (1.0,), (0.0,)),
    "product with a 0": (jnp.prod, torch.prod, [0.0, 2.0, 3.0], (0.0,), ([6.0, 0.0, 0.0],)),
    "remainder at a jump": (*by_both(lambda xp, x: x % 1.0), 1.0, (0.0,), (1.0,)),
    "round": (jnp.round, torch.round, 0.5, (0.0,), (0.0,)),
    "logsumexp of -inf": (
        jax.nn.logsumexp, lambda x: torch.logsumexp(x, 0), [-inf, -inf], (-inf,), ([nan, nan],),
    ),
    "determinant of a singular matrix": (
        jnp.linalg.det, torch.linalg.det, SINGULAR, (0.0,), ([[4.0, -2.0], [-2.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]),
    ),
    "smallest eigenvalue, half of the matrix": (
        lambda A: jnp.linalg.eigvalsh(A)[0],
        lambda A: torch.linalg.eigvalsh(A)[0],
        [[0.0, 8.0], [0.0, 6.0]],
        (-2.0, 0.0),
        ([[0.8, -0.4], [-0.4, 0.2]], [[1.0, 0.0], [0.0, 0.0]]),
    ),
    "gamma at its pole": (jax.scipy.special.gammaln, torch.lgamma, 0.0, (inf,), (nan, -inf)),
}  # fmt: skip


@pytest.mark.parametrize("f_jax, f_torch, x, values, gradients", CORNERS.values(), ids=CORNERS)
def test_frameworks_choose_at_corners(f_jax, f_torch, x, values, gradients):
    """Where a function has no derivative, or its rule none, each framework gives what is written here."""
    found = compare(f_jax, f_torch, x)
    for ours, expected in ((found.values, values), (found.gradients, gradients)):
        for number, wanted in zip(ours, expected * (2 // len(expected)), strict=True):
            np.testing.assert_allclose(number, wanted, rtol=1e-12, atol=1e-12)
    for gap, expected in zip(found.disagreement, (values, gradients), strict=True):
        assert (gap > 1e-6) == (len(expected) == 2)


def test_arctan2_at_the_origin():
    """JAX gives NaN, and torch zero, or NaN in its older releases."""
    found = compare(*two("arctan2", [0.0, 0.0]))
    assert np.isnan(found.gradients[0]).all()
    assert np.isin(found.gradients[1], [0.0]).all() or np.isnan(found.gradients[1]).all()


def test_activation_of_one_name_is_two_functions():
    """By default, gelu is an approximation in JAX, and is not in torch; asked alike they agree."""
    assert compare(jax.nn.gelu, F.gelu, 1.0).disagreement[0] > 1e-4
    assert max(compare(lambda x: jax.nn.gelu(x, approximate=False), F.gelu, 1.0).disagreement) < 1e-12


def test_comparison_finds_a_planted_mistake():
    """A wrong rule shows in the gradient alone, by its size."""
    wrong = jax.custom_jvp(jnp.sin)
    wrong.defjvp(lambda x, x_dot: (jnp.sin(x[0]), 2 * x_dot[0] * jnp.cos(x[0])))
    value, gradient = compare(wrong, torch.sin, 0.5).disagreement
    assert value < 1e-12
    assert gradient == pytest.approx(np.cos(0.5) / max(1, 2 * np.cos(0.5)), abs=1e-12)


def with_gradient(value, gradient):
    """Return a function in JAX and in torch that has this value and this gradient, whatever they are."""
    in_jax = jax.custom_jvp(lambda x: jnp.asarray(value))
    in_jax.defjvp(lambda x, x_dot: (jnp.asarray(value), jnp.sum(jnp.asarray(gradient) * x_dot[0])))

    class InTorch(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return torch.tensor(value, dtype=x.dtype)

        @staticmethod
        def backward(ctx, y_bar):
            return y_bar * torch.tensor(gradient, dtype=y_bar.dtype)

    return in_jax, InTorch.apply


# name: (values, gradients, disagreement)
DISAGREEMENTS = {
    "relative to the largest": ((200.0, 100.0), ([-50.0, 3.0], [200.0, 3.0]), (0.5, 1.25)),
    "relative to 1": ((0.2, 0.1), ([0.0, 0.25], [0.5, 0.25]), (0.1, 0.5)),
    "NaN and NaN": ((nan, nan), ([nan, 1.0], [nan, 1.5]), (0.0, 0.5 / 1.5)),
    "NaN and a number": ((nan, 1.0), ([1.0, 2.0], [nan, 2.0]), (inf, inf)),
    "infinity and itself": ((inf, inf), ([-inf, 2.0], [-inf, 1.0]), (0.0, 0.5)),
    "infinity and another": ((inf, -inf), ([1.0, 2.0], [inf, 2.0]), (inf, inf)),
}


@pytest.mark.parametrize("values, gradients, expected", DISAGREEMENTS.values(), ids=DISAGREEMENTS)
def test_disagreement_is_relative_and_knows_what_is_no_number(values, gradients, expected):
    """The largest difference over the largest size, or 1; NaN and infinity agree with themselves only."""
    f_jax, f_torch = with_gradient(values[0], gradients[0])[0], with_gradient(values[1], gradients[1])[1]
    found = compare(f_jax, f_torch, [1.0, 2.0])
    np.testing.assert_equal(found.values, values)
    np.testing.assert_equal([gradient.tolist() for gradient in found.gradients], list(gradients))
    assert found.disagreement == pytest.approx(expected, rel=1e-12)


def test_comparison_prints_a_table():
    """Columns line up, numbers are rounded, arrays stand in one line, and rounding errors show no digits."""
    found = compare(lambda x: jnp.sum(abs(x) ** 3), lambda x: torch.sum(abs(x) ** 3) * 1.5, [[1 / 3, 2.0], [0.0, -1.0]])
    assert str(found).splitlines() == [
        "              value    gradient",
        "JAX           9.03704  [[0.333333, 12], [0, -3]]",
        "PyTorch       13.5556  [[0.5, 18], [0, -4.5]]",
        "disagreement  0.333    0.333",
    ]
    many = compare(jnp.sum, torch.sum, np.zeros(20))
    assert str(many).splitlines()[1:] == [
        "JAX           0         [1, 1, 1, ..., 1, 1, 1]",
        "PyTorch       0         [1, 1, 1, ..., 1, 1, 1]",
        "disagreement  rounding  rounding",
    ]
    assert str(Comparison((nan, -0.0), (np.array(inf), np.array(-0.0)), (inf, inf))).splitlines() == [
        "              value  gradient",
        "JAX           nan    inf",
        "PyTorch       0      0",
        "disagreement  inf    inf",
    ]


CONSTANTS = {
    "arrays": (lambda x: jnp.ones(()), lambda x: torch.ones(())),
    "floats": (lambda x: 1.0, lambda x: 1.0),
    "of other inputs": (lambda x: jnp.sum(CONSTANT) / 3, lambda x: torch.ones((), requires_grad=True) ** 2),
}


@pytest.mark.parametrize("f_jax, f_torch", CONSTANTS.values(), ids=CONSTANTS)
def test_gradient_is_zero_where_nothing_depends_on_x(f_jax, f_torch):
    """Both frameworks give zeros, where torch itself gives None or an error."""
    found = compare(f_jax, f_torch, [1.0, 2.0])
    assert found.values == (1.0, 1.0)
    assert [gradient.tolist() for gradient in found.gradients] == [[0.0, 0.0], [0.0, 0.0]]


def test_comparison_gives_each_function_a_copy():
    """The point is left as it was, and gradients are recorded where the caller has switched them off."""
    x = np.array([1.0, 2.0])
    with torch.no_grad():
        found = compare(lambda x: jnp.sum(x**2), lambda x: (x * 1).mul_(x).sum(), x)
    assert max(found.disagreement) == 0
    assert x.tolist() == [1.0, 2.0]


@pytest.mark.usefixtures("without_x64")
def test_comparison_keeps_to_32_bits_with_jax():
    """Both frameworks compute in JAX's default precision."""
    found = compare(lambda x: jnp.sin(x).sum(), lambda x: torch.sin(x).sum(), [0.1, 0.2])
    assert [gradient.dtype for gradient in found.gradients] == ["float32", "float32"]
    assert str(found).splitlines()[-1] == "disagreement  rounding  rounding"


def test_comparison_of_a_function_with_itself_across_the_bridge():
    """A bridged function and its original are one function."""
    assert max(compare(energy, to_torch(energy), normal(3)).disagreement) < 1e-12


def test_numbers_of_the_sources_in_single_precision(without_x64):
    """A17, A18, A19, D13: what courses print, in both frameworks, and by way of the bridge."""
    assert str(jax.grad(jnp.tanh)(2.0)) == str(jax.jit(jax.grad(jnp.tanh))(2.0)) == "0.070650816"
    assert jax.grad(lambda x: x**3 + 2 * x**2 - 3 * x + 1)(1.0) == 4
    assert [float(v) for v in jax.value_and_grad(lambda x, y: x**2 + y)(2.0, 3.0)] == [7, 4]
    assert jax.grad(lambda x, y: x**2 + y, argnums=1)(2.0, 3.0) == 1

    def f(x, y):
        return 1 - 3 * y[1] + x**3 + 2 * y[0] ** 2

    for tanh, polynomial in ((torch.tanh, f), (to_torch(jnp.tanh), to_torch(f))):
        x, y = torch.tensor(2.0, requires_grad=True), torch.tensor([2.0, 3.0], requires_grad=True)
        tanh(x).backward()
        assert str(x.grad) == "tensor(0.0707)"
        x = torch.tensor(1.0, requires_grad=True)
        polynomial(x, y).backward()
        assert (x.grad.item(), y.grad.tolist()) == (3, [8, -3])
    for grad, number in ((jax.grad, float), (torch.func.grad, torch.tensor)):
        found, cube = [], lambda x: x**3
        for _ in range(5):
            found.append(float(cube(number(4.0))))
            cube = grad(cube)
        assert found == [64, 48, 24, 6, 0]


def test_jacobian_of_a_matrix_is_the_matrix():
    """A20: by columns and by rows, in both frameworks, the Jacobian of x -> A x is A, 4 by 3."""
    A, x = normal(4, 3, seed=6), normal(3, seed=7)
    for transform in (jax.jacfwd, jax.jacrev):
        assert np.array_equal(transform(lambda x: jnp.asarray(A) @ x)(x), A)
    for transform in (torch.func.jacfwd, torch.func.jacrev):
        assert np.array_equal(transform(lambda x: torch.tensor(A) @ x)(torch.tensor(x)), A)


def test_logistic_regression_in_all_forms():
    """A21: JVP, VJP and the gradient of a dictionary are those of both frameworks, of differences, and by hand."""
    X, t, w, v, u = normal(4, 3), np.array([1.0, 1, 0, 1]), normal(3, seed=8), normal(3, seed=9), normal(4, seed=10)

    def loss(module, sigmoid, params, x, t):
        p = sigmoid(x @ params["W"] + params["b"])
        return -module.sum(module.log(p * t + (1 - p) * (1 - t)))

    y_dot = jax.jvp(lambda w: jax.nn.sigmoid(X @ w), (w,), (v,))[1]
    (w_bar,) = jax.vjp(lambda w: jax.nn.sigmoid(X @ w), w)[1](jnp.asarray(u))
    p = 1 / (1 + np.exp(-X @ w))
    assert_close((y_dot, w_bar), (p * (1 - p) * (X @ v), X.T @ (u * p * (1 - p))))
    on_torch = (lambda w: torch.sigmoid(torch.tensor(X) @ w), (torch.tensor(w),))
    assert_close(torch.func.jvp(*on_torch, (torch.tensor(v),))[1], y_dot)
    assert_close(torch.func.vjp(on_torch[0], *on_torch[1])[1](torch.tensor(u))[0], w_bar)

    params = {"W": w, "b": np.float64(0.1)}
    by_jax = jax.grad(lambda params: loss(jnp, jax.nn.sigmoid, params, X, t))(params)
    p = 1 / (1 + np.exp(-X @ w - 0.1))
    assert_close(by_jax, {"W": X.T @ (p - t), "b": np.sum(p - t)})
    by_torch = torch.func.grad(lambda params: loss(torch, torch.sigmoid, params, torch.tensor(X), torch.tensor(t)))
    assert_close(by_torch(to_tensors(params)), by_jax)
    check_derivatives(lambda params: loss(jnp, jax.nn.sigmoid, params, X, t), params)


def test_gradient_needs_a_number_and_vmap_takes_the_rest():
    """D14: `grad` refuses a vector; mapped over its entries it gives all slopes."""
    with pytest.raises(TypeError, match="scalar-output"):
        jax.grad(jnp.sin)(jnp.ones(3))
    x = normal(5)
    assert_close(jax.vmap(jax.grad(jnp.sin))(x), np.cos(x))
    assert_close(torch.func.vmap(torch.func.grad(torch.sin))(torch.tensor(x)), np.cos(x))


def test_jump_is_in_no_derivative():
    """D15, E5: the slopes of both frameworks add up to 12 from 1 to 3, where f rises by 8; differences see the jump."""
    x = np.linspace(1, 3, 20_001)
    middle = (x[1:] + x[:-1]) / 2
    by_jax = jax.vmap(jax.grad(lambda x: jnp.where(x > 2, x**2, x**3)))(middle)
    points = torch.tensor(middle, requires_grad=True)
    torch.where(points > 2, points**2, points**3).sum().backward()
    for slopes in (by_jax, points.grad.numpy()):
        assert abs(np.sum(slopes * np.diff(x)) - 12) < 1e-6
    f = np.where(x > 2, x**2, x**3)
    assert abs(np.sum(np.diff(f)) - 8) < 1e-9
    assert np.gradient(f, x).min() < -10_000


def test_draws_of_a_seed_are_not_facts():
    """E14: the two ways in which JAX has made numbers of a key differ, and each repeats itself."""
    draws = []
    for new in (False, True, False, True):
        with jax.threefry_partitionable(new):
            draws.append(np.asarray(jax.random.normal(jax.random.key(0), (4,))))
    assert np.array_equal(draws[0], draws[2])
    assert np.array_equal(draws[1], draws[3])
    assert not np.allclose(draws[0], draws[1])


def test_trace_of_a_gradient_in_torch():
    """C2, E11: the tensor of mixed partials is JAX's; the trace gives one contraction, and `backward` adds the rest."""

    def f(X, Y):
        return ((X @ Y) ** 2).sum()

    X, Y = normal(2, 2), normal(2, 2, seed=1)
    tensor = mixed_partial(f, 0, 1)(X, Y).as_tensor()
    X_t, Y_t = torch.tensor(X, requires_grad=True), torch.tensor(Y, requires_grad=True)
    assert_close(torch.func.jacrev(torch.func.grad(f), argnums=1)(X_t.detach(), Y_t.detach()), tensor)
    (X_bar,) = torch.autograd.grad(f(X_t, Y_t), X_t, create_graph=True)
    assert_close(torch.autograd.grad(torch.trace(X_bar), Y_t)[0], jnp.einsum("iikl->kl", tensor))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch advises against create_graph in backward
        f(X_t, Y_t).backward(create_graph=True)
    torch.trace(X_t.grad).backward()
    assert_close(Y_t.grad, jnp.einsum("iikl->kl", tensor) + jax.grad(f, 1)(jnp.asarray(X), jnp.asarray(Y)))
