"""Log lines for machines: one JSON object each, as docs/monitoring.md describes them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from traceback import extract_tb
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from ccb_luigi.telemetry.logs import named, run_id, sifted

FIELDS = (
    *("run_id", "command", "task", "table", "partition", "rows", "seconds", "exit_code"),
    *("dates", "incomplete", "version", "error", "where"),
)
"""What a line may hold after ``ts``, ``level``, ``event``, ``message``, ``logger``; the unknown is absent."""

OTHER = "log"
"""The ``event`` of a line that isn't about a step, a run, a sweep or a connection."""


class Lines(JsonFormatter):
    """For machines: the same names in the same order, always one line."""

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """All fields, and no others: what a library attaches to its records stays out."""
        moment = datetime.fromtimestamp(record.created, UTC)
        log_data["ts"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        log_data["level"] = record.levelname.lower()
        log_data["event"] = getattr(record, "event", OTHER)
        log_data["message"] = sifted(record.message)
        log_data["logger"] = record.name
        known = {"run_id": run_id() or None, **_of_error(record)}
        for name in FIELDS:
            value = getattr(record, name, known.get(name))
            if value is not None:
                log_data[name] = value

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Nothing: ``error`` and ``where`` say it without quoting."""
        return ""


def _of_error(record: logging.LogRecord) -> dict[str, Any]:
    if not record.exc_info or record.exc_info[1] is None:
        return {}
    frames = extract_tb(record.exc_info[2])
    where = " > ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames)
    return {"error": named(record.exc_info[1]), "where": where}
