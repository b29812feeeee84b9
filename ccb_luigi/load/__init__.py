"""Raw documents come in; rows of the eight tables go out, with markers, quarantine and reconciliation."""
