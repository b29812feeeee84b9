"""Settings come in; connections, transactions and a schema that is up to date go out. Knows no document."""
