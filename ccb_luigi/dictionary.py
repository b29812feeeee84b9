"""What every table, column and view means, in Portuguese.

The only place of these texts: ``tables.py`` takes them as the comments of its metadata, ``database/words.py``
writes them into the database, and ``docs/data-dictionary.md`` is made of them.
"""

from __future__ import annotations

Columns = dict[str, tuple[str, str]]
"""Column → (meaning, an invented example or nothing)."""

# What more than one table or view has.
_CLIENT = ("Código do cliente no sistema de originação", "cli-000123")
_CCB = ("Código da CCB (Cédula de Crédito Bancário)", "AB0001234-567")
_MONGO = ("_id do documento no MongoDB", "Zt4mQx81Lr0V")
_LOADED = ("Momento em que esta versão da linha foi gravada", "2026-11-23 05:01:12+00")
_UPDATED = (
    "Momento efetivo de atualização do documento: updatedAt, senão createdAt, emitedAt ou o do ObjectId",
    "2026-11-22 14:05:00+00",
)
_PARTITION = (
    "Data (partição) do documento: o dia da atualização, no fuso de CCB_TIMEZONE",
    "2026-11-22",
)
_STATE = ("Unidade da federação do cliente", "MG")
_STRUCTURE = ("Estrutura (fundo, veículo) do cliente", "FIDC - Modelo")
_DUE = ("Vencimento contratual", "2026-12-10")
_CORRECTION = ("Correção contratual, em reais", "0.00")
_BALANCE = ("Saldo contratual depois da parcela, em reais", "17475.79")
_GROSS = ("ValorBruto do documento, em reais", "18412.54")
_INSTALMENTS = ("Soma de ValorDaPrestacao no documento, em reais", "21305.16")
_FIELD = ("Caminho do campo no documento", "operation.parcelas.PrevisaoDeParcela.11")
_OBSERVED = ("Quando o alerta foi observado", "2026-11-23 05:00:29+00")
_PLAN = ("Número do plano", "3")
_CODES: Columns = {
    "codigo": ("O código", "fracao_de_centavo"),
    "tipo": ("rejeicao (o documento não é carregado) ou alerta (é carregado)", "rejeicao"),
    "significado": ("O que o código quer dizer", "O valor tem fração de centavo"),
    "providencia": ("O que fazer", "Corrigir o valor na origem."),
}

_FORECAST = "previsão contratual, não pagamento"

TABLES: dict[str, tuple[str, Columns]] = {
    "clientes": (
        "Tomadores; cada um como o documento mais novo que o nomeia o descreve",
        {
            "client_id": _CLIENT,
            "nome": ("Nome ou razão social", "MARIA DO EXEMPLO"),
            "tipo_pessoa": ("PF (pessoa física) ou PJ (pessoa jurídica)", "PF"),
            "cpf_cnpj": (
                "CPF (11 dígitos) ou CNPJ (14 caracteres) sem pontuação; não é único",
                "12345678909",
            ),
            "data_nascimento": ("Data de nascimento, ou de fundação", "1979-05-21"),
            "estado_civil": ("Estado civil, como a origem o escreve", "casado"),
            "naturalidade": ("Município de nascimento", "Santa Rita do Exemplo"),
            "genero": ("Gênero, como a origem o escreve", "feminino"),
            "nome_mae": ("Nome da mãe", "CLARA DO EXEMPLO"),
            "pep": ("Pessoa exposta politicamente; nulo: a origem não diz", "false"),
            "uf": _STATE,
            "estrutura": ("Estrutura (fundo, veículo) a que o cliente pertence na origem", "FIDC - Modelo"),
            "renda_media_mensal": ("Renda média mensal declarada, em reais", "3500.00"),
            "mongo_id": (f"{_MONGO[0]} de que veio esta versão do cliente", "Zt4mQx81Lr0V"),
            "atualizado_em": _UPDATED,
            "carregado_em": _LOADED,
        },
    ),
    "identidades": (
        "Documentos de identidade de um cliente",
        {
            "client_id": _CLIENT,
            "tipo": ("CPF, CNPJ ou RG", "RG"),
            "numero": ("Número do documento; de CPF e CNPJ, o mesmo de clientes.cpf_cnpj", "12.345.678"),
            "orgao_emissor": ("Órgão emissor (só RG)", "SSP"),
            "uf_emissor": ("Unidade da federação do órgão emissor (só RG)", "MG"),
        },
    ),
    "enderecos": (
        "Endereços de um cliente, no máximo um de cada tipo",
        {
            "client_id": _CLIENT,
            "tipo": (
                "residencial ou comercial; sem indicação: residencial para PF, comercial para PJ",
                "residencial",
            ),
            "cep": ("CEP, oito dígitos", "39999000"),
            "uf": ("Unidade da federação", "MG"),
            "cidade": ("Município", "Santa Rita do Exemplo"),
            "logradouro": ("Logradouro", "CÓRREGO DA BOA VISTA"),
            "bairro": ("Bairro", "Rural"),
            "numero": ("Número no logradouro", "0"),
            "complemento": ("Complemento", "CASA 2"),
        },
    ),
    "contatos": (
        "E-mails e telefones de um cliente",
        {
            "client_id": _CLIENT,
            "tipo": ("email ou telefone", "email"),
            "valor": ("O endereço ou o número, como a origem o escreve", "maria@example.com"),
        },
    ),
    "dados_bancarios": (
        "Contas bancárias de um cliente",
        {
            "client_id": _CLIENT,
            "banco": ("Código do banco", "756"),
            "agencia": ("Agência; zeros à esquerda faltam onde a origem gravou um número", "4103"),
            "conta": ("Conta; zeros à esquerda faltam onde a origem gravou um número", "110000"),
        },
    ),
    "operacoes": (
        "Contratos: uma linha por CCB",
        {
            "ccb_code": _CCB,
            "mongo_id": _MONGO,
            "client_id": (f"{_CLIENT[0]} (o tomador)", "cli-000123"),
            "status": ("Situação do contrato, como a origem a escreve", "Assinada"),
            "vencimento_primeira_parcela": ("Vencimento da primeira parcela contratada", "2026-12-10"),
            "carencia": ("Carência contratada, como a origem a informa", "1"),
            "finan_iof": ("Se o IOF é financiado, isto é, faz parte do valor bruto", "true"),
            "conta": ("Conta da operação na origem", "110000000"),
            "valor_bruto": ("Valor financiado, em reais", "18412.54"),
            "valor_seguro": ("Seguro, em reais", "0.00"),
            "valor_cad": ("Tarifa de cadastro (CAD), em reais", "0.00"),
            "valor_iof": ("IOF, em reais", "412.54"),
            "valor_liquido": ("Valor liberado ao cliente, em reais", "18000.00"),
            "taxa_juros": ("Taxa de juros ao mês, em por cento", "2.4390"),
            "taxa_juros_anual": ("Taxa de juros ao ano, em por cento", "33.53"),
            "cet": ("Custo efetivo total ao mês, em por cento", "2.76"),
            "cet_anual": ("Custo efetivo total ao ano, em por cento", "38.64"),
            "data_liberacao": ("Data da liberação do dinheiro", "2026-10-12"),
            "data_vencimento_inicial": ("Primeiro vencimento, como a origem o informa", "2026-12-10"),
            "data_vencimento_final": ("Último vencimento, como a origem o informa", "2027-11-10"),
            "numero_parcelas": ("Número de parcelas; a carência (parcela 0) não conta", "12"),
            "total_amortizacao": ("Soma contratual das amortizações, em reais", "18846.65"),
            "total_taxa_servico": ("Soma contratual da taxa de serviço, em reais", "0.00"),
            "total_seguro": ("Soma contratual do seguro nas parcelas, em reais", "0.00"),
            "total_taxa_correcao": ("Soma contratual da correção, em reais", "0.00"),
            "total_juros": ("Soma contratual dos juros, com os da carência, em reais", "3553.82"),
            "total_valor_parcelas": ("Soma contratual das prestações, em reais", "21966.36"),
            "criado_em": ("Criação do documento na origem", "2026-10-11 17:20:09+00"),
            "emitido_em": ("Emissão da CCB", "2026-10-12 12:00:00+00"),
            "atualizado_em": _UPDATED,
            "excluido_em": ("Desde quando o documento não está mais na origem; nulo: está", ""),
            "extras": (
                "Campos do documento sem coluna própria, sob o seu caminho: nada se perde",
                '{"bank": "X"}',
            ),
            "carregado_em": _LOADED,
        },
    ),
    "parcelas": (
        f"Cronograma de um contrato ({_FORECAST}); o número 0 é a carência",
        {
            "ccb_code": _CCB,
            "numero_parcela": ("Número da parcela; 0 é a carência", "1"),
            "data_vencimento": _DUE,
            "valor_amortizacao": ("Amortização contratual do principal, em reais", "1370.86"),
            "valor_correcao": _CORRECTION,
            "valor_juros": ("Juros contratuais do período, em reais", "459.67"),
            "valor_seguro": ("Seguro contratual da parcela, em reais", "0.00"),
            "valor_taxa_bancaria": ("Taxa bancária contratual da parcela, em reais", "0.00"),
            "valor_prestacao": (f"Prestação ({_FORECAST}), em reais", "1830.53"),
            "valor_saldo_anterior": ("Saldo contratual antes da parcela, em reais", "18846.65"),
            "valor_juros_capitalizados": ("Juros capitalizados no período, em reais", "0.00"),
            "valor_saldo_atual": _BALANCE,
        },
    ),
    "detalhamento_cet": (
        "De que é feito o CET (custo efetivo total) de um contrato, em por cento ao mês",
        {
            "ccb_code": _CCB,
            "porcentagem_juros": ("Parte dos juros", "2.44"),
            "porcentagem_impostos": ("Parte dos impostos", "0.32"),
            "porcentagem_tarifas": ("Parte das tarifas", "0.00"),
            "porcentagem_servicos": ("Parte dos serviços", "0.00"),
        },
    ),
    "table_updates": (
        "Marcadores do Luigi: que tabela já tem as linhas de que data, gravados na transação das linhas",
        {
            "update_id": (
                "<tabela>:<data>; contratos é a extração, reconciliacoes a conferência. "
                "De um plano também fatia:<plano>:<número>, e plano:<plano> no fim",
                "parcelas:2026-11-22",
            ),
            "target_table": ("A tabela (ou etapa)", "parcelas"),
            "inserted": ("Momento da transação que a etapa e o marcador formam", "2026-11-23 05:01:12+00"),
            "particao": ("A data cujos documentos a etapa migrou", "2026-11-22"),
            "linhas": ("Linhas (ou documentos) que a data tem para a etapa", "2680"),
            "contagens": (
                "Contagens da etapa: inseridas, alteradas, removidas, rejeitadas",
                '{"inserted": 198}',
            ),
            "segundos": ("Duração da etapa, em segundos", "1.204"),
        },
    ),
    "controle.quarentena": (
        "Documentos rejeitados, com os motivos; a linha aberta de um documento fecha quando ele é carregado",
        {
            "id": ("Número da rejeição", "17"),
            "mongo_id": _MONGO,
            "particao": _PARTITION,
            "codigos": ("Códigos dos motivos; o significado está em vw_codigos", "{fracao_de_centavo}"),
            "erros": ("Caminho do campo → mensagens; nunca um valor", '{"operation.ValorBruto": ["..."]}'),
            "documento": ("O documento como veio (BSON); contém dados pessoais", ""),
            "sha256": ("SHA-256 dos bytes do documento", "9f86d081..."),
            "primeira_vez": ("Primeira rejeição", "2026-11-20 05:00:31+00"),
            "ultima_vez": ("Última rejeição", "2026-11-23 05:00:29+00"),
            "tentativas": ("Quantas vezes o documento foi lido e rejeitado", "3"),
            "resolvido_em": ("Quando a rejeição se resolveu; nulo: está aberta", ""),
        },
    ),
    "controle.qualidade": (
        "Alertas: o que não fecha em contratos que foram carregados mesmo assim; nunca um valor",
        {
            "ccb_code": _CCB,
            "mongo_id": _MONGO,
            "codigo": ("Código do alerta; o significado está em vw_codigos", "saldo_final"),
            "campo": _FIELD,
            "particao": _PARTITION,
            "observado_em": _OBSERVED,
        },
    ),
    "controle.reconciliacoes": (
        "A prova de cada data: o que foi lido e o que foi feito disso, e as somas dos dois lados",
        {
            "particao": ("A data conferida", "2026-11-22"),
            "lidos": ("Documentos lidos na origem", "201"),
            "carregados": ("Documentos cujo contrato foi inserido ou alterado", "198"),
            "sem_mudanca": ("Documentos cujo contrato já estava igual no destino", "1"),
            "obsoletos": ("Documentos de que o destino já tinha uma versão mais nova", "0"),
            "quarentena": ("Documentos rejeitados", "2"),
            "soma_valor_bruto_origem": ("Soma de ValorBruto nos documentos, em reais", "3704112.87"),
            "soma_valor_bruto_destino": (
                "Soma de operacoes.valor_bruto dos mesmos contratos, em reais",
                "3704112.87",
            ),
            "soma_prestacoes_origem": ("Soma de ValorDaPrestacao nos documentos, em reais", "4566718.02"),
            "soma_prestacoes_destino": (
                "Soma de parcelas.valor_prestacao dos mesmos contratos, em reais",
                "4566718.02",
            ),
            "ok": ("Se tudo é igual dos dois lados", "true"),
            "conferido_em": ("Quando foi conferido", "2026-11-23 05:01:15+00"),
        },
    ),
    "controle.esquecimentos": (
        "Clientes apagados (LGPD): resumos com chave, para que carga alguma os traga de volta",
        {
            "id": ("Número do registro", "2"),
            "esquecido_em": ("Quando foi apagado", "2026-11-23 13:40:02+00"),
            "por": ("Usuário do banco que apagou", "ccb_loader"),
            "chave": ("HMAC-SHA256 do código do cliente, com CCB_FORGET_KEY", ""),
            "documentos": ("O mesmo dos _id dos seus documentos", ""),
            "verificador": ("Diz se CCB_FORGET_KEY é a mesma chave", ""),
            "contagens": ("Linhas apagadas por tabela", '{"parcelas": 12}'),
        },
    ),
    "controle.varreduras": (
        "Uma linha por varredura: o que havia dos dois lados, o que foi feito, e por que parou",
        {
            "id": ("Número da varredura", "31"),
            "iniciada_em": ("Início", "2026-11-23 05:02:10+00"),
            "terminada_em": ("Fim", "2026-11-23 05:02:41+00"),
            "lidos_origem": ("Documentos lidos na origem", "182430"),
            "contratos_destino": ("Contratos nas tabelas", "182401"),
            "carregados": ("Documentos que faltavam ou estavam velhos, e foram carregados", "3"),
            "sumidos": ("Contratos que já não estão na origem", "1"),
            "marcados_excluidos": ("Contratos que receberam excluido_em", "1"),
            "reaparecidos": ("Contratos que voltaram à origem", "0"),
            "em_aberto": ("Documentos da origem que não estão nas tabelas nem na quarentena", "0"),
            "ainda_em_quarentena": ("Documentos da origem que continuam na quarentena", "29"),
            "ok": ("Se nada ficou em aberto", "true"),
            "motivo": ("Por que parou ou o que ficou em aberto (código)", ""),
        },
    ),
    "controle.execucoes": (
        "Uma linha por execução de um comando: quando, com que resultado, e quanto levou",
        {
            "execucao": (
                "Identificador da execução; o mesmo run_id está em cada linha do log",
                "20261123T050002-5f3a9c",
            ),
            "comando": ("nightly, run, rerun ou sweep", "nightly"),
            "versao": ("Versão do programa", "1.0.0"),
            "iniciada_em": ("Início", "2026-11-23 05:00:02+00"),
            "terminada_em": ("Fim", "2026-11-23 05:02:41+00"),
            "codigo_saida": ("Código de saída do comando; 0: tudo certo", "0"),
            "datas_pedidas": ("Datas que a execução devia completar", "7"),
            "datas_completas": ("Quantas delas estavam completas no fim", "7"),
            "documentos": ("Documentos lidos na origem", "201"),
            "segundos_por_etapa": (
                "Etapa → segundos, somados sobre as datas; etapas podem correr ao mesmo tempo",
                '{"contratos": 1.204}',
            ),
            "segundos_cpu": ("Segundos de processador de todos os processos", "9.870"),
            "memoria_bytes": ("Maior memória de todos os processos juntos, em bytes", "312475648"),
        },
    ),
    "controle.planos": (
        "Cargas de muitas datas de uma vez: o que cada plano cobre; suas fatias estão em controle.fatias",
        {
            "id": _PLAN,
            "origem": ("Coleção ou arquivo de que o plano foi feito", "mongodb ccb.contratos"),
            "fuso": ("Fuso horário cujas meias-noites separam as datas", "America/Sao_Paulo"),
            "desde": ("Primeira data; nulo: desde o primeiro documento", ""),
            "ate": ("Última data", "2026-11-22"),
            "feitas": ("Datas que já estavam completas e ficaram de fora", "{}"),
            "documentos": ("Documentos previstos em todas as fatias", "1000000"),
            "fatias": ("Número de fatias", "50"),
            "criado_em": ("Quando o plano foi feito", "2026-11-23 13:00:02+00"),
        },
    ),
    "controle.fatias": (
        "As partes de um plano, cada uma carregada numa transação só; o marcador é fatia:<plano>:<número>",
        {
            "plano": _PLAN,
            "numero": ("Número da fatia no plano, de 1 em diante", "17"),
            "documentos": ("Documentos previstos", "20000"),
            "trecho": (
                "O trecho da origem: intervalo de updatedAt, de _id, ou de bytes do arquivo",
                '{"byte_de": 0, "byte_ate": 122265536}',
            ),
        },
    ),
    "controle.codigos": (
        "Os códigos da quarentena e dos alertas, como vw_codigos os mostra; `ccb-luigi db upgrade` os grava",
        _CODES,
    ),
    "controle.textos": (
        "O que `ccb-luigi db upgrade` aplicou por último: só o que mudou é aplicado de novo",
        {
            "nome": ("Visão, função ou arquivo de direitos", "VIEW public.vw_codigos"),
            "sha256": ("SHA-256 do texto aplicado", ""),
        },
    ),
    "controle.versoes": (
        "A última versão carregada de cada documento, para que repetir uma data pule o que não mudou",
        {
            "mongo_id": _MONGO,
            "particao": _PARTITION,
            "ccb_code": _CCB,
            "client_id": _CLIENT,
            "atualizado_em": _UPDATED,
            "valor_bruto": _GROSS,
            "soma_prestacoes": _INSTALMENTS,
            "impressao": ("Impressão digital dos bytes do documento e das regras que os leram", ""),
            "linhas": ("Quantas linhas o contrato e o cliente têm em todas as tabelas", "23"),
            "escritas": ("Soma das transações (xmin) que gravaram essas linhas", "24518"),
            "linhas_filhas": (
                "Quantas linhas em cada tabela: identidades, enderecos, contatos, dados_bancarios, parcelas,"
                " detalhamento_cet; nulo: carregado por um programa anterior",
                "{2,1,2,1,12,1}",
            ),
        },
    ),
    "staging.contratos": (
        "Uma linha por documento aceito de um lote; situacao é o que foi feito dele",
        {
            "mongo_id": _MONGO,
            "ccb_code": _CCB,
            "client_id": _CLIENT,
            "atualizado_em": _UPDATED,
            "particao": _PARTITION,
            "valor_bruto": _GROSS,
            "soma_prestacoes": _INSTALMENTS,
            "situacao": (
                "novo, alterado, igual, intacto, obsoleto ou duplicado; nulo: ainda não carregado",
                "",
            ),
            "impressao": ("Impressão digital do documento (controle.versoes)", ""),
        },
    ),
    "staging.qualidade": (
        "Alertas dos documentos de um lote, à espera da carga",
        {
            "codigo": ("Código do alerta", ""),
            "campo": _FIELD,
        },
    ),
}

BATCH: Columns = {
    "lote": ("O lote: documentos extraídos juntos", ""),
    "doc": ("Número do documento no lote", ""),
}

_LIVE = "contratos que saíram da origem (excluido_em) ficam de fora"

VIEWS: dict[str, tuple[str, Columns]] = {
    "vw_agenda_vencimentos": (
        f"Agenda contratual: parcelas de número 1 em diante. São previsões, não pagamentos; {_LIVE}",
        {
            "ccb_code": _CCB,
            "numero_parcela": ("Número da parcela, de 1 em diante", "1"),
            "numero_parcelas": ("Número de parcelas do contrato, como a origem o informa", "12"),
            "client_id": _CLIENT,
            "estrutura": _STRUCTURE,
            "uf": _STATE,
            "status": ("Situação do contrato na origem", "Assinada"),
            "data_vencimento": _DUE,
            "dias_ate_vencimento": (
                "Dias de hoje (em São Paulo) até o vencimento contratual; negativo: já venceu, pago ou não",
                "17",
            ),
            "valor_prestacao": ("Prestação contratual, em reais", "1830.53"),
            "valor_amortizacao": ("Amortização contratual, em reais", "1370.86"),
            "valor_juros": ("Juros contratuais, em reais", "459.67"),
            "valor_correcao": _CORRECTION,
            "valor_seguro": ("Seguro contratual, em reais", "0.00"),
            "valor_taxa_bancaria": ("Taxa bancária contratual, em reais", "0.00"),
            "saldo_contratual": _BALANCE,
        },
    ),
    "vw_fluxo_mensal": (
        f"Fluxo contratual por mês, estrutura e UF: parcelas de número 1 em diante; {_LIVE}",
        {
            "mes": ("Primeiro dia do mês do vencimento contratual", "2026-12-01"),
            "estrutura": ("Estrutura (fundo, veículo) do cliente; nulo: sem estrutura", "FIDC - Modelo"),
            "uf": ("Unidade da federação do cliente; nulo: sem UF", "MG"),
            "parcelas": ("Número de parcelas", "42"),
            "principal": ("Soma contratual das amortizações, em reais", "57576.12"),
            "juros": ("Soma contratual dos juros, em reais", "19306.14"),
            "encargos": ("Soma contratual de correção, seguro e taxa bancária, em reais", "0.00"),
            "total": ("Soma contratual das prestações, em reais", "76882.26"),
            "sem_valor": ("Parcelas sem valor de prestação na origem, que faltam no total", "0"),
        },
    ),
    "vw_posicao_cliente": (
        f"Posição contratual por cliente, hoje (em São Paulo), sem nome e com documento mascarado; {_LIVE}",
        {
            "client_id": _CLIENT,
            "tipo_pessoa": ("PF ou PJ", "PF"),
            "documento_mascarado": (
                "CPF como ***.456.789-**, CNPJ como **.345.678/****-**",
                "***.456.789-**",
            ),
            "estrutura": _STRUCTURE,
            "uf": _STATE,
            "contratos": ("Número de contratos", "2"),
            "valor_bruto": ("Soma dos valores financiados, em reais", "33412.54"),
            "saldo_contratual": (
                "Soma dos saldos contratuais de hoje (veja saldo_contratual), em reais; "
                "nulo: falta o de algum contrato",
                "31208.77",
            ),
            "proximo_vencimento": (
                "Próximo vencimento contratual de hoje em diante (o de hoje conta)",
                "2026-12-10",
            ),
        },
    ),
    "vw_qualidade": (
        f"Alertas de qualidade por contrato, em palavras; {_LIVE}",
        {
            "ccb_code": _CCB,
            "client_id": _CLIENT,
            "estrutura": _STRUCTURE,
            "mongo_id": _MONGO,
            "codigo": ("Código do alerta", "saldo_final"),
            "significado": (_CODES["significado"][0], "O último saldo não é zero"),
            "providencia": (_CODES["providencia"][0], "Conferir o cronograma na origem."),
            "campo": _FIELD,
            "particao": _PARTITION,
            "observado_em": _OBSERVED,
        },
    ),
    "vw_codigos": (
        "O que significa cada código da quarentena e dos alertas, e o que fazer",
        _CODES,
    ),
}

FUNCTIONS: dict[str, str] = {
    "saldo_contratual(data date)": (
        "Saldo contratual de cada contrato na data: o da última linha do cronograma (a carência também) "
        "vencida até ela; antes do primeiro vencimento, o valor bruto, com data_vencimento nula. "
        f"É previsão, não pagamento; {_LIVE}"
    ),
}

SCHEMAS: dict[str, str] = {
    "analise": "O que um analista pode ver: nem nome, nem documento, nem endereço",
}
