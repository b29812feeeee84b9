"""Views for those who use the data, and a comment in Portuguese on everything.

The texts stand here as they were then; today's are in ``dictionary`` and ``advice``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

AGENDA = """
CREATE VIEW public.vw_agenda_vencimentos AS
SELECT p.ccb_code,
       p.numero_parcela,
       o.numero_parcelas,
       o.client_id,
       c.estrutura,
       c.uf,
       o.status,
       p.data_vencimento,
       p.data_vencimento - CAST(now() AT TIME ZONE 'America/Sao_Paulo' AS date) AS dias_ate_vencimento,
       p.valor_prestacao,
       p.valor_amortizacao,
       p.valor_juros,
       p.valor_correcao,
       p.valor_seguro,
       p.valor_taxa_bancaria,
       p.valor_saldo_atual AS saldo_contratual
FROM public.parcelas p
JOIN public.operacoes o ON o.ccb_code = p.ccb_code
JOIN public.clientes c ON c.client_id = o.client_id
WHERE p.numero_parcela >= 1 AND o.excluido_em IS NULL
"""

# Grace interest is capitalised into the principal: row 0 pays nothing, and counting it would count twice.
FLUXO = """
CREATE VIEW public.vw_fluxo_mensal AS
SELECT CAST(date_trunc('month', CAST(p.data_vencimento AS timestamp)) AS date) AS mes,
       c.estrutura,
       c.uf,
       count(*) AS parcelas,
       coalesce(sum(p.valor_amortizacao), 0.00) AS principal,
       coalesce(sum(p.valor_juros), 0.00) AS juros,
       coalesce(sum(p.valor_correcao), 0.00) + coalesce(sum(p.valor_seguro), 0.00)
           + coalesce(sum(p.valor_taxa_bancaria), 0.00) AS encargos,
       coalesce(sum(p.valor_prestacao), 0.00) AS total,
       count(*) FILTER (WHERE p.valor_prestacao IS NULL) AS sem_valor
FROM public.parcelas p
JOIN public.operacoes o ON o.ccb_code = p.ccb_code
JOIN public.clientes c ON c.client_id = o.client_id
WHERE p.numero_parcela >= 1 AND o.excluido_em IS NULL
GROUP BY 1, 2, 3
"""

# With the rights of whoever calls it, so that PostgreSQL can plan it as a part of the query around it.
SALDO = """
CREATE FUNCTION public.saldo_contratual(data date)
RETURNS TABLE (ccb_code text, client_id text, data_vencimento date, saldo numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT o.ccb_code,
           o.client_id,
           u.data_vencimento,
           CASE WHEN u.data_vencimento IS NULL THEN o.valor_bruto ELSE u.valor_saldo_atual END
    FROM public.operacoes o
    LEFT JOIN LATERAL (
        SELECT p.data_vencimento, p.valor_saldo_atual
        FROM public.parcelas p
        WHERE p.ccb_code = o.ccb_code AND p.data_vencimento <= saldo_contratual.data
        ORDER BY p.data_vencimento DESC, p.numero_parcela DESC
        LIMIT 1
    ) u ON true
    WHERE o.excluido_em IS NULL;
END
"""

# The balance as in saldo_contratual, but with the view owner's rights: who may read the view needs none
# on the tables. A sum that lacks a contract's balance would be too small: null tells it. Materialized, today
# is worked out once and not three times per row.
POSICAO = """
CREATE VIEW public.vw_posicao_cliente AS
WITH h AS MATERIALIZED (SELECT CAST(now() AT TIME ZONE 'America/Sao_Paulo' AS date) AS hoje)
SELECT c.client_id,
       c.tipo_pessoa,
       CASE length(c.cpf_cnpj)
           WHEN 11 THEN '***.' || substr(c.cpf_cnpj, 4, 3) || '.' || substr(c.cpf_cnpj, 7, 3) || '-**'
           WHEN 14 THEN '**.' || substr(c.cpf_cnpj, 3, 3) || '.' || substr(c.cpf_cnpj, 6, 3) || '/****-**'
           ELSE '***'
       END AS documento_mascarado,
       c.estrutura,
       c.uf,
       count(o.ccb_code) AS contratos,
       coalesce(sum(o.valor_bruto), 0.00) AS valor_bruto,
       CASE
           WHEN count(o.ccb_code) = 0 THEN 0.00
           WHEN bool_and(p.ultimo IS NULL OR p.saldo IS NOT NULL)
           THEN sum(CASE WHEN p.ultimo IS NULL THEN o.valor_bruto ELSE p.saldo END)
       END AS saldo_contratual,
       min(p.proximo) AS proximo_vencimento
FROM public.clientes c
CROSS JOIN h
LEFT JOIN public.operacoes o ON o.client_id = c.client_id AND o.excluido_em IS NULL
LEFT JOIN LATERAL (
    SELECT max(data_vencimento) FILTER (WHERE data_vencimento <= h.hoje) AS ultimo,
           (array_agg(valor_saldo_atual ORDER BY data_vencimento DESC, numero_parcela DESC)
               FILTER (WHERE data_vencimento <= h.hoje))[1] AS saldo,
           min(data_vencimento) FILTER (WHERE data_vencimento >= h.hoje AND numero_parcela >= 1) AS proximo
    FROM public.parcelas
    WHERE ccb_code = o.ccb_code
) p ON true
GROUP BY c.client_id
"""

QUALIDADE = """
CREATE VIEW public.vw_qualidade AS
SELECT q.ccb_code,
       o.client_id,
       c.estrutura,
       q.mongo_id,
       q.codigo,
       k.significado,
       k.providencia,
       q.campo,
       q.particao,
       q.observado_em
FROM controle.qualidade q
JOIN public.operacoes o ON o.ccb_code = q.ccb_code
JOIN public.clientes c ON c.client_id = o.client_id
LEFT JOIN public.vw_codigos k ON k.codigo = q.codigo
WHERE o.excluido_em IS NULL
"""

# fmt: off
CODES = [
    ("bson_invalido", "rejeicao", "O documento não pode ser decodificado", "Regravar o documento na origem; de um dump, fazer outro."),
    ("aninhamento", "rejeicao", "Há documentos aninhados fundo demais dentro do documento", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("chave_repetida", "rejeicao", "Uma chave aparece duas vezes num documento: o valor que conta depende de quem lê", "Regravar o documento na origem com a chave uma vez só."),
    ("id_invalido", "rejeicao", "O _id não é nem texto nem ObjectId", "Regravar o documento sob um _id de um desses tipos."),
    ("ausente", "rejeicao", "Um campo obrigatório falta ou é nulo", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("tipo_invalido", "rejeicao", "O valor é de um tipo que este campo não pode ter", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("numero_invalido", "rejeicao", "O valor não pode ser lido como número", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("nao_finito", "rejeicao", "O valor é NaN ou infinito", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("fracao_de_centavo", "rejeicao", "O valor tem um dígito diferente de zero depois dos centavos", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("valor_ambiguo", "rejeicao", "O valor pode ser milhares ou decimais (como \"1.234\")", "Escrever o valor na origem com duas casas decimais (1234.00 ou 1.23)."),
    ("valor_excede", "rejeicao", "O número é maior do que a coluna comporta", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("data_invalida", "rejeicao", "O valor não pode ser lido como data", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("booleano_invalido", "rejeicao", "O valor não pode ser lido como verdadeiro ou falso", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("texto_longo", "rejeicao", "O texto é mais longo do que uma chave pode ser", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("nul", "rejeicao", "O texto contém um caractere NUL", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("tipo_pessoa_invalido", "rejeicao", "type não é nem PF nem PJ", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("cpf_cnpj_invalido", "rejeicao", "taxId não tem a forma nem de um CPF nem de um CNPJ", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("parcela_negativa", "rejeicao", "NumeroDaParcela é negativo", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("parcela_repetida", "rejeicao", "NumeroDaParcela ocorre duas vezes", "Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt."),
    ("ccb_duplicado", "rejeicao", "Um documento mais novo tem o mesmo ccbCode", "Decidir na origem qual documento vale, e dar outro ccbCode ao outro ou removê-lo."),
    ("sem_data", "alerta", "Nada no documento diz a sua data: conta como 1970-01-01", "Preencher updatedAt na origem."),
    ("arredondado", "alerta", "Um double vizinho de centavos inteiros foi arredondado para eles", "Nada de imediato; a origem deveria gravar valores como texto ou Decimal128."),
    ("conta_incompleta", "alerta", "Uma conta bancária sem banco, agência ou número ficou de fora", "Completar a conta na origem; o que veio está em operacoes.extras."),
    ("cep_invalido", "alerta", "O CEP não tem oito dígitos e ficou de fora", "Corrigir o CEP na origem; o que veio está em operacoes.extras."),
    ("cpf_digito", "alerta", "Os dígitos verificadores do CPF estão errados", "Conferir o cadastro do cliente na origem."),
    ("cnpj_digito", "alerta", "Os dígitos verificadores do CNPJ estão errados", "Conferir o cadastro do cliente na origem."),
    ("tipo_documento", "alerta", "O tipo (PF, PJ) não combina com o comprimento de taxId", "Conferir o cadastro do cliente na origem."),
    ("uf_desconhecida", "alerta", "Não é uma das 27 unidades da federação", "Conferir o cadastro do cliente na origem."),
    ("saldo_da_linha", "alerta", "Saldo atual não é saldo anterior + juros + encargos - prestação", "Conferir o cronograma com quem o calculou; o contrato está carregado como veio."),
    ("saldo_encadeado", "alerta", "Saldo anterior não é o saldo que o precede", "Conferir o cronograma com quem o calculou; o contrato está carregado como veio."),
    ("prestacao", "alerta", "A prestação não é amortização + juros + encargos", "Conferir o cronograma com quem o calculou; o contrato está carregado como veio."),
    ("saldo_final", "alerta", "O último saldo não é zero", "Conferir o cronograma com quem o calculou; o contrato está carregado como veio."),
    ("total_amortizacao", "alerta", "TotalDeAmortizacao não é a soma da sua coluna", "Conferir o total informado na origem; as parcelas estão carregadas como vieram."),
    ("total_juros", "alerta", "TotalDeJuros não é a soma da sua coluna", "Conferir o total informado na origem; as parcelas estão carregadas como vieram."),
    ("total_parcelas", "alerta", "TotalDoValorDasParcelas não é a soma da sua coluna", "Conferir o total informado na origem; as parcelas estão carregadas como vieram."),
    ("valor_bruto", "alerta", "ValorBruto não é líquido + IOF + seguro + CAD", "Conferir os valores do contrato na origem."),
    ("numero_parcelas", "alerta", "NumeroDeParcelas não é a contagem das linhas de 1 em diante", "Conferir o total informado na origem; as parcelas estão carregadas como vieram."),
    ("primeiro_vencimento", "alerta", "DataDeVencimentoInicial não é o vencimento da primeira linha", "Conferir o cronograma com quem o calculou; o contrato está carregado como veio."),
    ("ultimo_vencimento", "alerta", "DataDeVencimentoFinal não é o vencimento da última linha", "Conferir o cronograma com quem o calculou; o contrato está carregado como veio."),
    ("taxa_anual", "alerta", "TaxaDeJurosAnual não é a taxa mensal composta", "Conferir a taxa informada com a do contrato assinado."),
    ("cet_anual", "alerta", "CET_ANUAL não é o CET mensal composto", "Conferir a taxa informada com a do contrato assinado."),
    ("cet_soma", "alerta", "CET não é a soma de detalhamentoDaCET", "Conferir a taxa informada com a do contrato assinado."),
]

TABLES = {
    "clientes": (
        "Tomadores; cada um como o documento mais novo que o nomeia o descreve",
        {
            "client_id": "Código do cliente no sistema de originação",
            "nome": "Nome ou razão social",
            "tipo_pessoa": "PF (pessoa física) ou PJ (pessoa jurídica)",
            "cpf_cnpj": "CPF (11 dígitos) ou CNPJ (14 caracteres) sem pontuação; não é único",
            "data_nascimento": "Data de nascimento, ou de fundação",
            "estado_civil": "Estado civil, como a origem o escreve",
            "naturalidade": "Município de nascimento",
            "genero": "Gênero, como a origem o escreve",
            "nome_mae": "Nome da mãe",
            "pep": "Pessoa exposta politicamente; nulo: a origem não diz",
            "uf": "Unidade da federação do cliente",
            "estrutura": "Estrutura (fundo, veículo) a que o cliente pertence na origem",
            "renda_media_mensal": "Renda média mensal declarada, em reais",
            "mongo_id": "_id do documento no MongoDB de que veio esta versão do cliente",
            "atualizado_em": "Momento efetivo de atualização do documento: updatedAt, senão createdAt, emitedAt ou o do ObjectId",
            "carregado_em": "Momento em que esta versão da linha foi gravada",
        },
    ),
    "identidades": (
        "Documentos de identidade de um cliente",
        {
            "client_id": "Código do cliente no sistema de originação",
            "tipo": "CPF, CNPJ ou RG",
            "numero": "Número do documento; de CPF e CNPJ, o mesmo de clientes.cpf_cnpj",
            "orgao_emissor": "Órgão emissor (só RG)",
            "uf_emissor": "Unidade da federação do órgão emissor (só RG)",
        },
    ),
    "enderecos": (
        "Endereços de um cliente, no máximo um de cada tipo",
        {
            "client_id": "Código do cliente no sistema de originação",
            "tipo": "residencial ou comercial; sem indicação: residencial para PF, comercial para PJ",
            "cep": "CEP, oito dígitos",
            "uf": "Unidade da federação",
            "cidade": "Município",
            "logradouro": "Logradouro",
            "bairro": "Bairro",
            "numero": "Número no logradouro",
            "complemento": "Complemento",
        },
    ),
    "contatos": (
        "E-mails e telefones de um cliente",
        {
            "client_id": "Código do cliente no sistema de originação",
            "tipo": "email ou telefone",
            "valor": "O endereço ou o número, como a origem o escreve",
        },
    ),
    "dados_bancarios": (
        "Contas bancárias de um cliente",
        {
            "client_id": "Código do cliente no sistema de originação",
            "banco": "Código do banco",
            "agencia": "Agência; zeros à esquerda faltam onde a origem gravou um número",
            "conta": "Conta; zeros à esquerda faltam onde a origem gravou um número",
        },
    ),
    "operacoes": (
        "Contratos: uma linha por CCB",
        {
            "ccb_code": "Código da CCB (Cédula de Crédito Bancário)",
            "mongo_id": "_id do documento no MongoDB",
            "client_id": "Código do cliente no sistema de originação (o tomador)",
            "status": "Situação do contrato, como a origem a escreve",
            "vencimento_primeira_parcela": "Vencimento da primeira parcela contratada",
            "carencia": "Carência contratada, como a origem a informa",
            "finan_iof": "Se o IOF é financiado, isto é, faz parte do valor bruto",
            "conta": "Conta da operação na origem",
            "valor_bruto": "Valor financiado, em reais",
            "valor_seguro": "Seguro, em reais",
            "valor_cad": "Tarifa de cadastro (CAD), em reais",
            "valor_iof": "IOF, em reais",
            "valor_liquido": "Valor liberado ao cliente, em reais",
            "taxa_juros": "Taxa de juros ao mês, em por cento",
            "taxa_juros_anual": "Taxa de juros ao ano, em por cento",
            "cet": "Custo efetivo total ao mês, em por cento",
            "cet_anual": "Custo efetivo total ao ano, em por cento",
            "data_liberacao": "Data da liberação do dinheiro",
            "data_vencimento_inicial": "Primeiro vencimento, como a origem o informa",
            "data_vencimento_final": "Último vencimento, como a origem o informa",
            "numero_parcelas": "Número de parcelas; a carência (parcela 0) não conta",
            "total_amortizacao": "Soma contratual das amortizações, em reais",
            "total_taxa_servico": "Soma contratual da taxa de serviço, em reais",
            "total_seguro": "Soma contratual do seguro nas parcelas, em reais",
            "total_taxa_correcao": "Soma contratual da correção, em reais",
            "total_juros": "Soma contratual dos juros, com os da carência, em reais",
            "total_valor_parcelas": "Soma contratual das prestações, em reais",
            "criado_em": "Criação do documento na origem",
            "emitido_em": "Emissão da CCB",
            "atualizado_em": "Momento efetivo de atualização do documento: updatedAt, senão createdAt, emitedAt ou o do ObjectId",
            "excluido_em": "Desde quando o documento não está mais na origem; nulo: está",
            "extras": "Campos do documento sem coluna própria, sob o seu caminho: nada se perde",
            "carregado_em": "Momento em que esta versão da linha foi gravada",
        },
    ),
    "parcelas": (
        "Cronograma de um contrato (previsão contratual, não pagamento); o número 0 é a carência",
        {
            "ccb_code": "Código da CCB (Cédula de Crédito Bancário)",
            "numero_parcela": "Número da parcela; 0 é a carência",
            "data_vencimento": "Vencimento contratual",
            "valor_amortizacao": "Amortização contratual do principal, em reais",
            "valor_correcao": "Correção contratual, em reais",
            "valor_juros": "Juros contratuais do período, em reais",
            "valor_seguro": "Seguro contratual da parcela, em reais",
            "valor_taxa_bancaria": "Taxa bancária contratual da parcela, em reais",
            "valor_prestacao": "Prestação (previsão contratual, não pagamento), em reais",
            "valor_saldo_anterior": "Saldo contratual antes da parcela, em reais",
            "valor_juros_capitalizados": "Juros capitalizados no período, em reais",
            "valor_saldo_atual": "Saldo contratual depois da parcela, em reais",
        },
    ),
    "detalhamento_cet": (
        "De que é feito o CET (custo efetivo total) de um contrato, em por cento ao mês",
        {
            "ccb_code": "Código da CCB (Cédula de Crédito Bancário)",
            "porcentagem_juros": "Parte dos juros",
            "porcentagem_impostos": "Parte dos impostos",
            "porcentagem_tarifas": "Parte das tarifas",
            "porcentagem_servicos": "Parte dos serviços",
        },
    ),
    "table_updates": (
        "Marcadores do Luigi: que tabela já tem as linhas de que data, gravados na transação das linhas",
        {
            "update_id": "<tabela>:<data>; contratos é a extração, reconciliacoes a conferência",
            "target_table": "A tabela (ou etapa)",
            "inserted": "Momento da transação que a etapa e o marcador formam",
            "particao": "A data cujos documentos a etapa migrou",
            "linhas": "Linhas (ou documentos) que a data tem para a etapa",
            "contagens": "Contagens da etapa: inseridas, alteradas, removidas, rejeitadas",
            "segundos": "Duração da etapa, em segundos",
        },
    ),
    "controle.quarentena": (
        "Documentos rejeitados, com os motivos; a linha aberta de um documento fecha quando ele é carregado",
        {
            "id": "Número da rejeição",
            "mongo_id": "_id do documento no MongoDB",
            "particao": "Data (partição) do documento: o dia da atualização, no fuso de CCB_TIMEZONE",
            "codigos": "Códigos dos motivos; o significado está em vw_codigos",
            "erros": "Caminho do campo → mensagens; nunca um valor",
            "documento": "O documento como veio (BSON); contém dados pessoais",
            "sha256": "SHA-256 dos bytes do documento",
            "primeira_vez": "Primeira rejeição",
            "ultima_vez": "Última rejeição",
            "tentativas": "Quantas vezes o documento foi lido e rejeitado",
            "resolvido_em": "Quando a rejeição se resolveu; nulo: está aberta",
        },
    ),
    "controle.qualidade": (
        "Alertas: o que não fecha em contratos que foram carregados mesmo assim; nunca um valor",
        {
            "ccb_code": "Código da CCB (Cédula de Crédito Bancário)",
            "mongo_id": "_id do documento no MongoDB",
            "codigo": "Código do alerta; o significado está em vw_codigos",
            "campo": "Caminho do campo no documento",
            "particao": "Data (partição) do documento: o dia da atualização, no fuso de CCB_TIMEZONE",
            "observado_em": "Quando o alerta foi observado",
        },
    ),
    "controle.reconciliacoes": (
        "A prova de cada data: o que foi lido e o que foi feito disso, e as somas dos dois lados",
        {
            "particao": "A data conferida",
            "lidos": "Documentos lidos na origem",
            "carregados": "Documentos cujo contrato foi inserido ou alterado",
            "sem_mudanca": "Documentos cujo contrato já estava igual no destino",
            "obsoletos": "Documentos de que o destino já tinha uma versão mais nova",
            "quarentena": "Documentos rejeitados",
            "soma_valor_bruto_origem": "Soma de ValorBruto nos documentos, em reais",
            "soma_valor_bruto_destino": "Soma de operacoes.valor_bruto dos mesmos contratos, em reais",
            "soma_prestacoes_origem": "Soma de ValorDaPrestacao nos documentos, em reais",
            "soma_prestacoes_destino": "Soma de parcelas.valor_prestacao dos mesmos contratos, em reais",
            "ok": "Se tudo é igual dos dois lados",
            "conferido_em": "Quando foi conferido",
        },
    ),
    "staging.contratos": (
        "Uma linha por documento aceito de um lote; situacao é o que foi feito dele",
        {
            "lote": "O lote: documentos extraídos juntos",
            "doc": "Número do documento no lote",
            "mongo_id": "_id do documento no MongoDB",
            "ccb_code": "Código da CCB (Cédula de Crédito Bancário)",
            "client_id": "Código do cliente no sistema de originação",
            "atualizado_em": "Momento efetivo de atualização do documento: updatedAt, senão createdAt, emitedAt ou o do ObjectId",
            "particao": "Data (partição) do documento: o dia da atualização, no fuso de CCB_TIMEZONE",
            "valor_bruto": "ValorBruto do documento, em reais",
            "soma_prestacoes": "Soma de ValorDaPrestacao no documento, em reais",
            "situacao": "novo, alterado, igual, intacto, obsoleto ou duplicado; nulo: ainda não carregado",
            "impressao": "Impressão digital do documento (controle.versoes)",
        },
    ),
    "staging.qualidade": (
        "Alertas dos documentos de um lote, à espera da carga",
        {
            "lote": "O lote: documentos extraídos juntos",
            "doc": "Número do documento no lote",
            "codigo": "Código do alerta",
            "campo": "Caminho do campo no documento",
        },
    ),
    "staging.clientes": (
        "Linhas para clientes dos documentos de um lote, à espera da carga",
        {
            "lote": "O lote: documentos extraídos juntos",
            "doc": "Número do documento no lote",
            "nome": "Nome ou razão social",
            "tipo_pessoa": "PF (pessoa física) ou PJ (pessoa jurídica)",
            "cpf_cnpj": "CPF (11 dígitos) ou CNPJ (14 caracteres) sem pontuação; não é único",
            "data_nascimento": "Data de nascimento, ou de fundação",
            "estado_civil": "Estado civil, como a origem o escreve",
            "naturalidade": "Município de nascimento",
            "genero": "Gênero, como a origem o escreve",
            "nome_mae": "Nome da mãe",
            "pep": "Pessoa exposta politicamente; nulo: a origem não diz",
            "uf": "Unidade da federação do cliente",
            "estrutura": "Estrutura (fundo, veículo) a que o cliente pertence na origem",
            "renda_media_mensal": "Renda média mensal declarada, em reais",
        },
    ),
    "staging.identidades": (
        "Linhas para identidades dos documentos de um lote, à espera da carga",
        {
            "lote": "O lote: documentos extraídos juntos",
            "doc": "Número do documento no lote",
            "tipo": "CPF, CNPJ ou RG",
            "numero": "Número do documento; de CPF e CNPJ, o mesmo de clientes.cpf_cnpj",
            "orgao_emissor": "Órgão emissor (só RG)",
            "uf_emissor": "Unidade da federação do órgão emissor (só RG)",
        },
    ),
    "staging.enderecos": (
        "Linhas para enderecos dos documentos de um lote, à espera da carga",
        {
            "lote": "O lote: documentos extraídos juntos",
            "doc": "Número do documento no lote",
            "tipo": "residencial ou comercial; sem indicação: residencial para PF, comercial para PJ",
            "cep": "CEP, oito dígitos",
            "uf": "Unidade da federação",
            "cidade": "Município",
            "logradouro": "Logradouro",
            "bairro": "Bairro",
            "numero": "Número no logradouro",
            "complemento": "Complemento",
        },
    ),
    "staging.contatos": (
        "Linhas para contatos dos documentos de um lote, à espera da carga",
        {
            "lote": "O lote: documentos extraídos juntos",
            "doc": "Número do documento no lote",
            "tipo": "email ou telefone",
            "valor": "O endereço ou o número, como a origem o escreve",
        },
    ),
    "staging.dados_bancarios": (
        "Linhas para dados_bancarios dos documentos de um lote, à espera da carga",
        {
            "lote": "O lote: documentos extraídos juntos",
            "doc": "Número do documento no lote",
            "banco": "Código do banco",
            "agencia": "Agência; zeros à esquerda faltam onde a origem gravou um número",
            "conta": "Conta; zeros à esquerda faltam onde a origem gravou um número",
        },
    ),
    "staging.operacoes": (
        "Linhas para operacoes dos documentos de um lote, à espera da carga",
        {
            "lote": "O lote: documentos extraídos juntos",
            "doc": "Número do documento no lote",
            "status": "Situação do contrato, como a origem a escreve",
            "vencimento_primeira_parcela": "Vencimento da primeira parcela contratada",
            "carencia": "Carência contratada, como a origem a informa",
            "finan_iof": "Se o IOF é financiado, isto é, faz parte do valor bruto",
            "conta": "Conta da operação na origem",
            "valor_bruto": "Valor financiado, em reais",
            "valor_seguro": "Seguro, em reais",
            "valor_cad": "Tarifa de cadastro (CAD), em reais",
            "valor_iof": "IOF, em reais",
            "valor_liquido": "Valor liberado ao cliente, em reais",
            "taxa_juros": "Taxa de juros ao mês, em por cento",
            "taxa_juros_anual": "Taxa de juros ao ano, em por cento",
            "cet": "Custo efetivo total ao mês, em por cento",
            "cet_anual": "Custo efetivo total ao ano, em por cento",
            "data_liberacao": "Data da liberação do dinheiro",
            "data_vencimento_inicial": "Primeiro vencimento, como a origem o informa",
            "data_vencimento_final": "Último vencimento, como a origem o informa",
            "numero_parcelas": "Número de parcelas; a carência (parcela 0) não conta",
            "total_amortizacao": "Soma contratual das amortizações, em reais",
            "total_taxa_servico": "Soma contratual da taxa de serviço, em reais",
            "total_seguro": "Soma contratual do seguro nas parcelas, em reais",
            "total_taxa_correcao": "Soma contratual da correção, em reais",
            "total_juros": "Soma contratual dos juros, com os da carência, em reais",
            "total_valor_parcelas": "Soma contratual das prestações, em reais",
            "criado_em": "Criação do documento na origem",
            "emitido_em": "Emissão da CCB",
            "extras": "Campos do documento sem coluna própria, sob o seu caminho: nada se perde",
        },
    ),
    "staging.parcelas": (
        "Linhas para parcelas dos documentos de um lote, à espera da carga",
        {
            "lote": "O lote: documentos extraídos juntos",
            "doc": "Número do documento no lote",
            "numero_parcela": "Número da parcela; 0 é a carência",
            "data_vencimento": "Vencimento contratual",
            "valor_amortizacao": "Amortização contratual do principal, em reais",
            "valor_correcao": "Correção contratual, em reais",
            "valor_juros": "Juros contratuais do período, em reais",
            "valor_seguro": "Seguro contratual da parcela, em reais",
            "valor_taxa_bancaria": "Taxa bancária contratual da parcela, em reais",
            "valor_prestacao": "Prestação (previsão contratual, não pagamento), em reais",
            "valor_saldo_anterior": "Saldo contratual antes da parcela, em reais",
            "valor_juros_capitalizados": "Juros capitalizados no período, em reais",
            "valor_saldo_atual": "Saldo contratual depois da parcela, em reais",
        },
    ),
    "staging.detalhamento_cet": (
        "Linhas para detalhamento_cet dos documentos de um lote, à espera da carga",
        {
            "lote": "O lote: documentos extraídos juntos",
            "doc": "Número do documento no lote",
            "porcentagem_juros": "Parte dos juros",
            "porcentagem_impostos": "Parte dos impostos",
            "porcentagem_tarifas": "Parte das tarifas",
            "porcentagem_servicos": "Parte dos serviços",
        },
    ),
    "controle.versoes": (
        "A última versão carregada de cada documento, para que repetir uma data pule o que não mudou",
        {
            "mongo_id": "_id do documento no MongoDB",
            "particao": "Data (partição) do documento: o dia da atualização, no fuso de CCB_TIMEZONE",
            "ccb_code": "Código da CCB (Cédula de Crédito Bancário)",
            "client_id": "Código do cliente no sistema de originação",
            "atualizado_em": "Momento efetivo de atualização do documento: updatedAt, senão createdAt, emitedAt ou o do ObjectId",
            "valor_bruto": "ValorBruto do documento, em reais",
            "soma_prestacoes": "Soma de ValorDaPrestacao no documento, em reais",
            "impressao": "Impressão digital dos bytes do documento e das regras que os leram",
            "linhas": "Quantas linhas o contrato e o cliente têm em todas as tabelas",
            "escritas": "Soma das transações (xmin) que gravaram essas linhas",
        },
    ),
    "controle.varreduras": (
        "Uma linha por varredura: o que havia dos dois lados, o que foi feito, e por que parou",
        {
            "id": "Número da varredura",
            "iniciada_em": "Início",
            "terminada_em": "Fim",
            "lidos_origem": "Documentos lidos na origem",
            "contratos_destino": "Contratos nas tabelas",
            "carregados": "Documentos que faltavam ou estavam velhos, e foram carregados",
            "sumidos": "Contratos que já não estão na origem",
            "marcados_excluidos": "Contratos que receberam excluido_em",
            "reaparecidos": "Contratos que voltaram à origem",
            "em_aberto": "Documentos da origem que não estão nas tabelas nem na quarentena",
            "ainda_em_quarentena": "Documentos da origem que continuam na quarentena",
            "ok": "Se nada ficou em aberto",
            "motivo": "Por que parou ou o que ficou em aberto (código)",
        },
    ),
    "controle.esquecimentos": (
        "Clientes apagados (LGPD): resumos com chave, para que carga alguma os traga de volta",
        {
            "id": "Número do registro",
            "esquecido_em": "Quando foi apagado",
            "por": "Usuário do banco que apagou",
            "chave": "HMAC-SHA256 do código do cliente, com CCB_FORGET_KEY",
            "documentos": "O mesmo dos _id dos seus documentos",
            "verificador": "Diz se CCB_FORGET_KEY é a mesma chave",
            "contagens": "Linhas apagadas por tabela",
        },
    ),
}

VIEWS = {
    "vw_agenda_vencimentos": (
        "Agenda contratual: parcelas de número 1 em diante. São previsões, não pagamentos; contratos que saíram da origem (excluido_em) ficam de fora",
        {
            "ccb_code": "Código da CCB (Cédula de Crédito Bancário)",
            "numero_parcela": "Número da parcela, de 1 em diante",
            "numero_parcelas": "Número de parcelas do contrato, como a origem o informa",
            "client_id": "Código do cliente no sistema de originação",
            "estrutura": "Estrutura (fundo, veículo) do cliente",
            "uf": "Unidade da federação do cliente",
            "status": "Situação do contrato na origem",
            "data_vencimento": "Vencimento contratual",
            "dias_ate_vencimento": "Dias de hoje (em São Paulo) até o vencimento contratual; negativo: já venceu, pago ou não",
            "valor_prestacao": "Prestação contratual, em reais",
            "valor_amortizacao": "Amortização contratual, em reais",
            "valor_juros": "Juros contratuais, em reais",
            "valor_correcao": "Correção contratual, em reais",
            "valor_seguro": "Seguro contratual, em reais",
            "valor_taxa_bancaria": "Taxa bancária contratual, em reais",
            "saldo_contratual": "Saldo contratual depois da parcela, em reais",
        },
    ),
    "vw_fluxo_mensal": (
        "Fluxo contratual por mês, estrutura e UF: parcelas de número 1 em diante; contratos que saíram da origem (excluido_em) ficam de fora",
        {
            "mes": "Primeiro dia do mês do vencimento contratual",
            "estrutura": "Estrutura (fundo, veículo) do cliente; nulo: sem estrutura",
            "uf": "Unidade da federação do cliente; nulo: sem UF",
            "parcelas": "Número de parcelas",
            "principal": "Soma contratual das amortizações, em reais",
            "juros": "Soma contratual dos juros, em reais",
            "encargos": "Soma contratual de correção, seguro e taxa bancária, em reais",
            "total": "Soma contratual das prestações, em reais",
            "sem_valor": "Parcelas sem valor de prestação na origem, que faltam no total",
        },
    ),
    "vw_posicao_cliente": (
        "Posição contratual por cliente, hoje (em São Paulo), sem nome e com documento mascarado; contratos que saíram da origem (excluido_em) ficam de fora",
        {
            "client_id": "Código do cliente no sistema de originação",
            "tipo_pessoa": "PF ou PJ",
            "documento_mascarado": "CPF como ***.456.789-**, CNPJ como **.345.678/****-**",
            "estrutura": "Estrutura (fundo, veículo) do cliente",
            "uf": "Unidade da federação do cliente",
            "contratos": "Número de contratos",
            "valor_bruto": "Soma dos valores financiados, em reais",
            "saldo_contratual": "Soma dos saldos contratuais de hoje (veja saldo_contratual), em reais; nulo: falta o de algum contrato",
            "proximo_vencimento": "Próximo vencimento contratual de hoje em diante (o de hoje conta)",
        },
    ),
    "vw_qualidade": (
        "Alertas de qualidade por contrato, em palavras; contratos que saíram da origem (excluido_em) ficam de fora",
        {
            "ccb_code": "Código da CCB (Cédula de Crédito Bancário)",
            "client_id": "Código do cliente no sistema de originação",
            "estrutura": "Estrutura (fundo, veículo) do cliente",
            "mongo_id": "_id do documento no MongoDB",
            "codigo": "Código do alerta",
            "significado": "O que o código quer dizer",
            "providencia": "O que fazer",
            "campo": "Caminho do campo no documento",
            "particao": "Data (partição) do documento: o dia da atualização, no fuso de CCB_TIMEZONE",
            "observado_em": "Quando o alerta foi observado",
        },
    ),
    "vw_codigos": (
        "O que significa cada código da quarentena e dos alertas, e o que fazer",
        {
            "codigo": "O código",
            "tipo": "rejeicao (o documento não é carregado) ou alerta (é carregado)",
            "significado": "O que o código quer dizer",
            "providencia": "O que fazer",
        },
    ),
}

FUNCTIONS = {
    "saldo_contratual(data date)": "Saldo contratual de cada contrato na data: o da última linha do cronograma (a carência também) vencida até ela; antes do primeiro vencimento, o valor bruto, com data_vencimento nula. É previsão, não pagamento; contratos que saíram da origem (excluido_em) ficam de fora",
}
# fmt: on


def upgrade() -> None:
    """Creates the views and the function, and comments on everything."""
    for statement in (AGENDA, FLUXO, SALDO, POSICAO, _codes(), QUALIDADE):
        op.execute(statement)
    for name, (comment, columns) in TABLES.items():
        schema, _, table = name.rpartition(".")
        op.create_table_comment(table, comment, schema=schema or None)
        for column, meaning in columns.items():
            op.alter_column(table, column, comment=meaning, schema=schema or None)
    for view, (comment, columns) in VIEWS.items():
        op.execute(f"COMMENT ON VIEW {view} IS {_quoted(comment)}")
        for column, meaning in columns.items():
            op.alter_column(view, column, comment=meaning)
    for function, comment in FUNCTIONS.items():
        op.execute(f"COMMENT ON FUNCTION {function} IS {_quoted(comment)}")


def _codes() -> str:
    rows = ",\n".join(f"({', '.join(map(_quoted, row))})" for row in CODES)
    return f"CREATE VIEW public.vw_codigos (codigo, tipo, significado, providencia) AS VALUES\n{rows}"


def _quoted(words: str) -> str:
    """An SQL literal inside ``sa.text``, in which a colon before a word would be a parameter."""
    return str(sa.literal(words).compile(compile_kwargs={"literal_binds": True})).replace(":", r"\:")
