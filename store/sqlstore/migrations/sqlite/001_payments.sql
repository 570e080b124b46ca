-- Payments, their operations and steps, and what stands beside them.
-- Amounts are minor units of the currency beside them; instants are
-- microseconds since 1970, UTC; NULL is no instant. STRICT refuses values of
-- another type. No check looks at what a provider said: a fact about money is
-- always recorded.

CREATE TABLE payment_payments (
    id                        TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
    version                   INTEGER NOT NULL CHECK (version >= 1),
    reference                 TEXT NOT NULL,
    additional                INTEGER NOT NULL CHECK (additional IN (0, 1)),
    holds_reference           INTEGER NOT NULL CHECK (holds_reference IN (0, 1)),
    amount                    INTEGER NOT NULL,
    currency                  TEXT NOT NULL,
    customer                  TEXT NOT NULL,
    capture                   TEXT NOT NULL,
    status                    TEXT NOT NULL,
    -- Totals, in the payment's currency; NULL where none was ever set. An
    -- amount in another currency stands in totals_other.
    authorized                INTEGER,
    authorized_pending        INTEGER,
    captured                  INTEGER,
    captured_pending          INTEGER,
    voided                    INTEGER,
    voided_pending            INTEGER,
    refunded                  INTEGER,
    refunded_pending          INTEGER,
    disputed                  INTEGER,
    disputed_pending          INTEGER,
    overpaid                  INTEGER,
    overpaid_pending          INTEGER,
    overpaid_refunded         INTEGER,
    overpaid_refunded_pending INTEGER,
    transferred               INTEGER,
    transferred_pending       INTEGER,
    totals_other              TEXT,
    route                     TEXT,
    canceled                  INTEGER NOT NULL CHECK (canceled IN (0, 1)),
    expired                   INTEGER NOT NULL CHECK (expired IN (0, 1)),
    blocked_reason            TEXT NOT NULL,
    blocked_code              TEXT NOT NULL,
    blocked_detail            TEXT,
    -- NULL in review_stage: not under review. NULL in parked_why: not parked.
    review_stage              TEXT,
    review_by                 TEXT,
    review_reason             TEXT,
    review_until              INTEGER,
    review_operation          TEXT,
    review_passed             INTEGER NOT NULL CHECK (review_passed IN (0, 1)),
    pre_reviewed              INTEGER NOT NULL CHECK (pre_reviewed IN (0, 1)),
    parked_since              INTEGER,
    parked_operation          TEXT,
    parked_why                TEXT,
    parked_missing            TEXT,
    unattended                INTEGER NOT NULL CHECK (unattended IN (0, 1)),
    subject                   TEXT NOT NULL,
    sealed                    BLOB,
    created_at                INTEGER NOT NULL,
    updated_at                INTEGER,
    expires_at                INTEGER,
    due_at                    INTEGER,
    -- The worker's lease stands beside the record: it does not change version.
    lease_owner               TEXT,
    lease_until               INTEGER
) STRICT;

CREATE INDEX payment_payments_created ON payment_payments (created_at, id);
CREATE INDEX payment_payments_reference ON payment_payments (reference, created_at, id);
CREATE INDEX payment_payments_customer ON payment_payments (customer, created_at, id) WHERE customer <> '';
CREATE INDEX payment_payments_status ON payment_payments (status, created_at, id);
CREATE INDEX payment_payments_due ON payment_payments (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX payment_payments_parked ON payment_payments (created_at, id) WHERE parked_why IS NOT NULL;

-- The key of operations and steps begins with their payment: it is the one
-- index by which they are read, too.
CREATE TABLE payment_operations (
    id                TEXT NOT NULL CHECK (id <> ''),
    payment_id        TEXT NOT NULL REFERENCES payment_payments (id),
    position          INTEGER NOT NULL CHECK (position >= 0),
    revision          INTEGER NOT NULL,
    kind              TEXT NOT NULL,
    origin            TEXT NOT NULL,
    asked_key         TEXT NOT NULL,
    state             TEXT NOT NULL,
    sale              INTEGER NOT NULL CHECK (sale IN (0, 1)),
    amount            INTEGER NOT NULL,
    currency          TEXT NOT NULL,
    approved          INTEGER NOT NULL,
    approved_currency TEXT NOT NULL,
    provider          TEXT NOT NULL,
    method            TEXT NOT NULL,
    target            TEXT NOT NULL,
    dispute           TEXT NOT NULL,
    ref               TEXT NOT NULL,
    refs              TEXT,
    data              TEXT,
    charging          INTEGER NOT NULL CHECK (charging IN (0, 1)),
    payable           INTEGER NOT NULL CHECK (payable IN (0, 1)),
    payable_until     INTEGER,
    expires_at        INTEGER,
    overpaid          INTEGER NOT NULL CHECK (overpaid IN (0, 1)),
    superseded        INTEGER NOT NULL CHECK (superseded IN (0, 1)),
    final             INTEGER NOT NULL CHECK (final IN (0, 1)),
    decline_reason    TEXT NOT NULL,
    decline_code      TEXT NOT NULL,
    decline_detail    TEXT,
    failure_kind      TEXT NOT NULL,
    failure_code      TEXT NOT NULL,
    failure_message   TEXT NOT NULL,
    why               TEXT NOT NULL,
    card              TEXT,
    three_ds          TEXT,
    fee               INTEGER NOT NULL,
    fee_currency      TEXT NOT NULL,
    splits            TEXT,
    sealed            BLOB,
    created_at        INTEGER,
    updated_at        INTEGER,
    PRIMARY KEY (payment_id, id)
) STRICT;

CREATE INDEX payment_operations_provider ON payment_operations (provider, payment_id);
-- Not IN (...): SQLite fills a table with such a list at every write, which
-- cost as much as the rest of the write.
CREATE INDEX payment_operations_open ON payment_operations (payment_id)
    WHERE state = 'planned' OR state = 'action_required' OR state = 'pending' OR state = 'unknown';

CREATE TABLE payment_steps (
    id              TEXT NOT NULL CHECK (id <> ''),
    operation_id    TEXT NOT NULL,
    payment_id      TEXT NOT NULL,
    position        INTEGER NOT NULL CHECK (position >= 0),
    revision        INTEGER NOT NULL,
    name            TEXT NOT NULL,
    state           TEXT NOT NULL,
    fence           INTEGER NOT NULL CHECK (fence IN (0, 1)),
    moves_money     INTEGER NOT NULL CHECK (moves_money IN (0, 1)),
    local           INTEGER NOT NULL CHECK (local IN (0, 1)),
    recovery        TEXT,
    doubt           INTEGER NOT NULL CHECK (doubt IN (0, 1)),
    closed          INTEGER NOT NULL CHECK (closed IN (0, 1)),
    sends           INTEGER NOT NULL CHECK (sends >= 0),
    first_sent      INTEGER,
    last_sent       INTEGER,
    lease_until     INTEGER,
    checks          INTEGER NOT NULL CHECK (checks >= 0),
    due_at          INTEGER,
    ref             TEXT NOT NULL,
    failure_kind    TEXT NOT NULL,
    failure_code    TEXT NOT NULL,
    failure_message TEXT NOT NULL,
    request         BLOB,
    created_at      INTEGER,
    updated_at      INTEGER,
    PRIMARY KEY (payment_id, id),
    FOREIGN KEY (payment_id, operation_id) REFERENCES payment_operations (payment_id, id)
) STRICT;

-- Events are the audit trail and the outbox. AUTOINCREMENT never gives a
-- number twice, and only the holder of the write lock can take one, so the
-- numbers become visible in their order.
CREATE TABLE payment_events (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE CHECK (id <> ''),
    provider        TEXT NOT NULL,
    dedup           TEXT NOT NULL,
    kind            TEXT NOT NULL,
    status          TEXT NOT NULL,
    step_key        TEXT NOT NULL,
    operation_id    TEXT NOT NULL,
    ref             TEXT NOT NULL,
    refs            TEXT,
    parent          TEXT NOT NULL,
    amount          INTEGER NOT NULL,
    currency        TEXT NOT NULL,
    cumulative      INTEGER NOT NULL CHECK (cumulative IN (0, 1)),
    captured        INTEGER NOT NULL CHECK (captured IN (0, 1)),
    payable         INTEGER NOT NULL CHECK (payable IN (0, 1)),
    decline_reason  TEXT NOT NULL,
    decline_code    TEXT NOT NULL,
    decline_detail  TEXT,
    expires_at      INTEGER,
    card            TEXT,
    three_ds        TEXT,
    fee             INTEGER NOT NULL,
    fee_currency    TEXT NOT NULL,
    data            TEXT,
    dispute         TEXT,
    at              INTEGER,
    recorded_at     INTEGER,
    type            TEXT NOT NULL,
    source          TEXT NOT NULL,
    payment_id      TEXT NOT NULL,
    applied         INTEGER NOT NULL CHECK (applied IN (0, 1)),
    reason          TEXT NOT NULL,
    state           TEXT NOT NULL,
    payment_status  TEXT NOT NULL,
    failure_kind    TEXT NOT NULL,
    failure_code    TEXT NOT NULL,
    failure_message TEXT NOT NULL,
    who             TEXT NOT NULL,
    cites           TEXT NOT NULL
) STRICT;

CREATE INDEX payment_events_payment ON payment_events (payment_id, seq);

CREATE TRIGGER payment_events_no_update BEFORE UPDATE ON payment_events
BEGIN SELECT RAISE(ABORT, 'payment_events is append-only: record a new event that cites the old one'); END;

CREATE TRIGGER payment_events_no_delete BEFORE DELETE ON payment_events
BEGIN SELECT RAISE(ABORT, 'payment_events is append-only: events are never removed'); END;

-- INSERT OR REPLACE removes a row without asking the trigger above. A seq that
-- the insert leaves to the database reads as -1 here.
CREATE TRIGGER payment_events_no_replace BEFORE INSERT ON payment_events
WHEN EXISTS (SELECT 1 FROM payment_events WHERE id = NEW.id)
    OR NEW.seq <> -1 AND EXISTS (SELECT 1 FROM payment_events WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'payment_events is append-only: this event is recorded already'); END;

CREATE TABLE payment_claims (
    kind        TEXT NOT NULL,
    key         TEXT NOT NULL,
    owner       TEXT NOT NULL,
    payment_id  TEXT NOT NULL,
    fingerprint BLOB,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE payment_methods (
    id             TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
    customer       TEXT NOT NULL,
    provider       TEXT NOT NULL,
    method         TEXT NOT NULL,
    state          TEXT NOT NULL,
    card           TEXT,
    ref            TEXT NOT NULL,
    data           TEXT,
    decline_reason TEXT NOT NULL,
    decline_code   TEXT NOT NULL,
    decline_detail TEXT,
    subject        TEXT NOT NULL,
    sealed         BLOB,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER
) STRICT;

CREATE INDEX payment_methods_customer ON payment_methods (customer, created_at, id);

CREATE TABLE payment_disputes (
    id           TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
    payment_id   TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    provider     TEXT NOT NULL,
    ref          TEXT NOT NULL,
    status       TEXT NOT NULL,
    reason       TEXT NOT NULL,
    code         TEXT NOT NULL,
    amount       INTEGER NOT NULL,
    currency     TEXT NOT NULL,
    fee          INTEGER NOT NULL,
    fee_currency TEXT NOT NULL,
    due          INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER
) STRICT;

CREATE INDEX payment_disputes_created ON payment_disputes (created_at, id);
CREATE INDEX payment_disputes_payment ON payment_disputes (payment_id);

-- A destroyed key leaves its row, so that it can never be made again.
CREATE TABLE payment_subjects (
    subject     TEXT PRIMARY KEY NOT NULL,
    wrapped_key BLOB,
    erased      INTEGER NOT NULL CHECK (erased IN (0, 1)),
    CHECK (erased = 0 OR wrapped_key IS NULL)
) STRICT;

CREATE TABLE payment_schema (
    version    INTEGER PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

INSERT INTO payment_schema (version, name, applied_at)
VALUES (1, '001_payments', CAST(strftime('%s', 'now') AS INTEGER) * 1000000);
