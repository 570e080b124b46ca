-- Payments, their operations and steps, and what stands beside them.
-- Amounts are minor units of the currency beside them; NULL is no instant. No
-- check looks at what a provider said: a fact about money is always recorded.
-- Ids sort by bytes (collation C): indexes then survive an upgrade of the
-- system's collations. JSON, not JSONB: JSONB refuses NUL in a provider's text.

CREATE TABLE payment_payments (
    id                        TEXT COLLATE "C" PRIMARY KEY CHECK (id <> ''),
    version                   BIGINT NOT NULL CHECK (version >= 1),
    reference                 TEXT NOT NULL,
    additional                BOOLEAN NOT NULL,
    holds_reference           BOOLEAN NOT NULL,
    amount                    BIGINT NOT NULL,
    currency                  TEXT NOT NULL,
    customer                  TEXT NOT NULL,
    capture                   TEXT NOT NULL,
    status                    TEXT NOT NULL,
    -- Totals, in the payment's currency; NULL where none was ever set. An
    -- amount in another currency stands in totals_other.
    authorized                BIGINT,
    authorized_pending        BIGINT,
    captured                  BIGINT,
    captured_pending          BIGINT,
    voided                    BIGINT,
    voided_pending            BIGINT,
    refunded                  BIGINT,
    refunded_pending          BIGINT,
    disputed                  BIGINT,
    disputed_pending          BIGINT,
    overpaid                  BIGINT,
    overpaid_pending          BIGINT,
    overpaid_refunded         BIGINT,
    overpaid_refunded_pending BIGINT,
    transferred               BIGINT,
    transferred_pending       BIGINT,
    totals_other              JSON,
    route                     JSON,
    canceled                  BOOLEAN NOT NULL,
    expired                   BOOLEAN NOT NULL,
    blocked_reason            TEXT NOT NULL,
    blocked_code              TEXT NOT NULL,
    blocked_detail            JSON,
    -- NULL in review_stage: not under review. NULL in parked_why: not parked.
    review_stage              TEXT,
    review_by                 TEXT,
    review_reason             TEXT,
    review_until              TIMESTAMPTZ,
    review_operation          TEXT,
    review_passed             BOOLEAN NOT NULL,
    pre_reviewed              BOOLEAN NOT NULL,
    parked_since              TIMESTAMPTZ,
    parked_operation          TEXT,
    parked_why                TEXT,
    parked_missing            TEXT,
    unattended                BOOLEAN NOT NULL,
    subject                   TEXT COLLATE "C" NOT NULL,
    sealed                    BYTEA,
    created_at                TIMESTAMPTZ NOT NULL,
    updated_at                TIMESTAMPTZ,
    expires_at                TIMESTAMPTZ,
    due_at                    TIMESTAMPTZ,
    -- The worker's lease stands beside the record: it does not change version.
    lease_owner               TEXT,
    lease_until               TIMESTAMPTZ
) WITH (fillfactor = 85);

CREATE INDEX payment_payments_created ON payment_payments (created_at, id);
CREATE INDEX payment_payments_reference ON payment_payments (reference, created_at, id);
CREATE INDEX payment_payments_customer ON payment_payments (customer, created_at, id) WHERE customer <> '';
CREATE INDEX payment_payments_status ON payment_payments (status, created_at, id);
CREATE INDEX payment_payments_due ON payment_payments (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX payment_payments_parked ON payment_payments (created_at, id) WHERE parked_why IS NOT NULL;

-- The key of operations and steps begins with their payment: it is the one
-- index by which they are read, too.
CREATE TABLE payment_operations (
    id                TEXT COLLATE "C" NOT NULL CHECK (id <> ''),
    payment_id        TEXT COLLATE "C" NOT NULL REFERENCES payment_payments (id),
    position          BIGINT NOT NULL CHECK (position >= 0),
    revision          BIGINT NOT NULL,
    kind              TEXT NOT NULL,
    origin            TEXT NOT NULL,
    asked_key         TEXT NOT NULL,
    state             TEXT NOT NULL,
    sale              BOOLEAN NOT NULL,
    amount            BIGINT NOT NULL,
    currency          TEXT NOT NULL,
    approved          BIGINT NOT NULL,
    approved_currency TEXT NOT NULL,
    provider          TEXT NOT NULL,
    method            TEXT NOT NULL,
    target            TEXT NOT NULL,
    dispute           TEXT NOT NULL,
    ref               TEXT NOT NULL,
    refs              JSON,
    data              JSON,
    charging          BOOLEAN NOT NULL,
    payable           BOOLEAN NOT NULL,
    payable_until     TIMESTAMPTZ,
    expires_at        TIMESTAMPTZ,
    overpaid          BOOLEAN NOT NULL,
    superseded        BOOLEAN NOT NULL,
    final             BOOLEAN NOT NULL,
    decline_reason    TEXT NOT NULL,
    decline_code      TEXT NOT NULL,
    decline_detail    JSON,
    failure_kind      TEXT NOT NULL,
    failure_code      TEXT NOT NULL,
    failure_message   TEXT NOT NULL,
    why               TEXT NOT NULL,
    card              JSON,
    three_ds          JSON,
    fee               BIGINT NOT NULL,
    fee_currency      TEXT NOT NULL,
    splits            JSON,
    sealed            BYTEA,
    created_at        TIMESTAMPTZ,
    updated_at        TIMESTAMPTZ,
    PRIMARY KEY (payment_id, id)
) WITH (fillfactor = 85);

CREATE INDEX payment_operations_provider ON payment_operations (provider, payment_id);
CREATE INDEX payment_operations_open ON payment_operations (payment_id)
    WHERE state = 'planned' OR state = 'action_required' OR state = 'pending' OR state = 'unknown';

CREATE TABLE payment_steps (
    id              TEXT COLLATE "C" NOT NULL CHECK (id <> ''),
    operation_id    TEXT COLLATE "C" NOT NULL,
    payment_id      TEXT COLLATE "C" NOT NULL,
    position        BIGINT NOT NULL CHECK (position >= 0),
    revision        BIGINT NOT NULL,
    name            TEXT NOT NULL,
    state           TEXT NOT NULL,
    fence           BOOLEAN NOT NULL,
    moves_money     BOOLEAN NOT NULL,
    local           BOOLEAN NOT NULL,
    recovery        JSON,
    doubt           BOOLEAN NOT NULL,
    closed          BOOLEAN NOT NULL,
    sends           BIGINT NOT NULL CHECK (sends >= 0),
    first_sent      TIMESTAMPTZ,
    last_sent       TIMESTAMPTZ,
    lease_until     TIMESTAMPTZ,
    checks          BIGINT NOT NULL CHECK (checks >= 0),
    due_at          TIMESTAMPTZ,
    ref             TEXT NOT NULL,
    failure_kind    TEXT NOT NULL,
    failure_code    TEXT NOT NULL,
    failure_message TEXT NOT NULL,
    request         BYTEA,
    created_at      TIMESTAMPTZ,
    updated_at      TIMESTAMPTZ,
    PRIMARY KEY (payment_id, id),
    FOREIGN KEY (payment_id, operation_id) REFERENCES payment_operations (payment_id, id)
) WITH (fillfactor = 85);

-- Events are the audit trail and the outbox. A reader that remembers the last
-- seq it saw must never miss one, but transactions commit in another order
-- than they take numbers. So a transaction, before it takes its first number,
-- announces the last number taken so far by a shared advisory lock, which
-- nobody waits for and which ends with the transaction, after its rows became
-- visible. Whoever reads takes the last number first, then looks at the
-- announcements, then reads the rows up to the lowest of them: each number up
-- to there belongs to a transaction that has ended, and is in the snapshot.
-- (Sorting by transaction id instead would lose its order in a dump and
-- restore, and would wait for every other writer of the whole cluster.)
CREATE SEQUENCE payment_events_seq AS BIGINT CACHE 1;

CREATE FUNCTION payment_event_seq() RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    taken BIGINT;
    -- The sequence's own number keeps two installations in one database apart.
    class BIGINT := ('payment_events_seq'::regclass::oid::bigint + 1885433197) & 4294967295;
    mark  TEXT := pg_current_xact_id()::text || ':' || class;
BEGIN
    IF current_setting('payment.writing', true) IS DISTINCT FROM mark THEN
        IF current_setting('synchronous_commit') = 'off' OR current_setting('fsync') = 'off' THEN
            RAISE EXCEPTION 'payment: a commit would not be durable: set synchronous_commit and fsync to on'
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END INTO taken FROM payment_events_seq;
        taken := taken & 4294967295;
        PERFORM pg_advisory_xact_lock_shared(
            (CASE WHEN class > 2147483647 THEN class - 4294967296 ELSE class END)::int,
            (CASE WHEN taken > 2147483647 THEN taken - 4294967296 ELSE taken END)::int);
        PERFORM set_config('payment.writing', mark, true);
    END IF;
    RETURN nextval('payment_events_seq');
END $$;

-- The highest number up to which nothing can still appear. Call it in a
-- statement of its own, before the one that reads events (READ COMMITTED).
CREATE FUNCTION payment_event_horizon() RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    taken  BIGINT;
    behind BIGINT;
BEGIN
    SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END INTO taken FROM payment_events_seq;
    -- The announcements hold the low 32 bits; the nearest number is meant.
    SELECT max((taken - objid::bigint) & 4294967295) INTO behind FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 2
          AND classid::bigint = ('payment_events_seq'::regclass::oid::bigint + 1885433197) & 4294967295
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND pid IS DISTINCT FROM pg_backend_pid()
          AND ((taken - objid::bigint) & 4294967295) <= 2147483647;
    RETURN taken - coalesce(behind, 0);
END $$;

CREATE TABLE payment_events (
    seq             BIGINT PRIMARY KEY DEFAULT payment_event_seq(),
    id              TEXT COLLATE "C" NOT NULL UNIQUE CHECK (id <> ''),
    provider        TEXT NOT NULL,
    dedup           TEXT NOT NULL,
    kind            TEXT NOT NULL,
    status          TEXT NOT NULL,
    step_key        TEXT NOT NULL,
    operation_id    TEXT COLLATE "C" NOT NULL,
    ref             TEXT NOT NULL,
    refs            JSON,
    parent          TEXT NOT NULL,
    amount          BIGINT NOT NULL,
    currency        TEXT NOT NULL,
    cumulative      BOOLEAN NOT NULL,
    captured        BOOLEAN NOT NULL,
    payable         BOOLEAN NOT NULL,
    decline_reason  TEXT NOT NULL,
    decline_code    TEXT NOT NULL,
    decline_detail  JSON,
    expires_at      TIMESTAMPTZ,
    card            JSON,
    three_ds        JSON,
    fee             BIGINT NOT NULL,
    fee_currency    TEXT NOT NULL,
    data            JSON,
    dispute         JSON,
    at              TIMESTAMPTZ,
    recorded_at     TIMESTAMPTZ,
    type            TEXT NOT NULL,
    source          TEXT NOT NULL,
    payment_id      TEXT COLLATE "C" NOT NULL,
    applied         BOOLEAN NOT NULL,
    reason          TEXT NOT NULL,
    state           TEXT NOT NULL,
    payment_status  TEXT NOT NULL,
    failure_kind    TEXT NOT NULL,
    failure_code    TEXT NOT NULL,
    failure_message TEXT NOT NULL,
    who             TEXT NOT NULL,
    cites           TEXT NOT NULL
);

CREATE INDEX payment_events_payment ON payment_events (payment_id, seq);

CREATE FUNCTION payment_refuse_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: record a new event that cites the old one', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER payment_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_events
    FOR EACH STATEMENT EXECUTE FUNCTION payment_refuse_change();
ALTER TABLE payment_events ENABLE ALWAYS TRIGGER payment_events_append_only;

CREATE TABLE payment_claims (
    kind        TEXT COLLATE "C" NOT NULL,
    key         TEXT COLLATE "C" NOT NULL,
    owner       TEXT NOT NULL,
    payment_id  TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA,
    PRIMARY KEY (kind, key)
);

CREATE TABLE payment_methods (
    id             TEXT COLLATE "C" PRIMARY KEY CHECK (id <> ''),
    customer       TEXT NOT NULL,
    provider       TEXT NOT NULL,
    method         TEXT NOT NULL,
    state          TEXT NOT NULL,
    card           JSON,
    ref            TEXT NOT NULL,
    data           JSON,
    decline_reason TEXT NOT NULL,
    decline_code   TEXT NOT NULL,
    decline_detail JSON,
    subject        TEXT COLLATE "C" NOT NULL,
    sealed         BYTEA,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ
);

CREATE INDEX payment_methods_customer ON payment_methods (customer, created_at, id);

CREATE TABLE payment_disputes (
    id           TEXT COLLATE "C" PRIMARY KEY CHECK (id <> ''),
    payment_id   TEXT COLLATE "C" NOT NULL,
    operation_id TEXT COLLATE "C" NOT NULL,
    provider     TEXT NOT NULL,
    ref          TEXT NOT NULL,
    status       TEXT NOT NULL,
    reason       TEXT NOT NULL,
    code         TEXT NOT NULL,
    amount       BIGINT NOT NULL,
    currency     TEXT NOT NULL,
    fee          BIGINT NOT NULL,
    fee_currency TEXT NOT NULL,
    due          TIMESTAMPTZ,
    created_at   TIMESTAMPTZ NOT NULL,
    updated_at   TIMESTAMPTZ
);

CREATE INDEX payment_disputes_created ON payment_disputes (created_at, id);
CREATE INDEX payment_disputes_payment ON payment_disputes (payment_id);

-- A destroyed key leaves its row, so that it can never be made again.
CREATE TABLE payment_subjects (
    subject     TEXT COLLATE "C" PRIMARY KEY,
    wrapped_key BYTEA,
    erased      BOOLEAN NOT NULL,
    CHECK (NOT erased OR wrapped_key IS NULL)
);

CREATE TABLE payment_schema (
    version    BIGINT PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL
);

INSERT INTO payment_schema (version, name, applied_at)
VALUES (1, '001_payments', now());
