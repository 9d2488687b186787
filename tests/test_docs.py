"""The documents say what the code does: settings, commands and the file tree."""

import ast
import re
from itertools import pairwise
from pathlib import Path

from tweetsent.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
VARIABLES = {name.upper() for name in Settings.model_fields}


def test_env_example_lists_every_setting_and_nothing_else() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE)) == VARIABLES


def test_readme_lists_every_setting_and_nothing_else() -> None:
    assert set(re.findall(r"^\| `((?:TELEGRAM|TWEETSENT)_[A-Z_]+)`", README, re.M)) == VARIABLES


def test_readme_shows_the_defaults_of_the_settings() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", README, re.MULTILINE))
    for name, field in Settings.model_fields.items():
        shown = rows[name.upper()].strip().strip("`")
        default = field.default
        expected = "" if default in (None, frozenset(), ()) else str(default)
        assert shown.lower() == expected.lower(), name


def test_every_setting_is_followed_by_its_meaning() -> None:
    tree = ast.parse((ROOT / "tweetsent" / "settings.py").read_text(encoding="utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    for field, following in pairwise(body):
        if isinstance(field, ast.AnnAssign):
            assert isinstance(following, ast.Expr), ast.unparse(field)
            assert isinstance(following.value, ast.Constant), ast.unparse(field)


def test_readme_names_every_command() -> None:
    from typer.main import get_command

    from tweetsent.cli.app import app

    for name in get_command(app).commands:  # type: ignore[attr-defined]
        assert f"tweetsent {name}" in README, name


def test_files_that_the_documents_point_to_exist() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_figures_of_the_shipped_adapter_are_those_of_its_manifest() -> None:
    from tweetsent.adapter import read_manifest, shipped_adapter

    manifest = read_manifest(shipped_adapter())
    for name, result in manifest.metrics.items():
        two_class = result["two_class_accuracy"]
        figure = result["macro_f1"] if two_class is None else two_class
        assert f"| {name} | {result['n']:,} | {figure:.3f} |" in README


def test_tests_that_the_documents_name_exist() -> None:
    for document in (ROOT / "docs").glob("*.md"):
        for name, target in re.findall(r"\[(test_\w+)\]\(([^)]+)\)", document.read_text("utf-8")):
            source = (document.parent / target).read_text("utf-8")
            assert re.search(rf"^def {name}\(", source, re.MULTILINE), f"{document.name}: {name}"


def test_every_table_of_the_database_is_in_the_document_on_privacy() -> None:
    from tweetsent.tables import Base

    stored = (ROOT / "docs" / "PRIVACY.md").read_text("utf-8").split("## Beside it")[0]
    tables = {*Base.metadata.tables, "alembic_version"}
    assert set(re.findall(r"^\| `(\w+)` \|", stored, re.MULTILINE)) == tables


def test_every_encrypted_column_is_said_to_be() -> None:
    from tweetsent.text_key import encrypted_columns

    rows = (ROOT / "docs" / "PRIVACY.md").read_text("utf-8").splitlines()
    said = {row.split("`")[1] for row in rows if row.startswith("| `") and "(encrypted)" in row}
    assert said == {column.table.name for column in encrypted_columns()}
