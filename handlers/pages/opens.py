"""That a message was read: its reader opened the link in it."""

import structlog
from flask import Response, request
from sqlalchemy.exc import SQLAlchemyError

from handlers.pages.viewer import signed_in
from handlers.services import Services
from notify.links import OPENED
from notify.opens import note_open

log = structlog.get_logger(__name__)


def note_opened(services: Services, response: Response) -> Response:
    """Write down the first time the reader of a message comes by its link; never keeps him from the
    page. Who has to sign in first comes again with the same address.
    """
    named = request.args.get(OPENED)
    if named is None or response.status_code >= 400:
        return response
    openid = signed_in(services.clock())
    ref = services.links.read_message(named)
    if openid is None or ref is None:
        return response
    try:
        with services.database.transaction() as session:
            note_open(session, ref, openid, services.clock())
    except SQLAlchemyError as error:
        log.warning("open_not_noted", reason=type(error).__name__)
    return response
