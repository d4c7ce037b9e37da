"""What the numbers say: dashboard, reports, alerts."""

from handlers.console import alerts, overview, reports, satisfaction
from handlers.console.permissions import Permission
from handlers.console.routes.route import Route

P = Permission

NUMBERS: tuple[Route, ...] = (
    Route("GET", "/", overview.index, None),
    Route("GET", "/<code>/", overview.community, P.LOOK),
    Route("GET", "/<code>/live", overview.live, P.LOOK, asks_itself=True),
    Route("GET", "/<code>/reports/", reports.index, P.REPORTS),
    Route("GET", "/<code>/reports/arrears", reports.arrears, P.REPORTS),
    Route("GET", "/<code>/reports/bills", reports.bills, P.REPORTS),
    Route("GET", "/<code>/reports/income", reports.income, P.REPORTS),
    Route("GET", "/<code>/reports/reminders", reports.reminders, P.REPORTS),
    Route("GET", "/<code>/reports/satisfaction", satisfaction.index, P.REPORTS),
    Route("GET", "/<code>/alerts", alerts.index, P.REPORTS),
    Route("GET", "/<code>/alerts/<int:number>", alerts.show, P.REPORTS),
    Route("POST", "/<code>/alerts/<int:number>/take", alerts.take, P.BANK),
    Route("POST", "/<code>/alerts/<int:number>/snooze", alerts.snooze, P.BANK),
    Route("POST", "/<code>/alerts/<int:number>/close", alerts.close, P.BANK),
)
