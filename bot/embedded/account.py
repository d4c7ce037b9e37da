"""The account and the folder a server that refuses to run as root gets.

For an ordinary user both are given: the user, and a folder inside the state folder. For root it is
the account `nobody` and a folder that this account can reach. Permissions of folders that exist are
never changed; where the state folder lies behind a closed one (`/root`), the server's folder is made
elsewhere, once, and its place is written down in the state folder.
"""

import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bot.embedded.wheels import EmbeddedError

_ACCOUNT = "nobody"
_LASTING = "/var/tmp"  # noqa: S108 - survives a reboot; what is made there is checked before use


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the system that is not root, by its numbers."""

    uid: int
    gid: int


def may_enter(folder: Path, account: Account) -> bool:
    """Say whether the account may pass through the folder and all folders above it."""
    return all(_passable(step.stat(), account) for step in (folder, *folder.parents))


def _passable(found: os.stat_result, account: Account) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def make_control_folder(state: Path, name: str) -> Path:
    """Make the folder of one engine in the state folder: passable for all, readable for us only."""
    state.mkdir(parents=True, exist_ok=True)
    folder = state.resolve() / name
    try:
        folder.mkdir(0o700)
    except FileExistsError:
        return folder
    folder.chmod(0o711)  # ours and new; whatever the umask says
    return folder


def server_home(control: Path) -> tuple[Path, Account | None]:
    """Return the server's own folder, made when needed, and the account to run it as.

    The account is None when this process may run the server itself. As root, an existing folder is
    served by the account that owns it, so a folder begun by an ordinary user stays that user's.

    Raises:
        EmbeddedError: as root, when no folder can be given to the account.
    """
    inside = control / "server"
    if os.geteuid() != 0:
        inside.mkdir(0o700, exist_ok=True)
        return inside, None
    home = _recorded(control)
    if home is None and inside.exists() and inside.stat().st_uid != 0:
        home = inside
    if home is None:
        home = _given_home(control, inside)
    found = home.stat()
    account = Account(found.st_uid, found.st_gid)
    if not may_enter(home, account):
        raise EmbeddedError(
            f"PostgreSQL does not run as root and account {account.uid} cannot reach {home}; "
            "let it pass the folders above, or choose another MINGZHANG_VAR."
        )
    return home, account


def is_private(folder: Path, uid: int) -> bool:
    """Say whether this is a real folder (no link) that only `uid` may use."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    private = stat.S_IMODE(found.st_mode) == stat.S_IRWXU
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and private


def give(folder: Path, account: Account | None) -> Path:
    """Make the account the owner of a folder of ours; nothing to do without an account."""
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def _given_home(control: Path, inside: Path) -> Path:
    """Make a folder for the account, inside if it can be reached there, else elsewhere."""
    try:
        entry = pwd.getpwnam(_ACCOUNT)
        account = Account(entry.pw_uid, entry.pw_gid)
        if may_enter(control, account):
            inside.mkdir(0o700, exist_ok=True)
            return give(inside, account)
        for parent in (Path(_LASTING), Path(tempfile.gettempdir())):
            if parent.is_dir() and may_enter(parent.resolve(), account):
                return _elsewhere(control, parent.resolve(), account)
    except (KeyError, OSError) as error:
        reason = str(error)
    else:
        reason = f"{control} and the temporary folders are closed to it"
    raise EmbeddedError(
        f"PostgreSQL does not run as root and the account {_ACCOUNT} cannot be used ({reason}); "
        "run as an ordinary user, or set DATABASE_URL to a server of your own."
    )


def _elsewhere(control: Path, parent: Path, account: Account) -> Path:
    home = Path(tempfile.mkdtemp(prefix="mingzhang-", dir=parent))
    (home / "belongs-to").write_text(str(control), encoding="utf-8")
    (control / "home").write_text(str(give(home, account)), encoding="utf-8")
    return home


def _recorded(control: Path) -> Path | None:
    """Return the folder made elsewhere, unless it is gone, somebody else's or another state's.

    A copied state folder names the folder of its original, which says so in `belongs-to`.
    """
    try:
        home = Path((control / "home").read_text(encoding="utf-8"))
        belongs_to = (home / "belongs-to").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    uid = home.lstat().st_uid
    return home if uid != 0 and is_private(home, uid) and belongs_to == str(control) else None


def reachable_copy(install: Path, home: Path, account: Account | None, release: str) -> Path:
    """Return the programs' folder, copied into `home` if the account cannot reach the original.

    The copy keeps the layout of the wheel, whose libraries are found relative to the programs.
    It is made once per release, in one step. Safe to repeat.
    """
    if account is None or may_enter(install / "bin", account):
        return install
    package = install.parent
    copy = home / f"programs-{release}"
    if not copy.exists():
        fresh = Path(tempfile.mkdtemp(prefix="programs-", dir=home))
        fresh.chmod(0o755)
        shutil.copytree(install, fresh / package.name / install.name, symlinks=True)
        for libraries in (package.with_name(f"{package.name}.libs"), package / ".dylibs"):
            if libraries.is_dir():
                shutil.copytree(libraries, fresh / libraries.relative_to(package.parent))
        fresh.rename(copy)
    return copy / package.name / install.name
