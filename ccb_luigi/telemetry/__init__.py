"""How runs went and where things stand comes in; terminal, logs, metrics and alerts tell it."""
