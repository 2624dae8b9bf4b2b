-- Who may do what, and who did what.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    origin TEXT NOT NULL,
    ok INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
