"""`mingzhang doctor`: what is wrong with an installation, and how to mend it."""

import sys

import click

from bot.cli.installation import closing, environment, print_json, refusals
from bot.doctor import examine
from bot.doctor.findings import Finding, Patient, Status
from bot.program import build, utc_now
from bot.settings import Settings, SettingsError


@click.command()
def doctor() -> None:
    """Check the configuration against the real services: one JSON line per finding, each with its
    cure. Exit code 1 with any error.
    """
    with refusals(), environment() as given:
        try:
            settings = Settings.from_env(given, utc_now())
        except SettingsError as error:
            cure = "set it as README.md says, and run this again"
            _print(Finding("settings", Status.ERROR, str(error), cure))
            sys.exit(1)
        _print(Finding("settings", Status.OK, "complete and consistent"))
        with closing(build(settings)) as program:
            patient = Patient(program, program.services.clock())
            worst = [_print(finding) for finding in examine(patient)]
    if Status.ERROR in worst:
        sys.exit(1)


def _print(finding: Finding) -> Status:
    print_json(finding.as_json())
    return finding.status
