"""The layers keep apart: imports point one way and have no effect, and every module is tested."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bot", "tweetsent", "training", "migrations")
COMPOSITION_ROOT = "tweetsent/cli/"  # puts all layers together, so it may import them all
PAGES = "tweetsent/ui/"  # stands beside the bot and shares its texts

MAY_IMPORT = {
    "tweetsent": {"tweetsent"},
    "training": {"training", "tweetsent"},
    "bot": {"bot", "training", "tweetsent"},
    "migrations": {"migrations", "tweetsent"},
}

TESTED_ELSEWHERE = {
    "bot/application.py": "test_messages.py and all others beside it drive it",
    "bot/context.py": "types only",
    "bot/fetching.py": "test_running.py",
    "bot/handlers/announcements.py": "test_announcer.py",
    "bot/handlers/access.py": "test_commands.py",
    "bot/handlers/buttons.py": "test_corrections.py",
    "bot/handlers/commands.py": "test_commands.py",
    "bot/handlers/corrections.py": "test_corrections.py",
    "bot/handlers/errors.py": "test_messages.py",
    "bot/handlers/export.py": "test_export.py of the bot",
    "bot/handlers/files.py": "test_labeller.py",
    "bot/handlers/health.py": "test_monitoring.py",
    "bot/handlers/inline.py": "test_inline.py",
    "bot/handlers/messages.py": "test_messages.py and test_chats.py",
    "bot/handlers/model.py": "test_model.py",
    "bot/handlers/origins.py": "test_chats.py",
    "bot/handlers/own_data.py": "test_own_data.py",
    "bot/handlers/replying.py": "test_messages.py",
    "bot/handlers/retraining.py": "test_reports.py",
    "bot/handlers/review.py": "test_review.py",
    "bot/handlers/stats.py": "test_commands.py",
    "bot/http.py": "test_webhook.py and test_monitoring.py",
    "bot/stdin.py": "test_console.py",
    "bot/stopping.py": "test_running.py and test_console.py send the signals",
    "bot/terminal_api.py": "test_console.py",
    "bot/transport.py": "test_running.py",
    "tweetsent/__main__.py": "test_processes.py of the command line starts it",
    "tweetsent/cli/app.py": "test_cli.py",
    "tweetsent/cli/console.py": "test_cli.py looks at stdout and stderr",
    "tweetsent/cli/corrections.py": "test_corrections.py",
    "tweetsent/cli/database.py": "test_cli.py",
    "tweetsent/cli/doctor.py": "test_doctor.py of the command line",
    "tweetsent/cli/models.py": "test_models.py",
    "tweetsent/cli/registry.py": "test_registry.py",
    "tweetsent/cli/retraining.py": "test_retraining.py of the command line",
    "tweetsent/cli/serving.py": "test_processes.py",
    "tweetsent/errors.py": "names only; each is raised in the tests of its module",
    "tweetsent/quiet.py": "test_processes.py: nothing but the results on stdout",
    "tweetsent/records.py": "types only",
    "tweetsent/ui/files.py": "test_try_it.py labels files in a browser",
    "tweetsent/ui/fragments.py": "test_try_it.py reads them in a browser",
    "tweetsent/ui/login.py": "test_access.py",
    "tweetsent/ui/server.py": "test_app.py",
    "tweetsent/ui/versions.py": "test_models.py beside it reads them in a browser",
    "tweetsent/ui/texts.py": "the browser shows them in all tests beside it",
}


def modules(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """The first parts of all absolute imports of a module, those inside functions too."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports by dots"
            found.add(str(node.module).split(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    ours = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    ours |= {"tests", "benchmarks"}
    assert set(PACKAGES) <= ours
    for path in modules(package):
        is_above = name_of(path).startswith((COMPOSITION_ROOT, PAGES))
        allowed = set(PACKAGES) if is_above else None
        upward = imported(path) & ours - (allowed or MAY_IMPORT[package])
        assert not upward, f"{name_of(path)} imports {upward}"


def test_nothing_but_the_command_line_imports_the_command_line() -> None:
    for path in modules(*PACKAGES):
        if not name_of(path).startswith((COMPOSITION_ROOT, "tweetsent/__main__.py")):
            assert "tweetsent.cli" not in path.read_text(encoding="utf-8"), name_of(path)


def test_nothing_but_the_command_line_imports_the_pages() -> None:
    for path in modules(*PACKAGES):
        if not name_of(path).startswith((COMPOSITION_ROOT, PAGES)):
            assert "tweetsent.ui" not in path.read_text(encoding="utf-8"), name_of(path)


def test_every_module_says_what_it_is() -> None:
    silent = [name_of(path) for path in modules(*PACKAGES) if not ast.get_docstring(parsed(path))]
    assert silent == []


def test_nothing_prints_beside_the_results() -> None:
    for path in modules("bot", "tweetsent", "training"):
        calls = [node.func for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
        names = {call.id for call in calls if isinstance(call, ast.Name)}
        assert "print" not in names, name_of(path)


def test_every_module_has_a_test_file_of_its_name_or_a_reason() -> None:
    missing = set()
    for path in modules("bot", "tweetsent", "training"):
        relative = path.relative_to(ROOT)
        twin = ROOT / "tests" / relative.parent / f"test_{path.stem}.py"
        are_texts = relative.parent.as_posix() == "bot/texts"  # tests/bot/test_texts.py
        if path.name != "__init__.py" and not are_texts and not twin.exists():
            missing.add(relative.as_posix())
    assert missing == set(TESTED_ELSEWHERE)


def in_clean_process(code: str, folder: Path) -> str:
    """What a fresh interpreter prints, started in an empty folder that must stay empty."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == []
    return done.stdout


@pytest.mark.parametrize(
    "module", ["tweetsent", "bot.application", "bot.running", "bot.console", "tweetsent.cli"]
)
def test_importing_loads_no_model_library(module: str, tmp_path: Path) -> None:
    heavy = "{'torch', 'transformers', 'peft', 'bitsandbytes'}"
    code = f"import sys, {module}; print({heavy} & set(sys.modules))"
    assert in_clean_process(code, tmp_path).strip() == "set()"


def test_importing_everything_has_no_effect(tmp_path: Path) -> None:
    names = [
        name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in modules("bot", "tweetsent", "training")
        if path.name != "__main__.py"
    ]
    code = f"""
import importlib, logging, os, socket, sys, threading
def no(*_, **__): raise AssertionError("a socket was opened")
socket.socket.connect = no
for name in {names}:
    if not name.startswith("tweetsent.cli"):
        importlib.import_module(name)
import torch
assert not torch.cuda.is_initialized()
assert logging.getLogger().handlers == [], logging.getLogger().handlers
assert threading.active_count() == 1, threading.enumerate()
"""
    assert in_clean_process(code, tmp_path) == ""
