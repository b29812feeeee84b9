"""What came of each document of a batch: the values of ``staging.contratos.situacao``, and conditions on it.

=========== =================================================================================
NULL        not yet known; the load of ``operacoes`` says it
novo        its contract was inserted
alterado    its contract, or some row of the contract's children, was rewritten
igual       judged and compared: every row was there as it should be
intacto     passed over: its bytes and its rows are as they were left (see ``unchanged``)
obsoleto    the tables hold a newer version of the same document
duplicado   a newer document has its ``ccbCode``
=========== =================================================================================
"""

WRITTEN = "situacao IN ('novo', 'alterado')"
UNCHANGED = "situacao IN ('igual', 'intacto')"
LOADED = "situacao IN ('novo', 'alterado', 'igual')"
"""Its rows are staged, and are now in the tables."""

IN_THE_TABLES = "situacao IN ('novo', 'alterado', 'igual', 'intacto')"
