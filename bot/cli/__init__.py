"""`mingzhang …`: one module per group of commands, loaded only when used.

Machine-readable JSON goes to stdout; everything else (progress, logs, errors) to stderr.
"""

import importlib

import click

from bot.logs import log_to_stderr

COMMANDS = {
    "alerts": "bot.cli.operations:alerts",
    "api-token": "bot.cli.api_token:api_token",
    "arrears": "bot.cli.reports:arrears",
    "backup": "bot.cli.backup:backup",
    "bank-account": "bot.cli.bank:bank_account",
    "bank-statement": "bot.cli.bank:bank_statement",
    "bench": "bot.cli.bench:bench",
    "bill": "bot.cli.corrections:bill",
    "bill-preview": "bot.cli.books:bill_preview",
    "bill-run": "bot.cli.books:bill_run",
    "binding": "bot.cli.binding:binding",
    "broadcast": "bot.cli.broadcast:broadcast",
    "check": "bot.cli.books:check",
    "close": "bot.cli.corrections:close",
    "collection": "bot.cli.reports:collection",
    "counter": "bot.cli.counter:counter",
    "cron": "bot.cli.processes:cron",
    "day-close": "bot.cli.papers:day_close",
    "demo": "bot.cli.demo:demo",
    "deposit": "bot.cli.held:deposit",
    "direct-debit": "bot.cli.direct_debit:direct_debit",
    "discount": "bot.cli.discount:discount",
    "doctor": "bot.cli.doctor:doctor",
    "dunning-letter": "bot.cli.dunning:dunning_letter",
    "fapiao": "bot.cli.papers:fapiao",
    "discrepancy": "bot.cli.reconciliation:discrepancy",
    "heard": "bot.cli.heard:heard",
    "holidays": "bot.cli.ladder:holidays",
    "home": "bot.cli.home:home",
    "import": "bot.cli.imports:imports",
    "ladder": "bot.cli.ladder:ladder",
    "late-fee": "bot.cli.late_fee:late_fee",
    "migrate": "bot.cli.processes:migrate_command",
    "notices": "bot.cli.notices:notices",
    "prepayment": "bot.cli.held:prepayment",
    "quote": "bot.cli.quote:quote",
    "rebuild-numbers": "bot.cli.reports:rebuild_numbers",
    "receipt": "bot.cli.papers:receipt",
    "reconcile": "bot.cli.reconciliation:reconcile",
    "refund": "bot.cli.refund:refund",
    "remind": "bot.cli.books:remind",
    "restore": "bot.cli.backup:restore",
    "serve": "bot.cli.processes:serve",
    "shared-cost": "bot.cli.shared_cost:shared_cost",
    "sightings": "bot.cli.binding:sightings",
    "staff": "bot.cli.staff:staff",
    "tag": "bot.cli.tag:tag",
    "tariff": "bot.cli.tariff:tariff",
    "template": "bot.cli.template:template",
    "ticket": "bot.cli.ticket:ticket",
    "timing": "bot.cli.timing:timing",
    "trial-balance": "bot.cli.corrections:print_trial_balance",
    "understand": "bot.cli.understand:understand",
    "webhook": "bot.cli.webhook:webhook",
    "wechat": "bot.cli.operations:wechat",
    "worker": "bot.cli.processes:worker",
}
"""Command → where it lives. A table of contents; nothing is imported until it is called."""


class LazyGroup(click.Group):
    """A group whose commands are imported on first use, so that `quote` does not pay for Flask."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command, or None for an unknown name."""
        place = COMMANDS.get(name)
        if place is None:
            return None
        module, attribute = place.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LazyGroup)
def main() -> None:
    """明账 Mingzhang: property fees in WeChat, exact to the fen."""
    log_to_stderr()
