"""An owner's fapiao: what became of it, and its file."""

from flask import Response, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from billing.fapiao import find_file, get_fapiao, list_parts, open_title
from billing.fapiao_tables import Fapiao, FapiaoState, FileKind
from billing.people import ResidentRole
from billing.sightings import Sight
from handlers.pages.queries import Visit, sees_payment, visit_home
from handlers.pages.refusals import Refusal, Refused
from handlers.pages.sightings import note_sight
from handlers.pages.viewer import require_viewer
from handlers.services import Services
from notify.links import HomeRef

MIME_TYPES = {
    FileKind.PDF: "application/pdf",
    FileKind.OFD: "application/ofd",
    FileKind.PNG: "image/png",
}


def fapiao(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/fapiao/<token>`: title, payments and state, for who asked for it or lives there."""
    openid = require_viewer(services)
    with services.database.transaction() as session:
        found, visit = _visit(session, services, openid, token)
        parts = list_parts(session, found)
        attached = find_file(session, found)
    return render_template(
        "pages/fapiao.html",
        visit=visit,
        fapiao=found,
        title=open_title(services.vault, found),
        parts=parts,
        file=attached if found.state is FapiaoState.ISSUED else None,
        token=token,
    )


def fapiao_file(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/fapiao/<token>/file`: the file, to keep."""
    openid = require_viewer(services)
    with services.database.transaction() as session:
        found, _ = _visit(session, services, openid, token)
        attached = find_file(session, found)
    if attached is None or found.state is not FapiaoState.ISSUED:
        raise Refused(Refusal.BROKEN_LINK)
    name = f"fapiao-{found.number}.{attached.kind.value}"
    return Response(
        attached.content,
        mimetype=MIME_TYPES[attached.kind],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _visit(session: Session, services: Services, openid: str, token: str) -> tuple[Fapiao, Visit]:
    """A fapiao and its home, for owners who see every payment it is for, and whoever asked for it.

    Raises:
        Refused: no token of ours, or somebody else's fapiao.
    """
    ref = services.links.read_fapiao(token)
    if ref is None:
        raise Refused(Refusal.BROKEN_LINK)
    found = get_fapiao(session, ref.community_id, ref.fapiao_id)
    visit = visit_home(session, openid, HomeRef(found.community_id, found.unit_id))
    is_his = visit.follower_id is not None and found.follower_id == visit.follower_id
    if not is_his and not (
        visit.role is ResidentRole.OWNER
        and all(sees_payment(session, visit, payment) for payment, _ in list_parts(session, found))
    ):
        raise Refused(Refusal.NOT_YOURS)
    if visit.bound:
        note_sight(session, visit, Sight.FAPIAO, services.clock())
    return found, visit
