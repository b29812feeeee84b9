"""The codes of the quarantine and of the findings: each is one row here, told once in both languages.

To add a finding: its row in ``FINDINGS``, its rule in ``documents/findings.py``, a document that has it in
``demo/spoiled.py``, its cause in ``tests/unit/test_findings.py``, and ``make docs``. To add a rejection: its
row in ``REJECTIONS``, the rule that raises it, a document that has it, and ``make docs``. No migration:
``ccb-luigi db upgrade`` fills ``controle.codigos``, which ``vw_codigos`` shows, from these rows.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """Sentences about one code: meanings without a final stop, what to do with one."""

    meaning: str
    significado: str
    providencia: str
    action: str

    def said(self, language: str) -> str:
        """Meaning and what to do, as two sentences."""
        if language == "pt":
            return f"{self.significado}. {self.providencia}"
        meaning = self.meaning
        if meaning.partition(" ")[0].islower():  # a field's name is written as it is
            meaning = f"{meaning[0].upper()}{meaning[1:]}"
        return f"{meaning}. {self.action}"


# What to do about many of them, in Portuguese and English.
_MEND = (
    "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.",
    "Correct the field at the source: the corrected version is loaded with the date of its new updatedAt.",
)
_SCHEDULE = (
    "Conferir o cronograma com quem o calculou; o contrato está carregado como veio.",
    "Check the schedule with whoever computed it; the contract is loaded as it came.",
)
_TOTAL = (
    "Conferir o total informado na origem; as parcelas estão carregadas como vieram.",
    "Check the stated total at the source; the rows are loaded as they came.",
)
_AMOUNTS = (
    "Conferir os valores do contrato na origem.",
    "Check the contract's amounts at the source.",
)
_DAYS = (
    "Conferir as datas com as do contrato assinado.",
    "Check the dates against the signed contract.",
)
_RATE = (
    "Conferir a taxa informada com a do contrato assinado.",
    "Check the stated rate against the signed contract.",
)
_REGISTER = (
    "Conferir o cadastro do cliente na origem.",
    "Check the client's registration at the source.",
)

REJECTIONS: dict[str, Code] = {
    "bson_invalido": Code(
        "the document can't be decoded",
        "O documento não pode ser decodificado",
        "Regravar o documento na origem; de um dump, fazer outro.",
        "Write the document anew at the source; of a dump, make another one.",
    ),
    "aninhamento": Code(
        "documents are nested in documents too deeply",
        "Há documentos aninhados fundo demais dentro do documento",
        *_MEND,
    ),
    "chave_repetida": Code(
        "a key occurs twice in one document: which value counts depends on the reader",
        "Uma chave aparece duas vezes num documento: o valor que conta depende de quem lê",
        "Regravar o documento na origem com a chave uma vez só.",
        "Write the document anew at the source, with the key once.",
    ),
    "id_invalido": Code(
        "_id is neither a string nor an ObjectId",
        "O _id não é nem texto nem ObjectId",
        "Regravar o documento sob um _id de um desses tipos.",
        "Write the document under an _id of one of these types.",
    ),
    "id_repetido": Code(
        "an ObjectId and the text of its digits are one name, and another document has it",
        "Um ObjectId e o texto dos seus dígitos são um nome só, e outro documento o tem",
        "Apagar um dos dois na origem, ou regravá-lo sob outro _id.",
        "Delete one of the two at the source, or write it under another _id.",
    ),
    "ausente": Code(
        "a required field is missing or null",
        "Um campo obrigatório falta ou é nulo",
        *_MEND,
    ),
    "tipo_invalido": Code(
        "the value has a type that this field can't have",
        "O valor é de um tipo que este campo não pode ter",
        *_MEND,
    ),
    "numero_invalido": Code(
        "the value can't be read as a number",
        "O valor não pode ser lido como número",
        *_MEND,
    ),
    "nao_finito": Code(
        "the value is NaN or infinite",
        "O valor é NaN ou infinito",
        *_MEND,
    ),
    "fracao_de_centavo": Code(
        "the amount has a non-zero digit past the cents",
        "O valor tem um dígito diferente de zero depois dos centavos",
        *_MEND,
    ),
    "valor_ambiguo": Code(
        'the amount may mean thousands or decimals (like "1.234")',
        'O valor pode ser milhares ou decimais (como "1.234")',
        "Escrever o valor na origem com duas casas decimais (1234.00 ou 1.23).",
        "Write the amount with two decimals at the source (1234.00 or 1.23).",
    ),
    "valor_excede": Code(
        "the number is larger than its column",
        "O número é maior do que a coluna comporta",
        *_MEND,
    ),
    "data_invalida": Code(
        "the value can't be read as a date",
        "O valor não pode ser lido como data",
        *_MEND,
    ),
    "data_ambigua": Code(
        "the number may be seconds, milliseconds or a written date (like 20211207)",
        "O número pode ser segundos, milissegundos ou uma data escrita (como 20211207)",
        'Gravar na origem uma data BSON ou um texto ISO ("2021-12-07"); um número, só em milissegundos desde'
        " 1970, e de 100000000000 em diante.",
        'Write a BSON date or ISO text ("2021-12-07") at the source; a number only in milliseconds since'
        " 1970, from 100000000000 on.",
    ),
    "booleano_invalido": Code(
        "the value can't be read as true or false",
        "O valor não pode ser lido como verdadeiro ou falso",
        *_MEND,
    ),
    "texto_longo": Code(
        "the text is longer than its column can hold",
        "O texto é mais longo do que a coluna comporta",
        *_MEND,
    ),
    "nul": Code(
        "the text holds a NUL character",
        "O texto contém um caractere NUL",
        *_MEND,
    ),
    "tipo_pessoa_invalido": Code(
        "type is neither PF nor PJ",
        "type não é nem PF nem PJ",
        *_MEND,
    ),
    "cpf_cnpj_invalido": Code(
        "taxId has neither the shape of a CPF nor that of a CNPJ",
        "taxId não tem a forma nem de um CPF nem de um CNPJ",
        *_MEND,
    ),
    "parcela_negativa": Code(
        "NumeroDaParcela is negative",
        "NumeroDaParcela é negativo",
        *_MEND,
    ),
    "parcela_repetida": Code(
        "NumeroDaParcela occurs twice",
        "NumeroDaParcela ocorre duas vezes",
        *_MEND,
    ),
    "ccb_duplicado": Code(
        "a newer document has the same ccbCode",
        "Um documento mais novo tem o mesmo ccbCode",
        "Decidir na origem qual documento vale, e dar outro ccbCode ao outro ou removê-lo.",
        "Decide at the source which document holds; give the other another ccbCode, or remove it.",
    ),
}
"""The document is not loaded; it waits in the quarantine."""

FINDINGS: dict[str, Code] = {
    "sem_data": Code(
        "nothing in the document tells its date: it counts as 1970-01-01",
        "Nada no documento diz a sua data: conta como 1970-01-01",
        "Preencher updatedAt na origem.",
        "Fill in updatedAt at the source.",
    ),
    "arredondado": Code(
        "a double next to whole cents was rounded to them",
        "Um double vizinho de centavos inteiros foi arredondado para eles",
        "Nada de imediato; a origem deveria gravar valores como texto ou Decimal128.",
        "Nothing at once; the source should write amounts as text or Decimal128.",
    ),
    "conta_incompleta": Code(
        "a bank account without bank, branch or number was left out",
        "Uma conta bancária sem banco, agência ou número ficou de fora",
        "Completar a conta na origem; o que veio está em operacoes.extras.",
        "Complete the account at the source; what came is in operacoes.extras.",
    ),
    "cep_invalido": Code(
        "zipCode has not eight digits and was left out",
        "O CEP não tem oito dígitos e ficou de fora",
        "Corrigir o CEP na origem; o que veio está em operacoes.extras.",
        "Correct the CEP at the source; what came is in operacoes.extras.",
    ),
    "cpf_digito": Code(
        "the check digits of the CPF are wrong",
        "Os dígitos verificadores do CPF estão errados",
        *_REGISTER,
    ),
    "cnpj_digito": Code(
        "the check digits of the CNPJ are wrong",
        "Os dígitos verificadores do CNPJ estão errados",
        *_REGISTER,
    ),
    "tipo_documento": Code(
        "type (PF, PJ) does not go with the length of taxId",
        "O tipo (PF, PJ) não combina com o comprimento de taxId",
        *_REGISTER,
    ),
    "uf_desconhecida": Code(
        "not one of the 27 federation units",
        "Não é uma das 27 unidades da federação",
        *_REGISTER,
    ),
    "saldo_da_linha": Code(
        "saldo atual is not saldo anterior + juros + encargos - prestacao",
        "Saldo atual não é saldo anterior + juros + encargos - prestação",
        *_SCHEDULE,
    ),
    "saldo_encadeado": Code(
        "saldo anterior is not the balance before it",
        "Saldo anterior não é o saldo que o precede",
        *_SCHEDULE,
    ),
    "prestacao": Code(
        "prestacao is not amortizacao + juros + encargos",
        "A prestação não é amortização + juros + encargos",
        *_SCHEDULE,
    ),
    "saldo_final": Code(
        "the last balance is not zero",
        "O último saldo não é zero",
        *_SCHEDULE,
    ),
    "total_amortizacao": Code(
        "TotalDeAmortizacao is not the sum of its column",
        "TotalDeAmortizacao não é a soma da sua coluna",
        *_TOTAL,
    ),
    "total_juros": Code(
        "TotalDeJuros is not the sum of its column",
        "TotalDeJuros não é a soma da sua coluna",
        *_TOTAL,
    ),
    "total_parcelas": Code(
        "TotalDoValorDasParcelas is not the sum of its column",
        "TotalDoValorDasParcelas não é a soma da sua coluna",
        *_TOTAL,
    ),
    "valor_bruto": Code(
        "ValorBruto is not liquido + IOF + seguro + CAD",
        "ValorBruto não é líquido + IOF + seguro + CAD",
        *_AMOUNTS,
    ),
    "numero_parcelas": Code(
        "NumeroDeParcelas is not the count of rows from 1 on",
        "NumeroDeParcelas não é a contagem das linhas de 1 em diante",
        *_TOTAL,
    ),
    "primeiro_vencimento": Code(
        "DataDeVencimentoInicial is not the due date of the first row",
        "DataDeVencimentoInicial não é o vencimento da primeira linha",
        *_SCHEDULE,
    ),
    "ultimo_vencimento": Code(
        "DataDeVencimentoFinal is not the due date of the last row",
        "DataDeVencimentoFinal não é o vencimento da última linha",
        *_SCHEDULE,
    ),
    "taxa_anual": Code(
        "TaxaDeJurosAnual is not the monthly rate compounded",
        "TaxaDeJurosAnual não é a taxa mensal composta",
        *_RATE,
    ),
    "cet_anual": Code(
        "CET_ANUAL is not the monthly CET compounded",
        "CET_ANUAL não é o CET mensal composto",
        *_RATE,
    ),
    "cet_soma": Code(
        "CET is not the sum of detalhamentoDaCET",
        "CET não é a soma de detalhamentoDaCET",
        *_RATE,
    ),
    "vencimentos_fora_de_ordem": Code(
        "the due date is not after that of the row before",
        "O vencimento não é posterior ao da linha anterior",
        *_SCHEDULE,
    ),
    "sem_cronograma": Code(
        "there are no rows, although totals, NumeroDeParcelas or DataDeVencimentoFinal speak of a schedule",
        "Não há parcelas, embora totais, NumeroDeParcelas ou DataDeVencimentoFinal falem de um cronograma",
        "Ver na origem sob que nome vem a lista; um campo desconhecido está em operacoes.extras.",
        "See at the source under which name the list comes; an unknown field is in operacoes.extras.",
    ),
    "valor_negativo": Code(
        "the amount is below zero",
        "O valor é menor que zero",
        *_AMOUNTS,
    ),
    "valor_zero": Code(
        "ValorBruto or ValorLiquido is not above zero",
        "ValorBruto ou ValorLiquido não é maior que zero",
        *_AMOUNTS,
    ),
    "liquido_maior_que_bruto": Code(
        "ValorLiquido is more than ValorBruto",
        "ValorLiquido é maior que ValorBruto",
        *_AMOUNTS,
    ),
    "liberacao_depois_do_vencimento": Code(
        "DataDeLiberacao is after the first due date",
        "DataDeLiberacao é posterior ao primeiro vencimento",
        *_DAYS,
    ),
    "emissao_depois_da_liberacao": Code(
        "the emission is more days after the release than CCB_EMISSION_DAYS allows",
        "A emissão é posterior à liberação em mais dias do que CCB_EMISSION_DAYS permite",
        *_DAYS,
    ),
    "cet_menor_que_juros": Code(
        "CET_ANUAL is less than TaxaDeJurosAnual, which is part of it",
        "CET_ANUAL é menor que TaxaDeJurosAnual, que faz parte dele",
        *_RATE,
    ),
    "cet_ausente": Code(
        "a natural person's contract tells no CET (Resolução CMN 4.881/2020)",
        "O contrato de pessoa natural não informa o CET (Resolução CMN 4.881/2020)",
        "Informar o CET na origem, como no contrato assinado.",
        "State the CET at the source, as in the signed contract.",
    ),
    "prestacao_price": Code(
        "equal instalments are not those of the Price table for balance, rate and count",
        "Prestações iguais não são as da tabela Price para saldo, taxa e número",
        *_SCHEDULE,
    ),
}
"""The contract is loaded as it came; ``CCB_REJECT_FINDINGS`` makes rejections of some."""


class Strictness(NamedTuple):
    """What the rules of findings take from the settings.

    ``promoted``: codes that count as rejections. ``emission_days``: so many days after the release a contract
    may be emitted.
    """

    promoted: frozenset[str] = frozenset()
    emission_days: int = 30


USUAL = Strictness()
"""What the settings say unless they say otherwise."""


def told(code: str) -> Code | None:
    """The row of ``code``; a promoted finding is explained as the finding that it was."""
    return REJECTIONS.get(code) or FINDINGS.get(code)


def message(code: str) -> str:
    """What the quarantine keeps of a reason: ``nul: the text holds a NUL character``."""
    found = told(code)
    return f"{code}: {found.meaning if found else 'unknown code'}"


def code_of(message: str) -> str:
    """The code of a ``message``, whatever the sentence was when it was kept."""
    return message.partition(":")[0]
