"""`tweetsent doctor`: its lines, its JSON, its exit code."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Running


def test_what_is_wrong_is_said_with_its_remedy(tweetsent: Running) -> None:
    result = tweetsent("doctor")

    lines = result.out.splitlines()
    assert result.code == 1
    assert lines[0] == "✓ settings    every value is one that the bot takes"
    assert any(line.startswith("! telegram    no token: ") and " → " in line for line in lines)
    assert any(line.startswith("✗ database    there is no database ") for line in lines)
    assert any(line.startswith("✗ model       ") for line in lines)


def test_nothing_wrong_is_exit_code_0(tweetsent: Running, tiny: Path) -> None:
    tweetsent("db", "upgrade")
    result = tweetsent("doctor", "--json")

    findings = json.loads(result.out)
    assert (result.code, result.err) == (0, "")
    assert {finding["level"] for finding in findings} == {"ok", "warning"}
    assert findings[0].keys() == {"check", "level", "message", "fix"}


def test_a_deep_look_loads_the_model(tweetsent: Running, tiny: Path) -> None:
    tweetsent("db", "upgrade")
    result = tweetsent("doctor", "--deep", "--json")

    assert result.code == 0
    assert json.loads(result.out)[-1]["check"] == "answer"


def test_a_wrong_setting_is_a_finding(tweetsent: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "no token at all")
    result = tweetsent("doctor")

    assert result.code == 1
    assert result.out.startswith("✗ settings    wrong setting: TELEGRAM_BOT_TOKEN must look like")
    assert "no token at all" not in result.out + result.err
    assert "\n✓ python" in result.out


def test_no_model_library_is_loaded(process: Running, empty_home: Path) -> None:
    code = (
        "import sys; from tweetsent import cli; cli.run(['doctor']); "
        "print({'torch', 'transformers', 'peft', 'bitsandbytes'} & set(sys.modules))"
    )
    assert process(start=("-c", code)).out.endswith("\nset()\n")
