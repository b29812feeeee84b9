"""What the codes in the quarantine and in the findings mean, in one sentence each."""

from __future__ import annotations

REJECTIONS: dict[str, str] = {
    "bson_invalido": "the document can't be decoded",
    "aninhamento": "documents are nested in documents too deeply",
    "chave_repetida": "a key occurs twice in one document: which value counts depends on the reader",
    "id_invalido": "_id is neither a string nor an ObjectId",
    "ausente": "a required field is missing or null",
    "tipo_invalido": "the value has a type that this field can't have",
    "numero_invalido": "the value can't be read as a number",
    "nao_finito": "the value is NaN or infinite",
    "fracao_de_centavo": "the amount has a non-zero digit past the cents",
    "valor_ambiguo": 'the amount may mean thousands or decimals (like "1.234")',
    "valor_excede": "the number is larger than its column",
    "data_invalida": "the value can't be read as a date",
    "booleano_invalido": "the value can't be read as true or false",
    "texto_longo": "the text is longer than a key can be",
    "nul": "the text holds a NUL character",
    "tipo_pessoa_invalido": "type is neither PF nor PJ",
    "cpf_cnpj_invalido": "taxId has neither the shape of a CPF nor that of a CNPJ",
    "parcela_negativa": "NumeroDaParcela is negative",
    "parcela_repetida": "NumeroDaParcela occurs twice",
    "ccb_duplicado": "a newer document has the same ccbCode",
}

FINDINGS: dict[str, str] = {
    "sem_data": "nothing in the document tells its date: it counts as 1970-01-01",
    "arredondado": "a double next to whole cents was rounded to them",
    "conta_incompleta": "a bank account without bank, branch or number was left out",
    "cep_invalido": "zipCode has not eight digits and was left out",
    "cpf_digito": "the check digits of the CPF are wrong",
    "cnpj_digito": "the check digits of the CNPJ are wrong",
    "tipo_documento": "type (PF, PJ) does not go with the length of taxId",
    "uf_desconhecida": "not one of the 27 federation units",
    "saldo_da_linha": "saldo atual is not saldo anterior + juros + encargos - prestacao",
    "saldo_encadeado": "saldo anterior is not the balance before it",
    "prestacao": "prestacao is not amortizacao + juros + encargos",
    "saldo_final": "the last balance is not zero",
    "total_amortizacao": "TotalDeAmortizacao is not the sum of its column",
    "total_juros": "TotalDeJuros is not the sum of its column",
    "total_parcelas": "TotalDoValorDasParcelas is not the sum of its column",
    "valor_bruto": "ValorBruto is not liquido + IOF + seguro + CAD",
    "numero_parcelas": "NumeroDeParcelas is not the count of rows from 1 on",
    "primeiro_vencimento": "DataDeVencimentoInicial is not the due date of the first row",
    "ultimo_vencimento": "DataDeVencimentoFinal is not the due date of the last row",
    "taxa_anual": "TaxaDeJurosAnual is not the monthly rate compounded",
    "cet_anual": "CET_ANUAL is not the monthly CET compounded",
    "cet_soma": "CET is not the sum of detalhamentoDaCET",
}


def meaning(code: str) -> str:
    """The sentence for ``code``; a promoted finding is explained as the finding that it was."""
    return REJECTIONS.get(code) or FINDINGS.get(code) or "unknown code"
