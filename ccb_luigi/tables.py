"""The tables: the only list of columns. COPY lists, upserts, staging and load order derive from it.

A column that is copied straight from the document names its path in ``info["path"]`` (in the tables of
list items, the path inside the item). What each means is in ``dictionary``. Keys compare by bytes (collation
"C"), so that "newest" means the same here, in Python and in MongoDB.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ccb_luigi import dictionary

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_name)s_idx",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

Key = Text(collation="C")
Money = Numeric(15, 2)
Rate = Numeric()
Moment = DateTime(timezone=True)


def _from(path: str, name: str, type_: Any = None, **kwargs: Any) -> Column[Any]:
    """A column that holds what the document has at ``path``."""
    return Column(name, type_ if type_ is not None else Text(), info={"path": path}, **kwargs)


def _finite(column: Column[Any]) -> str:
    """``numeric`` takes NaN, and without a precision infinity as well; NaN sorts above infinity."""
    if column.type.precision is not None:  # type: ignore[attr-defined]
        return f"{column.name} <> 'NaN'"
    return f"{column.name} < 'Infinity' AND {column.name} > '-Infinity'"


def _table(name: str, *items: Any, schema: str | None = None) -> Table:
    """One check for all numerics of a table: cheaper for every row than one check each."""
    checks = [_finite(c) for c in items if isinstance(c, Column) and isinstance(c.type, Numeric)]
    finite = [CheckConstraint(" AND ".join(checks), name="finitos")] if checks else []
    return _described(Table(name, metadata, *items, *finite, schema=schema))


def _described(table: Table) -> Table:
    """With what the dictionary says, as comments on the table and its columns."""
    table.comment, columns = dictionary.TABLES[table.fullname]
    for name, (meaning, _) in columns.items():
        table.columns[name].comment = meaning
    return table


def _loaded_at() -> Column[Any]:
    return Column("carregado_em", Moment, nullable=False, server_default=func.now())


def _client() -> Column[Any]:
    return Column("client_id", Key, ForeignKey("clientes.client_id"), primary_key=True)


def _contract() -> Column[Any]:
    owner = ForeignKey("operacoes.ccb_code", ondelete="CASCADE")
    return Column("ccb_code", Key, owner, primary_key=True)


clientes = _table(
    "clientes",
    _from("clientId", "client_id", Key, primary_key=True),
    _from("name", "nome", nullable=False),
    _from("type", "tipo_pessoa", nullable=False),
    Column("cpf_cnpj", Text, nullable=False, index=True),
    _from("birthDate", "data_nascimento", Date()),
    _from("maritalStatus", "estado_civil"),
    _from("birthPlace", "naturalidade"),
    _from("gender", "genero"),
    _from("motherName", "nome_mae"),
    _from("pep", "pep", Boolean()),
    _from("state", "uf"),
    _from("structure", "estrutura"),
    _from("averageMonthlyIncome", "renda_media_mensal", Money),
    Column("mongo_id", Key, nullable=False),
    Column("atualizado_em", Moment, nullable=False),
    _loaded_at(),
    CheckConstraint("tipo_pessoa IN ('PF', 'PJ')", name="tipo_pessoa"),
)

identidades = _table(
    "identidades",
    _client(),
    Column("tipo", Text, primary_key=True),
    _from("number", "numero", nullable=False),
    _from("issuer", "orgao_emissor"),
    _from("issuerState", "uf_emissor"),
    CheckConstraint("tipo IN ('CPF', 'CNPJ', 'RG')", name="tipo"),
)

enderecos = _table(
    "enderecos",
    _client(),
    Column("tipo", Text, primary_key=True),
    _from("zipCode", "cep"),
    _from("state", "uf"),
    _from("city", "cidade"),
    _from("address", "logradouro"),
    _from("neighbourhood", "bairro"),
    _from("number", "numero"),
    _from("complement", "complemento"),
    CheckConstraint("tipo IN ('residencial', 'comercial')", name="tipo"),
)

contatos = _table(
    "contatos",
    _client(),
    Column("tipo", Text, primary_key=True),
    Column("valor", Text, primary_key=True),
    CheckConstraint("tipo IN ('email', 'telefone')", name="tipo"),
)

dados_bancarios = _table(
    "dados_bancarios",
    _client(),
    _from("bankNumber", "banco", primary_key=True),
    _from("branchNumber", "agencia", primary_key=True),
    _from("accountNumber", "conta", primary_key=True),
)

operacoes = _table(
    "operacoes",
    _from("ccbCode", "ccb_code", Key, primary_key=True),
    Column("mongo_id", Key, nullable=False, unique=True),
    Column("client_id", Key, ForeignKey("clientes.client_id"), nullable=False, index=True),
    _from("status", "status"),
    _from("operation.VencimentoPrimeiraParcela", "vencimento_primeira_parcela", Date(), nullable=False),
    _from("operation.Carencia", "carencia", Integer()),
    _from("operation.FinanIOF", "finan_iof", Boolean()),
    _from("operation.Conta", "conta"),
    _from("operation.ValorBruto", "valor_bruto", Money, nullable=False),
    _from("operation.ValorDoSeguro", "valor_seguro", Money),
    _from("operation.ValorDaCAD", "valor_cad", Money),
    _from("operation.ValorDoIOF", "valor_iof", Money),
    _from("operation.ValorLiquido", "valor_liquido", Money, nullable=False),
    _from("operation.TaxaDeJuros", "taxa_juros", Rate),
    _from("operation.TaxaDeJurosAnual", "taxa_juros_anual", Rate),
    _from("operation.CET", "cet", Rate),
    _from("operation.CET_ANUAL", "cet_anual", Rate),
    _from("operation.DataDeLiberacao", "data_liberacao", Date()),
    _from("operation.DataDeVencimentoInicial", "data_vencimento_inicial", Date()),
    _from("operation.DataDeVencimentoFinal", "data_vencimento_final", Date()),
    _from("operation.NumeroDeParcelas", "numero_parcelas", Integer()),
    _from("operation.TotalDeAmortizacao", "total_amortizacao", Money),
    _from("operation.TotalDaTaxaDeServico", "total_taxa_servico", Money),
    _from("operation.TotalDoSeguro", "total_seguro", Money),
    _from("operation.TotalDaTaxaDeCorrecao", "total_taxa_correcao", Money),
    _from("operation.TotalDeJuros", "total_juros", Money),
    _from("operation.TotalDoValorDasParcelas", "total_valor_parcelas", Money),
    _from("createdAt", "criado_em", Moment),
    _from("emitedAt", "emitido_em", Moment),
    Column("atualizado_em", Moment, nullable=False),
    Column("excluido_em", Moment),
    Column("extras", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    _loaded_at(),
)

parcelas = _table(
    "parcelas",
    _contract(),
    _from("NumeroDaParcela", "numero_parcela", Integer(), primary_key=True, autoincrement=False),
    _from("DataDeVencimento", "data_vencimento", Date(), nullable=False, index=True),
    _from("ValorDaAmortizacao", "valor_amortizacao", Money),
    _from("ValorDaCorrecao", "valor_correcao", Money),
    _from("ValorDoJuros", "valor_juros", Money),
    _from("ValorDoSeguro", "valor_seguro", Money),
    _from("ValorTaxaBancaria", "valor_taxa_bancaria", Money),
    _from("ValorDaPrestacao", "valor_prestacao", Money),
    _from("ValorDoSaldoAnterior", "valor_saldo_anterior", Money),
    _from("ValorDoJurosCapitalizados", "valor_juros_capitalizados", Money),
    _from("ValorDoSaldoAtual", "valor_saldo_atual", Money),
)

detalhamento_cet = _table(
    "detalhamento_cet",
    _contract(),
    _from("PorcentagemDeJuros", "porcentagem_juros", Rate),
    _from("PorcentagemDeImpostos", "porcentagem_impostos", Rate),
    _from("PorcentagemDeTarifas", "porcentagem_tarifas", Rate),
    _from("PorcentagemDeServicos", "porcentagem_servicos", Rate),
)

LOADED = (
    clientes,
    identidades,
    enderecos,
    contatos,
    dados_bancarios,
    operacoes,
    parcelas,
    detalhamento_cet,
)
"""The eight tables, in foreign-key order."""

BY_NAME = {table.name: table for table in LOADED}

CHILDREN = tuple(table for table in LOADED if table not in (clientes, operacoes))
"""The tables whose rows belong to a client or a contract."""

PERSONAL = frozenset({"clientes", "identidades", "enderecos", "contatos", "dados_bancarios", "operacoes"})
"""The tables whose rows say more of a person than ids, dates and amounts (``operacoes``: in ``extras``)."""


def parents(table: Table) -> list[Table]:
    """The tables that ``table`` references."""
    return [owner for owner in LOADED if owner in {fk.column.table for fk in table.foreign_keys}]


def owner(table: Table) -> str:
    """The column that names whose rows they are: the contract's, or the client's."""
    return "ccb_code" if "ccb_code" in table.columns else "client_id"


def dependants(table: Table) -> list[Table]:
    """The tables that reference ``table``, directly or through another one, in load order."""
    found: set[Table] = {table}
    for candidate in LOADED:
        if found.intersection(parents(candidate)):
            found.add(candidate)
    return [candidate for candidate in LOADED if candidate in found - {table}]


table_updates = _table(
    "table_updates",
    Column("update_id", Text, primary_key=True),
    Column("target_table", Text),
    Column("inserted", Moment, server_default=func.now()),
    Column("particao", Date, index=True),
    Column("linhas", BigInteger),
    Column("contagens", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("segundos", Numeric(12, 3)),
)

quarentena = _table(
    "quarentena",
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("mongo_id", Key, nullable=False),
    Column("particao", Date, index=True),
    Column("codigos", ARRAY(Text), nullable=False),
    Column("erros", JSONB, nullable=False),
    Column("documento", LargeBinary),
    Column("sha256", Text),
    Column("primeira_vez", Moment, nullable=False, server_default=func.now()),
    Column("ultima_vez", Moment, nullable=False, server_default=func.now()),
    Column("tentativas", Integer, nullable=False, server_default=text("1")),
    Column("resolvido_em", Moment),
    Index(
        "quarentena_aberta_key",
        "mongo_id",
        unique=True,
        postgresql_where=text("resolvido_em IS NULL"),
    ),
    schema="controle",
)

qualidade = _table(
    "qualidade",
    _contract(),
    Column("mongo_id", Key, nullable=False),
    Column("codigo", Text, primary_key=True),
    Column("campo", Text, primary_key=True),
    Column("particao", Date),
    Column("observado_em", Moment, nullable=False, server_default=func.now()),
    schema="controle",
)

reconciliacoes = _table(
    "reconciliacoes",
    Column("particao", Date, primary_key=True),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("lidos", "carregados", "sem_mudanca", "obsoletos", "quarentena")
    ),
    *(
        Column(f"soma_{amount}_{side}", Numeric(20, 2), nullable=False)
        for amount in ("valor_bruto", "prestacoes")
        for side in ("origem", "destino")
    ),
    Column("ok", Boolean, nullable=False),
    Column("conferido_em", Moment, nullable=False, server_default=func.now()),
    schema="controle",
)

versoes = _table(
    "versoes",
    Column("mongo_id", Key, primary_key=True),
    Column("particao", Date, nullable=False, index=True),
    Column("ccb_code", Key, nullable=False),
    Column("client_id", Key, nullable=False),
    Column("atualizado_em", Moment, nullable=False),
    Column("valor_bruto", Money, nullable=False),
    Column("soma_prestacoes", Numeric(20, 2), nullable=False),
    Column("impressao", Text, nullable=False),
    Column("linhas", BigInteger, nullable=False),
    Column("escritas", BigInteger, nullable=False),
    Column("linhas_filhas", ARRAY(Integer)),
    schema="controle",
)

varreduras = _table(
    "varreduras",
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("iniciada_em", Moment, nullable=False),
    Column("terminada_em", Moment, nullable=False),
    *(
        Column(name, BigInteger, nullable=False)
        for name in (
            "lidos_origem",
            "contratos_destino",
            "carregados",
            "sumidos",
            "marcados_excluidos",
            "reaparecidos",
            "em_aberto",
            "ainda_em_quarentena",
        )
    ),
    Column("ok", Boolean, nullable=False),
    Column("motivo", Text),
    schema="controle",
)

execucoes = _table(
    "execucoes",
    Column("execucao", Key, primary_key=True),
    Column("comando", Text, nullable=False),
    Column("versao", Text, nullable=False),
    Column("iniciada_em", Moment, nullable=False),
    Column("terminada_em", Moment, nullable=False),
    Column("codigo_saida", Integer, nullable=False),
    Column("datas_pedidas", Integer, nullable=False),
    Column("datas_completas", Integer, nullable=False),
    Column("documentos", BigInteger, nullable=False),
    Column("segundos_por_etapa", JSONB, nullable=False),
    Column("segundos_cpu", Numeric(12, 3), nullable=False),
    Column("memoria_bytes", BigInteger, nullable=False),
    schema="controle",
)

planos = _table(
    "planos",
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("origem", Text, nullable=False),
    Column("fuso", Text, nullable=False),
    Column("desde", Date),
    Column("ate", Date, nullable=False),
    Column("feitas", ARRAY(Date), nullable=False),
    Column("documentos", BigInteger, nullable=False),
    Column("fatias", Integer, nullable=False),
    Column("criado_em", Moment, nullable=False, server_default=func.now()),
    schema="controle",
)

fatias = _table(
    "fatias",
    Column("plano", BigInteger, ForeignKey(planos.c.id), primary_key=True),
    Column("numero", Integer, primary_key=True),
    Column("documentos", BigInteger, nullable=False),
    Column("trecho", JSONB, nullable=False),
    schema="controle",
)

esquecimentos = _table(
    "esquecimentos",
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("esquecido_em", Moment, nullable=False, server_default=func.now()),
    Column("por", Text, nullable=False, server_default=text("SESSION_USER")),
    Column("chave", Text, nullable=False),
    Column("documentos", ARRAY(Text), nullable=False),
    Column("verificador", Text, nullable=False),
    Column("contagens", JSONB, nullable=False),
    schema="controle",
)

codigos = _table(
    "codigos",
    Column("codigo", Text, primary_key=True),
    Column("tipo", Text, nullable=False),
    Column("significado", Text, nullable=False),
    Column("providencia", Text, nullable=False),
    schema="controle",
)

textos = _table(
    "textos",
    Column("nome", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    schema="controle",
)

# What the load adds by itself or takes from staging.contratos, so that it isn't staged with the row.
_NOT_STAGED = frozenset({"client_id", "ccb_code", "mongo_id", "atualizado_em", "excluido_em", "carregado_em"})


def _staging(name: str, *columns: Column[Any], comment: str | None = None) -> Table:
    """With ``lote``, the batch that was extracted together, and ``doc``, the document's number in it."""
    batch = [
        Column(own, Integer, nullable=False, comment=meaning)
        for own, (meaning, _) in dictionary.BATCH.items()
    ]
    table = Table(name, metadata, *batch, *columns, schema="staging", comment=comment)
    return table if comment else _described(table)


staged_contratos = _staging(
    "contratos",
    Column("mongo_id", Key, nullable=False),
    Column("ccb_code", Key, nullable=False),
    Column("client_id", Key, nullable=False),
    Column("atualizado_em", Moment, nullable=False),
    Column("particao", Date, nullable=False),
    Column("valor_bruto", Money, nullable=False),
    Column("soma_prestacoes", Numeric(20, 2), nullable=False),
    Column("situacao", Text),
    Column("impressao", Text),
)

staged_qualidade = _staging(
    "qualidade",
    Column("codigo", Text, nullable=False),
    Column("campo", Text, nullable=False),
)


def _staged_like(table: Table) -> Table:
    copies = [
        Column(c.name, c.type, nullable=c.nullable, comment=c.comment)
        for c in table.columns
        if c.name not in _NOT_STAGED
    ]
    waiting = f"Linhas para {table.name} dos documentos de um lote, à espera da carga"
    return _staging(table.name, *copies, comment=waiting)


STAGED = {table.name: _staged_like(table) for table in LOADED}
"""Per loaded table, the staging table of the rows that the documents of a batch have for it."""

STAGING = (staged_contratos, *STAGED.values(), staged_qualidade)
"""All staging tables, in the order in which they are filled."""


def indexes() -> list[tuple[Table, Index]]:
    """All indexes but those of keys, each with its table."""
    return [(table, index) for table in metadata.sorted_tables for index in table.indexes]
