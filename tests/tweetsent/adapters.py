"""Adapters for the tests: folders that verify, with weights that no model needs to take."""

import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from tweetsent.adapter import CONFIG, WEIGHTS, Manifest, read_manifest, write_manifest
from tweetsent.prompt import Prompt
from tweetsent.sealed import sha256_of


def make_adapter(parent: Path, version: str, weights: bytes | None = None) -> Path:
    """A verified adapter's folder whose weights nothing can load."""
    folder = parent / (version.replace("/", "_").strip(".\n")[:64] or "empty")
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(weights or f"weights of {version}".encode())
    (folder / CONFIG).write_text("{}")
    manifest = Manifest(
        version=version,
        created_at="2026-01-01T00:00:00+00:00",
        base_model="tiny",
        base_revision="r" * 64,
        prompt=Prompt(),
        temperature=1.0,
        files={name: sha256_of(folder / name) for name in (WEIGHTS, CONFIG)},
        datasets=[],
        training={},
        metrics={"v.csv": {"n": 6, "macro_f1": 0.5}},
        machine="a test's",
        training_seconds=1.0,
        measured_on="nothing",
        libraries={},
    )
    write_manifest(folder, manifest)
    return folder


def scaled_copy(adapter: Path, target: Path, factor: float) -> Path:
    """A copy of a real adapter with its update scaled: another version that answers otherwise."""
    shutil.copytree(adapter, target)
    weights = load_file(target / WEIGHTS)
    save_file(
        {name: value * factor if "lora_B" in name else value for name, value in weights.items()},
        target / WEIGHTS,
        metadata={"format": "pt"},
    )
    manifest = read_manifest(adapter)
    digest = sha256_of(target / WEIGHTS)
    write_manifest(
        target,
        manifest.model_copy(
            update={
                "version": f"{manifest.version.rpartition('-')[0]}-{digest[:8]}",
                "files": manifest.files | {WEIGHTS: digest},
            }
        ),
    )
    return target


def damage(folder: Path) -> None:
    """Cut the weights short, as a full disk does."""
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1])
