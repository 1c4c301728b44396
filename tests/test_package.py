"""The package as a whole: its floors, its contract, what importing it does, and that its papers agree."""

import ast
import inspect
import platform
import re
import subprocess
import sys
import tomllib
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from autodiff_tutorial import __main__

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "autodiff_tutorial"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
REPOSITORY = PROJECT["urls"]["Repository"]

# A module imports only from lower floors; those named None may import from any floor, and none may import them.
FLOORS = {
    "finite_differences": 0, "symbolic": 0, "linear_maps": 0, "primitives": 0,
    "forward_mode": 1, "reverse_mode": 1, "sampled_data": 1, "higher_order": 1, "sparse": 1, "custom_rules": 1,
    "solvers": 1, "implicit": 2, "integrals": 2, "hep_fits": 3, "toys": 4,
    "checks": None, "exercises": None, "plotting": None, "devices": None, "frameworks": None,
}  # fmt: skip

CONTRACT = {
    "finite_differences": {
        "weights": "(points, x0=0.0, order=1)",
        "optimal_step": "(scheme, accuracy, dtype, order=1)",
        "derivative": "(f, x, *, order=1, scheme='central', accuracy=2, step=None, batched=False)",
        "jacobian": "(f, x, *, scheme='central', accuracy=2, step=None, batched=False)",
        "hessian": "(f, x, *, scheme='central', accuracy=2, step=None, batched=False)",
        "jvp": "(f, x, v, *, scheme='central', accuracy=2, step=None, batched=False)",
        "Estimate": "(df, error, nfev, step)",
    },
    "sampled_data": {
        "derivative": "(y, x, *, order=1, accuracy=2, axis=-1)",
        "spectral_derivative": "(y, length, order=1, *, axis=-1)",
        "smooth_derivative": "(y, x, window, degree, order=1, *, axis=-1)",
        "inflection_points": "(y, x, *, window=None, degree=3)",
    },
    "symbolic": {
        "compile": "(expr, symbols, *, backend='numpy', cse=True)",
        "operation_count": "(expr, cse=False)",
        "gradient": "(expr, symbols)",
        "jacobian": "(exprs, symbols)",
        "hessian": "(expr, symbols)",
        "trace": "(f, *symbols)",
        "euler_lagrange": "(L, coordinates, t)",
        "first_order_system": "(L, coordinates, t, *, parameters=(), solve='numeric')",
        "jacobian_wrt_functions": "(exprs, functions)",
        "lie_derivative": "(h, field, state, order=1)",
        "equilibria": "(field, state)",
        "Equilibrium": "(point, eigenvalues, stable)",
    },
    "linear_maps": {
        "LinearMap": "(mv, in_size, out_size, *, rmv=None, dtype=None)",
        "from_matrix": "(A)",
        "from_function": "(f, x_like)",
        "jacobian": "(f, x)",
        "hessian": "(f, x)",
        "Graph": "(edges, *, inputs=None, outputs=None)",
    },
    "primitives": {
        "Primitive": "(name, value, jvp, vjp, linear=False)",
        "define": "(name, value, *, jvp=(), vjp=(), numpy=None, linear=False)",
        "scan": "(step, carry, xs=None, params=(), *, length=None, reverse=False)",
        "where": "(condition, x, y)",
        "sum": "(x, axis=None, keepdims=False)",
        "solve": "(a, b)",
        "concatenate": "(arrays, axis=0)",
        "reshape": "(x, shape, *more)",
        "transpose": "(x, axes=None)",
        "replace": "(x, index, y)",
    },
    "forward_mode": {
        "Dual": "(level, primal, tangent)",
        "jvp": "(f, primals, tangents)",
        "jacfwd": "(f, argnums=0)",
    },
    "reverse_mode": {
        "vjp": "(f, *primals)",
        "grad": "(f, argnums=0)",
        "value_and_grad": "(f, argnums=0)",
        "jacrev": "(f, argnums=0)",
        "checkpoint": "(f)",
        "record": "(f, *args, tangents=None)",
        "Graph": "(operations)",
    },
    "higher_order": {
        "hvp": "(f, primals, tangents, *, mode='fwd_over_rev')",
        "mixed_partial": "(f, i, j)",
        "jacobian": "(f, *, mode='auto', chunk_size=None)",
        "taylor": "(f, x, v, order)",
        "ode_taylor": "(f, y, order)",
    },
    "sparse": {
        "pattern": "(f, x)",
        "hessian_pattern": "(f, x)",
        "color": "(pattern, *, mode='auto', order=('cyclic', 'largest_first', 'natural'))",
        "from_colors": "(pattern, *, column_colors=None, row_colors=None, symmetric=False)",
        "compress": "(f, x, coloring, *, chunk_size=None)",
        "decompress": "(compressed, coloring)",
        "jacobian": "(f, x_like, *, coloring=None, scheme=None, chunk_size=None)",
        "hessian": "(f, x_like, *, coloring=None, chunk_size=None)",
    },
    "custom_rules": {
        "inv": "(A)",
        "solve": "(A, b)",
        "matrix_function": "(f)",
        "sqrtm": "(A)",
        "logm": "(A)",
        "straight_through": "(f)",
        "linear_round": "(x, width)",
        "soft_round": "(x, sharpness)",
        "smooth": "(f, width)",
        "safe_norm": "(x, axis=None)",
        "log1pexp": "(x)",
    },
    "solvers": {
        "newton": "(fn, y0, *, linear_solve='gmres', rtol=None, atol=None, max_steps=50)",
        "newton_cg": "(fn, y0, *, rtol=None, atol=None, max_steps=100)",
        "picard": "(fn, y0, *, rtol=None, atol=None, max_steps=10000)",
        "anderson": "(fn, y0, *, memory=5, rtol=None, atol=None, max_steps=200)",
        "bisection": "(fn, lower, upper, *, rtol=None, atol=None, max_steps=200)",
        "solve_linear": "(matvec, b, linear_solve='gmres')",
        "Solution": "(y, converged, n_steps, residual)",
    },
    "implicit": {
        "root": (
            "(fn, y0, args, *, method='newton', bracket=None, linear_solve=None, "
            "rtol=None, atol=None, max_steps=None, warn=False)"
        ),
        "fixed_point": (
            "(fn, y0, args, *, method='anderson', linear_solve='gmres', "
            "rtol=None, atol=None, max_steps=None, warn=False)"
        ),
        "argmin": "(fn, y0, args, *, linear_solve='cg', rtol=None, atol=None, max_steps=None, warn=False)",
    },
    "integrals": {
        "integrate": ("(f, a, b, args=(), *, n=None, method='gauss_kronrod', rtol=None, atol=None, max_intervals=100)"),
        "Integral": "(value, error, converged)",
        "cumulative": "(f, grid, args=(), *, n=10)",
        "Cumulative": "(grid, values, error, series)",
        "marcum_q": "(order, a, b)",
        "log_marcum_q": "(order, a, b)",
        "expectation_gradient": "(f, distribution, params, key, n, *, estimator='score', baseline=True)",
        "ExpectationGradient": "(value, value_error, gradient, gradient_error)",
        "Distribution": "(sample, log_prob, reparameterized=False)",
    },
    "hep_fits": {
        "Likelihood": (
            "(nll, init, bounds, names, poi=None, sample=None, expected=None, data_min=None, vectorized=False)"
        ),
        "from_pyhf": "(model)",
        "fit": "(likelihood, data, *, fixed=None, max_steps=100)",
        "FitResult": "(params, nll, covariance, converged, n_steps, gradient_norm, free)",
        "profile": "(likelihood, data, index, grid)",
        "interval": "(likelihood, data, index, *, n_sigma=1.0)",
        "Interval": "(lower, upper, converged)",
        "contour": "(likelihood, data, indices, *, n_sigma=1.0, n_points=64)",
        "Contour": "(points, converged)",
        "impacts": "(likelihood, data)",
        "Impacts": "(down, up, linear, converged)",
        "hypotest": "(mu, data, likelihood)",
        "HypoTest": "(cls, expected, cl_sb, cl_b, q, q_asimov, converged)",
        "upper_limit": "(data, likelihood, *, level=0.05)",
        "UpperLimit": "(observed, expected, converged)",
    },
    "toys": {
        "generate": "(likelihood, params, key, n, *, first=0)",
        "fit_toys": "(likelihood, data, *, fixed=None, covariance=False, chunk_size=None, mesh=None)",
        "ToyFits": "(params, nll, covariance, converged, n_steps, gradient_norm, free, errors, retried)",
        "hypotest": "(mu, data, likelihood, key, n, *, chunk_size=None, mesh=None)",
        "ToyTest": "(cls, expected, cl_sb, cl_b, cls_error, cl_sb_error, cl_b_error, q, signal, background, converged)",
        "Statistics": "(q, best, converged, retried)",
    },
    "frameworks": {"to_torch": "(f)", "compare": "(f_jax, f_torch, x)"},
    "checks": {"check_derivatives": "(f, x, *, jvp=None, vjp=None, rtol=None)"},
    "exercises": {"check": "(id, attempt)"},
    "devices": {"describe": "()"},
}

MODULES = sorted(
    {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in SOURCE.rglob("*.py")} - {"__init__", "__main__"}
)
# What can be imported here; the conftest of the project says so where PyTorch or matplotlib is missing.
NEEDS = {"frameworks": "torch", "plotting": "matplotlib"}
IMPORTED = [module for module in MODULES if module not in NEEDS or find_spec(NEEDS[module])]


# The parts of JAX's experiments in use, which have no other home in all its versions.
EXPERIMENTS = {
    "sparse": {"jax.experimental.sparse.BCOO"},
    "toys": {"jax.experimental.multihost_utils", "jax.experimental.enable_x64"},
}


def files_of(module):
    path = SOURCE / module
    return sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def imports(tree):
    """Return the dotted names that a module imports or uses, wherever in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute):
            names.add(ast.unparse(node))
    return names


def faults_of_imports(module, trees):
    """Return the imports that go up a floor, are relative, or lead into private or experimental JAX."""
    faults = []
    for name in sorted(set().union(*map(imports, trees))):
        parts = name.split(".")
        if parts[0] == "autodiff_tutorial" and len(parts) > 1 and parts[1] != module:
            below, own = FLOORS.get(parts[1]), FLOORS[module]
            # Where toys are thrown depends on what there is.
            if (module, parts[1]) == ("toys", "devices"):
                continue
            if own is not None and (below is None or below >= own):
                faults.append(name)
        if name.startswith((".", "jax._src", "jax.experimental")) and name not in EXPERIMENTS.get(module, ()):
            faults.append(name)
    return faults


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_from_lower_floors_only(module):
    """Modules form floors, and keep to JAX's public interface."""
    assert faults_of_imports(module, [ast.parse(path.read_text()) for path in files_of(module)]) == []


@pytest.mark.parametrize(
    "line",
    [
        "from autodiff_tutorial import plotting",
        "from autodiff_tutorial.sparse import color",
        "import autodiff_tutorial.linear_maps",
        "from jax._src import core",
        "import jax.experimental.sparse",
        "from .. import plotting",
        "from ..plotting import secant",
        "jax._src.core.Tracer",
    ],
)
def test_planted_import_is_found(line):
    """The check of imports sees one of a module on the same floor, of a helper, or of private JAX."""
    assert faults_of_imports("finite_differences", [ast.parse(line)]) != []


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_module_is_readable_in_one_sitting(path):
    """No module is longer than 320 lines; an `__init__` holds imports and names only."""
    text = path.read_text()
    assert len(text.splitlines()) <= 320
    if path.name == "__init__.py":
        kinds = {type(node) for node in ast.parse(text).body}
        assert kinds <= {ast.Expr, ast.Import, ast.ImportFrom, ast.Assign}


def plain(signature):
    """Write a signature without its annotations."""
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


@pytest.mark.parametrize("module", [module for module in CONTRACT if module in IMPORTED])
def test_names_of_the_contract_are_there(module):
    """Public names and their arguments are those that other modules and readers rely on."""
    found = import_module(f"autodiff_tutorial.{module}")
    signatures = {name: plain(inspect.signature(getattr(found, name))) for name in CONTRACT[module]}
    assert signatures == CONTRACT[module]


def own_functions():
    for module in IMPORTED:
        found = import_module(f"autodiff_tutorial.{module}")
        names = getattr(found, "__all__", None) or [name for name in vars(found) if not name.startswith("_")]
        for name in names:
            member = getattr(found, name)
            if inspect.isfunction(member) and member.__module__.startswith(f"autodiff_tutorial.{module}"):
                yield module, name, member


def unannotated(function):
    """Return which parameters have no annotation, and "return" if the result has none."""
    names = (*inspect.signature(function).parameters, "return")
    return [name for name in names if name not in function.__annotations__]


def test_signatures_are_annotated():
    """The types of all parameters and results are declared, so that a type checker knows them."""
    faults = {f"{module}.{name}": unannotated(function) for module, name, function in own_functions()}
    assert {name: missing for name, missing in faults.items() if missing} == {}


def test_planted_parameter_without_annotation_is_found():
    """The check of annotations sees parameters of all kinds, and results."""

    def f(x, y: float, *args, z=0, **options) -> float: ...

    def g(x: float): ...

    assert unannotated(f) == ["x", "args", "z", "options"]
    assert unannotated(g) == ["return"]


def public_functions():
    for module, name, member in own_functions():
        named_in_numpy = module == "primitives" and (hasattr(np, name) or hasattr(np.linalg, name))
        if not named_in_numpy:  # a primitive of NumPy's name means the same
            yield f"{module}.{name}", member


@pytest.mark.parametrize(
    "name, function", list(public_functions()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_docstring_tells_what_a_user_needs(name, function):
    """Every parameter is described, what is returned is said, and an example runs."""
    text = inspect.getdoc(function)
    parameters = list(inspect.signature(function).parameters)
    described = re.split(r"\n(?:Returns|Raises|Notes|Examples)\n-+\n", text)[0]
    assert [
        p for p in parameters if not re.search(rf"^(\w+, )*\*?{p}(, \w+)* :|^(\w+, )*{p}(, \w+)*$", described, re.M)
    ] == []
    assert text.splitlines()[0].endswith(".")
    if not name.startswith(("plotting.", "exercises.")):
        assert "Returns\n-------" in text
    if not name.startswith("plotting."):
        assert ">>> " in text


def run(program):
    return subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)


def test_package_offers_all_modules():
    """After `import autodiff_tutorial` every module is there, but for those that need an extra at once."""
    assert set(import_module("autodiff_tutorial").__all__) == {*MODULES} - {"frameworks", "plotting"}


def test_import_needs_no_extra_and_sets_nothing():
    """The package is imported without torch, pyhf or matplotlib, and leaves JAX's settings and warnings alone."""
    program = """
import sys, warnings
for name in ("torch", "pyhf", "matplotlib"):
    sys.modules[name] = None
import jax, numpy, scipy.sparse, scipy.special, sympy
before = dict(jax.config.values), numpy.geterr(), list(warnings.filters)
import autodiff_tutorial
after = dict(jax.config.values), numpy.geterr(), list(warnings.filters)
assert before == after
"""
    result = run(program)
    assert result.returncode == 0, result.stderr


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(*extras):
    lines = PROJECT["dependencies"] + [line for extra in extras for line in EXTRAS[extra]]
    return {normalized(Requirement(line).name): Requirement(line) for line in lines}


def requirements_in_order(extra):
    return [Requirement(line).name for line in EXTRAS[extra]]


def installed(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def test_constraints_pin_what_the_project_requires():
    """Each requirement of each extra is pinned, to one version that its bounds allow."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = {normalized(name): version for name, version in (line.split("==") for line in lines)}
    assert len(pins) == len(lines)
    wrong = {n: r for n, r in requirements(*EXTRAS).items() if n not in pins or Version(pins[n]) not in r.specifier}
    assert wrong == {}
    assert [version for version in pins.values() if "+" in version] == []
    # Debian 12 has Python 3.11.2, for which some packages are too new.
    asked = {n: metadata.metadata(n).get("Requires-Python") for n, v in pins.items() if installed(n) == v}
    assert {n: python for n, python in asked.items() if python and "3.11.2" not in SpecifierSet(python)} == {}


def test_colab_satisfies_what_the_project_requires():
    """The versions that Colab ships are within the bounds, so that pip leaves them as they are."""
    lists = [node.value for node in ast.parse((ROOT / "noxfile.py").read_text()).body if isinstance(node, ast.Assign)
             and ast.unparse(node.targets[0]) == "COLAB"]  # fmt: skip
    shipped = dict(line.split("==") for line in ast.literal_eval(lists[0]))
    wanted = requirements("hep")
    assert {"jax", "numpy", "scipy", "sympy", "matplotlib", "tqdm"} <= {*shipped} & {*wanted}
    assert {n: v for n, v in shipped.items() if n in wanted and Version(v) not in wanted[n].specifier} == {}


def test_environment_agrees_with_the_project():
    """The conda environment holds what reading and running the book needs, with the same bounds."""
    names = {"pytorch": "torch"}
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    listed = [line for line in environment["dependencies"] if isinstance(line, str)]
    found = {
        names.get(normalized(Requirement(line).name), normalized(Requirement(line).name)): Requirement(line)
        for line in listed
    }
    python = found.pop("python")
    assert str(python.specifier) == PROJECT["requires-python"]
    found.pop("pip")
    wanted = requirements("book", "torch", "hep", "dev")
    assert {n: str(r.specifier) for n, r in found.items()} == {n: str(r.specifier) for n, r in wanted.items()}


COPIES = re.compile(r"(?:github\.com|colab\.research\.google\.com/github)/([\w.-]+/[\w-]+)")
PAGES = re.compile(r"https://([\w-]+)\.github\.io/([\w-]+)/")


@pytest.mark.parametrize(
    "path",
    ["_config.yml", "README.md", "CITATION.cff", *(p.relative_to(ROOT) for p in (ROOT / "book").glob("*.ipynb"))],
)
def test_address_of_the_repository_is_the_same_everywhere(path):
    """The address in pyproject.toml is the one; every copy, and the address of the pages, agrees with it."""
    text, name = (ROOT / path).read_text(), REPOSITORY.removeprefix("https://github.com/")
    assert set(COPIES.findall(text)) == {name}
    assert {"/".join(parts) for parts in PAGES.findall(text)} <= {name}


def test_version_is_the_same_everywhere():
    """The version stands in pyproject.toml; the citation, the changes and what is installed name it too."""
    version = PROJECT["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert re.search(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == version
    assert metadata.version(PROJECT["name"]) == version


def test_command_tells_what_a_bug_report_needs():
    """`python -m autodiff_tutorial` names versions, device, precision and extras."""
    result = subprocess.run([sys.executable, "-m", "autodiff_tutorial"], capture_output=True, text=True, check=True)
    text = result.stdout
    for name in ("jax", "jaxlib", "numpy", "scipy", "sympy", PROJECT["name"]):
        assert f"{name} {metadata.version(name)}" in text
    assert f"Python {platform.python_version()}" in text
    assert f"JAX computes on {jax.device_count()} x {jax.devices()[0].device_kind}" in text
    assert "float32. For float64, begin with: import jax; " in text
    assert re.findall(r"^Extra (\w+): ", text, re.MULTILINE) == list(EXTRAS)
    assert result.stderr == ""


def test_command_says_how_to_get_an_extra(monkeypatch):
    """What is missing is named, beside the command that installs it; what is there is not."""
    there = {"torch": "2.6"}
    monkeypatch.setattr(__main__, "_installed", lambda name: name in there)
    lines = __main__.report()
    assert "Extra torch: complete" in lines
    assert f"Extra hep: without {', '.join(requirements_in_order('hep'))}" in lines
    assert f'To get an extra, such as hep: pip install "autodiff-tutorial[hep] @ git+{REPOSITORY}"' in lines
    monkeypatch.setattr(__main__, "_installed", lambda name: True)
    assert not any("pip install" in line for line in __main__.report())


def test_command_points_to_a_gpu_that_is_not_used(monkeypatch):
    """Where a GPU is installed and JAX computes on the CPU, the command says so."""
    monkeypatch.setattr(__main__.jax, "default_backend", lambda: "cpu")
    monkeypatch.setattr(__main__.shutil, "which", lambda name: None)
    assert not any("GPU that JAX does not see" in line for line in __main__.report())
    monkeypatch.setattr(__main__.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert any("GPU that JAX does not see" in line for line in __main__.report())


def test_workflows_run_what_a_user_runs():
    """The forge calls targets of the Makefile, all those that test something among them."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = set()
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            lines = [step["run"] for step in job["steps"] if "run" in step]
            for each in job.get("strategy", {}).get("matrix", {}).get("target", [""]):
                called |= {line.replace("${{ matrix.target }}", each) for line in lines}
    called = {line.removeprefix("make ") for line in called if line.startswith("make ")}
    assert {"book", "test", "pdf", "test-colab", "test-matrix", "test-release", "coverage"} <= called <= targets


def test_binder_installs_what_the_chapters_need():
    """Binder installs this repository, with the extras for the chapters on fits and on PyTorch, without CUDA."""
    *options, installed = (ROOT / ".binder" / "requirements.txt").read_text().splitlines()
    assert options == ["--extra-index-url https://download.pytorch.org/whl/cpu"]
    assert installed == "-e .[hep,torch]"
