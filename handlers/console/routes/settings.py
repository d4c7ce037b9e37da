"""How the installation and a community are set up, and what may speak with it."""

from handlers.console import (
    notice_templates,
    notice_trials,
    outside,
    settings,
    settings_late_fee,
    settings_reminders,
    setup,
)
from handlers.console.permissions import Permission
from handlers.console.routes.route import Route

P = Permission

SETTINGS: tuple[Route, ...] = (
    Route("GET", "/<code>/setup", setup.index, P.SETTINGS),
    Route("GET", "/<code>/settings", settings.index, P.SETTINGS),
    Route("POST", "/<code>/settings/billing", settings.set_billing, P.SETTINGS),
    Route("POST", "/<code>/settings/due", settings.set_due, P.SETTINGS),
    Route("POST", "/<code>/settings/refunds", settings.set_refunds, P.SETTINGS),
    Route("POST", "/<code>/settings/desk", settings.set_desk, P.SETTINGS),
    Route("POST", "/<code>/settings/sending", settings.set_sending, P.SETTINGS),
    Route("GET", "/<code>/settings/late-fee", settings_late_fee.index, P.SETTINGS),
    Route("POST", "/<code>/settings/late-fee", settings_late_fee.add, P.SETTINGS),
    Route("POST", "/<code>/settings/late-fee/order", settings_late_fee.order, P.SETTINGS),
    Route("GET", "/<code>/settings/reminders", settings_reminders.index, P.SETTINGS),
    Route("POST", "/<code>/settings/reminders", settings_reminders.climb, P.SETTINGS),
    Route("POST", "/<code>/settings/reminders/hours", settings_reminders.switch, P.SETTINGS),
    Route("POST", "/<code>/settings/reminders/forget", settings_reminders.forget, P.SETTINGS),
    Route("POST", "/<code>/settings/reminders/holidays", settings_reminders.holidays, P.SETTINGS),
    Route("GET", "/<code>/settings/effects", settings_reminders.effects, P.SETTINGS),
    Route("GET", "/templates", notice_templates.index, P.SETTINGS),
    Route("GET", "/templates/kind", notice_templates.show, P.SETTINGS),
    Route("POST", "/templates/kind/order", notice_templates.order, P.SETTINGS),
    Route("POST", "/templates/kind/clear", notice_templates.clear_one, P.SETTINGS),
    Route("POST", "/templates/kind/test", notice_trials.test, P.SETTINGS),
    Route("GET", "/templates/fields", notice_templates.choose, P.SETTINGS),
    Route("POST", "/templates/fields", notice_templates.save, P.SETTINGS),
    Route("GET", "/outside", outside.index, P.SETTINGS),
    Route("POST", "/outside/tokens", outside.add, P.SETTINGS),
    Route("GET", "/outside/tokens/<int:number>", outside.calls, P.SETTINGS),
    Route("POST", "/outside/tokens/<int:number>/revoke", outside.revoke, P.SETTINGS),
    Route("POST", "/outside/webhooks", outside.add_hook, P.SETTINGS),
    Route("GET", "/outside/webhooks/<int:number>", outside.deliveries, P.SETTINGS),
    Route("POST", "/outside/webhooks/<int:number>/replay", outside.again, P.SETTINGS),
    Route("POST", "/outside/webhooks/<int:number>/end", outside.end, P.SETTINGS),
)
