"""Nothing that is loaded may run code: no pickles, no code of models, no unsafe YAML."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [
    path
    for package in ("bot", "tweetsent", "training", "migrations", "benchmarks")
    for path in sorted((ROOT / package).rglob("*.py"))
]
UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"torch.load", "yaml.load", "yaml.unsafe_load", "pd.read_pickle", "eval", "exec"}
UNSAFE_OPTIONS = {"trust_remote_code", "allow_pickle"}


def dangers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from {alias.name.split(".")[0] for alias in node.names} & UNSAFE_MODULES
        elif isinstance(node, ast.ImportFrom):
            yield from {str(node.module).split(".")[0]} & UNSAFE_MODULES
            # Its other stores than the memory keep jobs as pickles.
            if str(node.module).startswith("apscheduler.jobstores"):
                yield str(node.module)
        elif isinstance(node, ast.Call):
            yield from {ast.unparse(node.func)} & UNSAFE_CALLS
            for option in node.keywords:
                safe = isinstance(option.value, ast.Constant) and not option.value.value
                if option.arg in UNSAFE_OPTIONS and not safe:
                    yield option.arg
                if option.arg == "use_safetensors" and safe:
                    yield option.arg


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_loads_what_may_run_code(path: Path) -> None:
    assert list(dangers(ast.parse(path.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "Auto.from_pretrained(path, trust_remote_code=asked)",
        "Auto.from_pretrained(path, use_safetensors=False)",
        "yaml.load(file)",
        "from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore",
    ],
)
def test_what_is_looked_for_is_found(code: str) -> None:
    assert list(dangers(ast.parse(code)))


def test_models_are_loaded_as_safetensors() -> None:
    """Each call that loads weights says so, but the one that reads the embedded GGUF file."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                "AutoModelForCausalLM.from_pretrained"
            ):
                options = {option.arg for option in node.keywords}
                assert options & {"use_safetensors", "gguf_file"}, path
