"""What each code means in Portuguese, and what to do about it in both languages.

``codes`` says what codes there are, and their meanings in English. The migrations write the Portuguese
texts into ``vw_codigos``; a test holds the three together.
"""

from __future__ import annotations

from typing import NamedTuple


class Advice(NamedTuple):
    """Sentences about one code: Portuguese without a final stop, as in ``codes``; actions with one."""

    significado: str
    providencia: str
    action: str


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
_RATE = (
    "Conferir a taxa informada com a do contrato assinado.",
    "Check the stated rate against the signed contract.",
)
_REGISTER = (
    "Conferir o cadastro do cliente na origem.",
    "Check the client's registration at the source.",
)

ADVICE: dict[str, Advice] = {
    # rejections
    "bson_invalido": Advice(
        "O documento não pode ser decodificado",
        "Regravar o documento na origem; de um dump, fazer outro.",
        "Write the document anew at the source; of a dump, make another one.",
    ),
    "aninhamento": Advice("Há documentos aninhados fundo demais dentro do documento", *_MEND),
    "chave_repetida": Advice(
        "Uma chave aparece duas vezes num documento: o valor que conta depende de quem lê",
        "Regravar o documento na origem com a chave uma vez só.",
        "Write the document anew at the source, with the key once.",
    ),
    "id_invalido": Advice(
        "O _id não é nem texto nem ObjectId",
        "Regravar o documento sob um _id de um desses tipos.",
        "Write the document under an _id of one of these types.",
    ),
    "ausente": Advice("Um campo obrigatório falta ou é nulo", *_MEND),
    "tipo_invalido": Advice("O valor é de um tipo que este campo não pode ter", *_MEND),
    "numero_invalido": Advice("O valor não pode ser lido como número", *_MEND),
    "nao_finito": Advice("O valor é NaN ou infinito", *_MEND),
    "fracao_de_centavo": Advice("O valor tem um dígito diferente de zero depois dos centavos", *_MEND),
    "valor_ambiguo": Advice(
        'O valor pode ser milhares ou decimais (como "1.234")',
        "Escrever o valor na origem com duas casas decimais (1234.00 ou 1.23).",
        "Write the amount with two decimals at the source (1234.00 or 1.23).",
    ),
    "valor_excede": Advice("O número é maior do que a coluna comporta", *_MEND),
    "data_invalida": Advice("O valor não pode ser lido como data", *_MEND),
    "booleano_invalido": Advice("O valor não pode ser lido como verdadeiro ou falso", *_MEND),
    "texto_longo": Advice("O texto é mais longo do que uma chave pode ser", *_MEND),
    "nul": Advice("O texto contém um caractere NUL", *_MEND),
    "tipo_pessoa_invalido": Advice("type não é nem PF nem PJ", *_MEND),
    "cpf_cnpj_invalido": Advice("taxId não tem a forma nem de um CPF nem de um CNPJ", *_MEND),
    "parcela_negativa": Advice("NumeroDaParcela é negativo", *_MEND),
    "parcela_repetida": Advice("NumeroDaParcela ocorre duas vezes", *_MEND),
    "ccb_duplicado": Advice(
        "Um documento mais novo tem o mesmo ccbCode",
        "Decidir na origem qual documento vale, e dar outro ccbCode ao outro ou removê-lo.",
        "Decide at the source which document holds; give the other another ccbCode, or remove it.",
    ),
    # findings
    "sem_data": Advice(
        "Nada no documento diz a sua data: conta como 1970-01-01",
        "Preencher updatedAt na origem.",
        "Fill in updatedAt at the source.",
    ),
    "arredondado": Advice(
        "Um double vizinho de centavos inteiros foi arredondado para eles",
        "Nada de imediato; a origem deveria gravar valores como texto ou Decimal128.",
        "Nothing at once; the source should write amounts as text or Decimal128.",
    ),
    "conta_incompleta": Advice(
        "Uma conta bancária sem banco, agência ou número ficou de fora",
        "Completar a conta na origem; o que veio está em operacoes.extras.",
        "Complete the account at the source; what came is in operacoes.extras.",
    ),
    "cep_invalido": Advice(
        "O CEP não tem oito dígitos e ficou de fora",
        "Corrigir o CEP na origem; o que veio está em operacoes.extras.",
        "Correct the CEP at the source; what came is in operacoes.extras.",
    ),
    "cpf_digito": Advice("Os dígitos verificadores do CPF estão errados", *_REGISTER),
    "cnpj_digito": Advice("Os dígitos verificadores do CNPJ estão errados", *_REGISTER),
    "tipo_documento": Advice("O tipo (PF, PJ) não combina com o comprimento de taxId", *_REGISTER),
    "uf_desconhecida": Advice("Não é uma das 27 unidades da federação", *_REGISTER),
    "saldo_da_linha": Advice("Saldo atual não é saldo anterior + juros + encargos - prestação", *_SCHEDULE),
    "saldo_encadeado": Advice("Saldo anterior não é o saldo que o precede", *_SCHEDULE),
    "prestacao": Advice("A prestação não é amortização + juros + encargos", *_SCHEDULE),
    "saldo_final": Advice("O último saldo não é zero", *_SCHEDULE),
    "total_amortizacao": Advice("TotalDeAmortizacao não é a soma da sua coluna", *_TOTAL),
    "total_juros": Advice("TotalDeJuros não é a soma da sua coluna", *_TOTAL),
    "total_parcelas": Advice("TotalDoValorDasParcelas não é a soma da sua coluna", *_TOTAL),
    "valor_bruto": Advice(
        "ValorBruto não é líquido + IOF + seguro + CAD",
        "Conferir os valores do contrato na origem.",
        "Check the contract's amounts at the source.",
    ),
    "numero_parcelas": Advice("NumeroDeParcelas não é a contagem das linhas de 1 em diante", *_TOTAL),
    "primeiro_vencimento": Advice("DataDeVencimentoInicial não é o vencimento da primeira linha", *_SCHEDULE),
    "ultimo_vencimento": Advice("DataDeVencimentoFinal não é o vencimento da última linha", *_SCHEDULE),
    "taxa_anual": Advice("TaxaDeJurosAnual não é a taxa mensal composta", *_RATE),
    "cet_anual": Advice("CET_ANUAL não é o CET mensal composto", *_RATE),
    "cet_soma": Advice("CET não é a soma de detalhamentoDaCET", *_RATE),
}
