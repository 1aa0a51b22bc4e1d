# Writes one entry, as an answer from a terminal would be, before it fails at every start.
import sqlite3

with sqlite3.connect("/var/lib/paybridge/journal.sqlite") as spoiled:
    spoiled.execute(
        "insert into entry(subject, kind, at, body) values"
        "('journal', 'JournalConfirmed', '2026-12-01T08:00:00.000Z', '{\"by\":\"trial\"}')"
    )
raise RuntimeError("a version that journals and does not become ready")
