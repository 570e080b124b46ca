-- The ledger. Amounts are minor units of the account's currency, instants
-- microseconds since 1970 (UTC). All but ledger_totals is insert-only.

CREATE TABLE ledger_accounts (
    id       INTEGER PRIMARY KEY,
    path     TEXT NOT NULL UNIQUE CHECK (path <> ''),
    currency TEXT NOT NULL,
    -- 1 asset, 2 expense, 3 liability, 4 equity, 5 income
    type     INTEGER NOT NULL,
    -- 0 deferred, 1 strict
    mode     INTEGER NOT NULL,
    -- SHA-256 of the columns above but id
    digest   BLOB NOT NULL
) STRICT;

-- One row for each change, in the commit that makes it.
CREATE TABLE ledger_journal (
    id           INTEGER PRIMARY KEY,
    key          TEXT NOT NULL UNIQUE CHECK (key <> ''),
    -- 1 post, 2 hold, 3 settle, 4 void, 5 expire, 6 reversal, 7 close
    kind         INTEGER NOT NULL,
    fingerprint  BLOB NOT NULL,
    recorded_at  INTEGER NOT NULL,
    effective_at INTEGER, -- NULL: as recorded_at
    expires_at   INTEGER,
    -- The row that it settles, ends or takes back, and its number among those.
    of           INTEGER,
    part         INTEGER,
    final        INTEGER NOT NULL CHECK (final IN (0, 1)),
    -- Accounts and amounts, packed; ledger_postings has them in clear.
    lines        BLOB NOT NULL,
    description  TEXT,
    metadata     TEXT
) STRICT;

CREATE UNIQUE INDEX ledger_journal_parts ON ledger_journal (of, part) WHERE of IS NOT NULL;
CREATE INDEX ledger_journal_expiring ON ledger_journal (expires_at, id) WHERE expires_at IS NOT NULL;
CREATE INDEX ledger_journal_closings ON ledger_journal (effective_at) WHERE kind = 7;

-- Numbers without gaps, and the chain of hashes, for blocks of journal rows.
CREATE TABLE ledger_seals (
    first_seq     INTEGER PRIMARY KEY,
    ids           BLOB NOT NULL, -- of the rows, packed
    marks         BLOB NOT NULL, -- eight bytes of the hash after each
    head          BLOB NOT NULL, -- the hash after the last
    sealed_at     INTEGER NOT NULL,
    closed_before INTEGER NOT NULL,
    high          INTEGER NOT NULL,
    notes         BLOB NOT NULL -- the highest account that was posted to
) STRICT;

CREATE INDEX ledger_seals_at ON ledger_seals (sealed_at);
CREATE INDEX ledger_seals_high ON ledger_seals (high);

-- The page of each account: what sealed rows post to it. It comes in volumes
-- of 65536 numbers: lines of many accounts that are posted together lie on few
-- pages of a thin volume, and on a page each among all that was ever posted.
CREATE TABLE ledger_postings (
    volume     INTEGER NOT NULL, -- seq / 65536
    account_id INTEGER NOT NULL,
    -- 0 posted (debits positive), 1 held debit, 2 held credit
    layer      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    record_id  INTEGER NOT NULL,
    amount     INTEGER NOT NULL,
    running    INTEGER NOT NULL,
    booked_at  INTEGER NOT NULL,
    PRIMARY KEY (volume, account_id, layer, seq, n)
) STRICT, WITHOUT ROWID;

-- What strict accounts come to, in every commit.
CREATE TABLE ledger_totals (
    account_id  INTEGER PRIMARY KEY,
    posted      INTEGER NOT NULL,
    held_debit  INTEGER NOT NULL,
    held_credit INTEGER NOT NULL,
    version     INTEGER NOT NULL
) STRICT;

CREATE TRIGGER ledger_accounts_no_update BEFORE UPDATE ON ledger_accounts
BEGIN SELECT RAISE(ABORT, 'ledger_accounts is append-only: open another account'); END;
CREATE TRIGGER ledger_accounts_no_delete BEFORE DELETE ON ledger_accounts
BEGIN SELECT RAISE(ABORT, 'ledger_accounts is append-only: open another account'); END;
CREATE TRIGGER ledger_journal_no_update BEFORE UPDATE ON ledger_journal
BEGIN SELECT RAISE(ABORT, 'ledger_journal is append-only: post a reversal'); END;
CREATE TRIGGER ledger_journal_no_delete BEFORE DELETE ON ledger_journal
BEGIN SELECT RAISE(ABORT, 'ledger_journal is append-only: post a reversal'); END;
CREATE TRIGGER ledger_seals_no_update BEFORE UPDATE ON ledger_seals
BEGIN SELECT RAISE(ABORT, 'ledger_seals is append-only'); END;
CREATE TRIGGER ledger_seals_no_delete BEFORE DELETE ON ledger_seals
BEGIN SELECT RAISE(ABORT, 'ledger_seals is append-only'); END;
CREATE TRIGGER ledger_postings_no_update BEFORE UPDATE ON ledger_postings
BEGIN SELECT RAISE(ABORT, 'ledger_postings is append-only: post a reversal'); END;
CREATE TRIGGER ledger_postings_no_delete BEFORE DELETE ON ledger_postings
BEGIN SELECT RAISE(ABORT, 'ledger_postings is append-only: post a reversal'); END;

-- INSERT OR REPLACE removes a row without asking the triggers above. A number
-- that the insert leaves to the database reads as -1 here.
CREATE TRIGGER ledger_accounts_no_replace BEFORE INSERT ON ledger_accounts
WHEN EXISTS (SELECT 1 FROM ledger_accounts WHERE path = NEW.path)
    OR NEW.id <> -1 AND EXISTS (SELECT 1 FROM ledger_accounts WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'ledger_accounts is append-only: this account is open already'); END;
CREATE TRIGGER ledger_journal_no_replace BEFORE INSERT ON ledger_journal
WHEN EXISTS (SELECT 1 FROM ledger_journal WHERE key = NEW.key)
    OR NEW.id <> -1 AND EXISTS (SELECT 1 FROM ledger_journal WHERE id = NEW.id)
    OR NEW.of IS NOT NULL AND EXISTS (SELECT 1 FROM ledger_journal WHERE of = NEW.of AND part = NEW.part)
BEGIN SELECT RAISE(ABORT, 'ledger_journal is append-only: this is recorded already'); END;
CREATE TRIGGER ledger_seals_no_replace BEFORE INSERT ON ledger_seals
WHEN EXISTS (SELECT 1 FROM ledger_seals WHERE first_seq = NEW.first_seq)
BEGIN SELECT RAISE(ABORT, 'ledger_seals is append-only: this is sealed already'); END;
CREATE TRIGGER ledger_postings_no_replace BEFORE INSERT ON ledger_postings
WHEN NEW.seq < (SELECT first_seq + length(marks) / 8 FROM ledger_seals ORDER BY first_seq DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'ledger_postings is append-only: this is posted already'); END;

-- For people: what was posted to whom, with dates.
CREATE VIEW ledger_book AS
SELECT p.seq, p.n, a.path AS account, a.currency, CASE p.layer WHEN 0 THEN 'posted' WHEN 1 THEN 'held debit' ELSE 'held credit' END AS layer,
    p.amount, p.running, j.key, j.description, strftime('%Y-%m-%d %H:%M:%f', p.booked_at / 1000000.0, 'unixepoch') AS booked
FROM ledger_postings p JOIN ledger_accounts a ON a.id = p.account_id JOIN ledger_journal j ON j.id = p.record_id;

INSERT INTO payment_schema (version, name, applied_at)
VALUES (2, '002_ledger', CAST(strftime('%s', 'now') AS INTEGER) * 1000000);
