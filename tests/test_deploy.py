"""What runs the bot gives it the time that it takes to stop, and names only what there is."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import http, inbox
from tweetsent import retrainer
from tweetsent.settings import Settings

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "tweetsent.service").read_text("utf-8")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
STOP_SECONDS = inbox.STOP_SECONDS + retrainer._STOP_SECONDS + http._STOP_SECONDS


def test_a_stop_is_given_its_time() -> None:
    (unit_seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    compose_seconds = COMPOSE["services"]["bot"]["stop_grace_period"].removesuffix("s")

    assert int(unit_seconds) > STOP_SECONDS
    assert int(compose_seconds) > STOP_SECONDS


@pytest.mark.parametrize("text", [UNIT, DOCKERFILE, str(COMPOSE)], ids=["unit", "image", "compose"])
def test_the_variables_are_settings(text: str) -> None:
    named = set(re.findall(r"\b(?:TWEETSENT|TELEGRAM)_[A-Z_]+", text))

    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(
    "line",
    [
        "DynamicUser=yes",
        "UMask=0077",
        "StateDirectoryMode=0700",
        "LimitCORE=0",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "ProtectProc=invisible",
        "PrivateTmp=yes",
        "RestrictNamespaces=yes",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged",
    ],
)
def test_the_unit_has_the_least_rights(line: str) -> None:
    assert line in UNIT.splitlines()


def test_every_requirement_is_pinned_and_hashed_but_torch() -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.txt").read_text("utf-8").strip())
    assert len(entries) > 100
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry
    (torch,) = re.findall(
        r"^[^#\s]+$", (ROOT / "requirements-torch.txt").read_text("utf-8"), re.MULTILINE
    )
    assert torch.startswith("torch==")


def test_hashes_are_demanded_wherever_the_requirements_are_installed() -> None:
    for text in (DOCKERFILE, (ROOT / "Makefile").read_text("utf-8")):
        (line,) = [line for line in text.splitlines() if " -r requirements.txt" in line][:1]
        assert "--require-hashes --no-deps" in line
        assert "--no-build-isolation" in text  # which would fetch the build's tools unhashed


def test_what_the_image_copies_is_there_and_reaches_the_build() -> None:
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists(), name
            assert f"!{name}" in allowed


def test_the_health_check_asks_where_the_bot_answers() -> None:
    (address,) = re.findall(r"http://(\S+)/health", DOCKERFILE)

    assert f"TWEETSENT_HTTP_LISTEN={address}" in DOCKERFILE
    assert COMPOSE["services"]["bot"]["environment"]["TWEETSENT_HTTP_LISTEN"] == address


def test_the_volumes_are_declared_and_outlive_the_container() -> None:
    for name in ("bot", "postgres"):
        for volume in COMPOSE["services"][name]["volumes"]:
            assert volume.split(":")[0] in COMPOSE["volumes"]
