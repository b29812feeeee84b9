"""Nothing any more: views, codes and comments, which this revision once made, are ``database/words``' own.

Databases of that time stand at it or went through it.
"""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Changes no table."""
