"""Prices, meters, shared costs, imports and bill runs."""

from handlers.console import imports, meters, runs, runs_bills, shared, tariffs, work
from handlers.console.permissions import Permission
from handlers.console.routes.route import Route

P = Permission

BILLING: tuple[Route, ...] = (
    Route("GET", "/<code>/tariffs", tariffs.index, P.TARIFFS),
    Route("GET", "/<code>/tariffs/new", tariffs.new_item, P.TARIFFS),
    Route("POST", "/<code>/tariffs/new", tariffs.add_charge_item, P.TARIFFS),
    Route("GET", "/<code>/tariffs/<int:number>", tariffs.show, P.TARIFFS),
    Route("POST", "/<code>/tariffs/<int:number>", tariffs.add, P.TARIFFS),
    Route("POST", "/<code>/tariffs/<int:number>/remove", tariffs.remove, P.TARIFFS),
    Route("POST", "/<code>/tariffs/<int:number>/trial", tariffs.trial, P.TARIFFS),
    Route("GET", "/<code>/meters", meters.index, P.METERS),
    Route("GET", "/<code>/meters/enter", meters.enter, P.METERS),
    Route("POST", "/<code>/meters/enter", meters.save, P.METERS),
    Route("GET", "/<code>/meters/<int:number>", meters.show, P.METERS),
    Route("POST", "/<code>/meters/<int:number>/replace", meters.replace, P.METERS),
    Route("GET", "/<code>/shared", shared.index, P.METERS),
    Route("GET", "/<code>/shared/new", shared.new, P.METERS),
    Route("POST", "/<code>/shared/new", shared.record, P.METERS),
    Route("GET", "/<code>/shared/<int:number>", shared.show, P.METERS),
    Route("GET", "/<code>/shared/<int:number>/edit", shared.edit, P.METERS),
    Route("POST", "/<code>/shared/<int:number>/edit", shared.correct, P.METERS),
    Route("POST", "/<code>/shared/<int:number>/remove", shared.remove, P.METERS),
    Route("GET", "/<code>/imports", imports.index, P.BILLS),
    Route("POST", "/<code>/imports", imports.upload, P.BILLS, imports.UPLOAD_BYTES_MAX),
    Route("GET", "/<code>/imports/template", imports.template, P.BILLS),
    Route("POST", "/<code>/imports/<int:number>/commit", imports.commit, P.BILLS),
    Route("GET", "/<code>/imports/<int:number>/faults", imports.faults, P.BILLS),
    Route("GET", "/<code>/work/<int:number>", work.show, P.BILLS),
    Route("GET", "/<code>/work/<int:number>/live", work.live, P.BILLS, asks_itself=True),
    Route("POST", "/<code>/work/<int:number>/again", work.again, P.BILLS),
    Route("GET", "/<code>/bill-runs", runs.index, P.BILLS),
    Route("POST", "/<code>/bill-runs/draft", runs.draft, P.BILLS),
    Route("GET", "/<code>/bill-runs/drafts", runs.drafts, P.BILLS),
    Route("POST", "/<code>/bill-runs/publish", runs.publish, P.BILLS),
    Route("POST", "/<code>/bill-runs/schedule", runs.schedule, P.BILLS),
    Route("GET", "/<code>/bill-runs/<int:number>", runs_bills.show, P.BILLS),
    Route("POST", "/<code>/bill-runs/<int:number>/void", runs_bills.void_run, P.BILLS),
    Route("GET", "/<code>/bill-runs/bills/<int:number>", runs_bills.bill, P.BILLS),
    Route("POST", "/<code>/bill-runs/bills/<int:number>/void", runs_bills.void, P.BILLS),
)
