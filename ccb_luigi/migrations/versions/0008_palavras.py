"""What each code means, as rows; and which text of each view, function and right was applied last."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Creates the two tables; ``database/words`` fills them."""
    op.create_table(
        "codigos",
        sa.Column("codigo", sa.Text(), nullable=False),
        sa.Column("tipo", sa.Text(), nullable=False),
        sa.Column("significado", sa.Text(), nullable=False),
        sa.Column("providencia", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("codigo", name=op.f("codigos_pkey")),
        schema="controle",
    )
    op.create_table(
        "textos",
        sa.Column("nome", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("nome", name=op.f("textos_pkey")),
        schema="controle",
    )
