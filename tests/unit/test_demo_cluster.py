"""The demo's PostgreSQL may be another one than the wheel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccb_luigi.demo import cluster


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("version", "locale"),
    [
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "--locale=C.UTF-8"),
        ("postgres (PostgreSQL) 16.2", "--locale=C.UTF-8"),
        ("postgres (PostgreSQL) 17.0", "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"),
        ("postgres (PostgreSQL) 18beta1", "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"),
    ],
)
def test_a_cluster_of_another_version_gets_a_locale_that_it_knows(
    version: str, locale: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCB_DEMO_POSTGRES", str(tmp_path))
    program(tmp_path / "postgres", f"echo '{version}'")
    program(tmp_path / "initdb", f'mkdir "$2" && echo "$@" > {tmp_path}/words')
    data = tmp_path / "home" / "data"
    data.parent.mkdir()
    cluster.create(cluster.programs(data.parent, cluster.ensure_home(data.parent)), data, {})
    words = (tmp_path / "words").read_text()
    assert data.is_dir()
    assert words.endswith(f" {locale}\n")
    assert "--data-checksums" in words


def test_programs_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCB_DEMO_POSTGRES", str(tmp_path / "nowhere"))
    with pytest.raises(cluster.DemoError, match="CCB_DEMO_POSTGRES"):
        cluster.programs(tmp_path, cluster.Owner(0, 0))
