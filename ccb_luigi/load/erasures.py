"""The erased clients as ``controle.esquecimentos`` remembers them: asked before documents are read."""

from __future__ import annotations

from sqlalchemy import Connection, select

from ccb_luigi.documents import erased
from ccb_luigi.errors import ConfigurationError
from ccb_luigi.settings import Settings
from ccb_luigi.tables import esquecimentos


def known(connection: Connection, settings: Settings) -> erased.Erased | None:
    """The erased clients; ``None`` if there are none.

    Raises:
        ConfigurationError: there are some, and the key isn't set or isn't theirs. To go on would bring
            them back.
    """
    columns = (esquecimentos.c[name] for name in ("chave", "documentos", "verificador"))
    rows = connection.execute(select(*columns)).all()
    if not rows:
        return None
    if not settings.forget_key:
        raise ConfigurationError(
            "CCB_FORGET_KEY is not set, and there are erased clients (controle.esquecimentos): without the"
            " key that they were erased with they would be loaded again; every run needs it"
        )
    secret = settings.forget_key.encode()
    if {row.verificador for row in rows} != {erased.verifier(secret)}:
        raise ConfigurationError(
            "CCB_FORGET_KEY is not the key that clients were erased with (controle.esquecimentos): with"
            " another one they would be loaded again; every run needs that one"
        )
    return erased.Erased(secret, frozenset(h for row in rows for h in (row.chave, *row.documentos)))
