"""`tweetsent doctor`: what is wrong, and how to mend it."""

from dataclasses import asdict, replace

import typer

from tweetsent.cli.console import load_settings, print_json, report
from tweetsent.errors import ConfigError
from tweetsent.labels import Scores
from tweetsent.redaction import redact
from tweetsent.settings import Settings


def doctor(
    deep: bool = typer.Option(False, "--deep", help="Load the model too and classify a sentence."),
    json_output: bool = typer.Option(False, "--json", help="Print JSON on stdout."),
) -> None:
    """Check all that the bot needs; exit code 1 when something is wrong."""
    from tweetsent.doctor import Finding, Level, examine

    marks = {Level.OK: "✓", Level.WARNING: "!", Level.ERROR: "✗"}
    findings = []

    def tell(finding: Finding) -> None:
        finding = replace(finding, message=redact(finding.message))
        findings.append(finding)
        if not json_output:
            fix = f" → {finding.fix}" if finding.fix else ""
            typer.echo(f"{marks[finding.level]} {finding.check:<11} {finding.message}{fix}")

    settings = None
    try:
        settings = load_settings()
        tell(Finding("settings", Level.OK, "every value is one that the bot takes"))
    except ConfigError as error:
        tell(Finding("settings", Level.ERROR, str(error), "see .env.example"))
    for finding in examine(settings, classify=_classify if deep else None):
        tell(finding)
    if json_output:
        print_json([asdict(finding) for finding in findings])
    if any(finding.level is Level.ERROR for finding in findings):
        raise typer.Exit(1)


def _classify(settings: Settings, text: str) -> Scores:
    from tweetsent.classifier import load_classifier

    return load_classifier(settings, report).classify([text])[0]
