package sqlstore

import "strings"

// ledgerStatements are the ledger's texts of a dialect.
type ledgerStatements struct {
	accountByPath, accountsByPath, accountsByID, accountPage, openAccount, openTotals    string
	recordByKey, recordsByKey, recordsByID, parts, journalPage, expiring, closed         string
	appendRecords                                                                        []string // SQLite, by ledgerSteps
	totalOf, totalsOf, totalPage, glance                                                 string
	postOne                                                                              [3]string // PostgreSQL, by the number of strict accounts
	saveTotals                                                                           []string  // SQLite, by ledgerSteps
	lock, lockFree, fold, foldFree, patience, post, sealLock, ownXID                     string    // PostgreSQL
	lastBlock, blockBy, blockAt, blockHolding, blockPage, insertBlock, unsealed, running string
	insertPostings                                                                       []string // SQLite by ledgerSteps, PostgreSQL one
	postings, allPostings                                                                string
	volumeAfter, runningOfAll                                                            string // SQLite
}

// ledgerSteps are the sizes in which SQLite writes rows by one statement.
var ledgerSteps = [...]int{32, 8, 2, 1}

const (
	accountList = "id, path, currency, type, mode, digest"
	journalList = "id, key, kind, fingerprint, recorded_at, effective_at, expires_at, of, part, final, lines, description, metadata"
	blockList   = "first_seq, ids, marks, head, sealed_at, closed_before, high, notes"
	totalList   = "account_id, posted, held_debit, held_credit, version"
	postingList = "account_id, layer, seq, n, record_id, amount, running, booked_at"

	ofLayer = "account_id = ? AND layer = ? AND (seq > ? OR seq = ? AND n > ?) AND seq <= ? AND booked_at >= ? AND booked_at < ? ORDER BY seq, n LIMIT ?"

	journalColumns = 12 // without id
	postingColumns = 8
	strictColumns  = 5
)

func ledgerOf(d Dialect) *ledgerStatements {
	journal := "SELECT " + journalList + " FROM ledger_journal "
	blocks := "SELECT " + blockList + " FROM ledger_seals "
	ended := " AND NOT EXISTS (SELECT 1 FROM ledger_journal e WHERE e.of = j.id AND e.final)"
	q := &ledgerStatements{
		accountByPath: "SELECT " + accountList + " FROM ledger_accounts WHERE path = ?",
		accountPage:   "SELECT " + accountList + " FROM ledger_accounts WHERE id > ? ORDER BY id LIMIT ?",
		openAccount:   "INSERT INTO ledger_accounts (path, currency, type, mode, digest) VALUES (?, ?, ?, ?, ?) ON CONFLICT (path) DO NOTHING RETURNING id",
		openTotals:    "INSERT INTO ledger_totals (account_id, posted, held_debit, held_credit, version) VALUES (?, 0, 0, 0, 0)",
		recordByKey:   journal + "WHERE key = ?",
		journalPage:   journal + "WHERE id > ? ORDER BY id LIMIT ?",
		closed:        "SELECT coalesce(max(effective_at), 0) FROM ledger_journal WHERE kind = 7",
		expiring:      "SELECT j.id, j.key, j.expires_at FROM ledger_journal j WHERE j.expires_at > ? AND j.expires_at <= ?" + ended + " ORDER BY j.expires_at, j.id LIMIT ?",
		totalOf:       "SELECT " + totalList + " FROM ledger_totals WHERE account_id = ?",
		totalPage:     "SELECT " + totalList + " FROM ledger_totals WHERE account_id > ? ORDER BY account_id LIMIT ?",
		lastBlock:     blocks + "ORDER BY first_seq DESC LIMIT 1",
		blockBy:       blocks + "WHERE sealed_at <= ? ORDER BY sealed_at DESC, first_seq DESC LIMIT 1",
		blockAt:       "SELECT first_seq FROM ledger_seals WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1",
		blockHolding:  blocks + "WHERE high >= ? ORDER BY high, first_seq LIMIT ?",
		blockPage:     blocks + "WHERE first_seq > ? ORDER BY first_seq LIMIT ?",
		insertBlock:   "INSERT INTO ledger_seals (" + blockList + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	}
	if d == Postgres {
		q.postgres(journal)
		return q
	}
	among := func(column string) string { return "WHERE " + column + " IN (SELECT value FROM json_each(?))" }
	q.accountsByPath = "SELECT " + accountList + " FROM ledger_accounts " + among("path")
	q.accountsByID = "SELECT " + accountList + " FROM ledger_accounts " + among("id")
	q.recordsByKey = journal + among("key")
	q.recordsByID = journal + among("id")
	q.parts = journal + among("of") + " ORDER BY of, part"
	q.totalsOf = "SELECT " + totalList + " FROM ledger_totals " + among("account_id")
	one := func(t string) string {
		return "coalesce(" + t + ".account_id, 0), coalesce(" + t + ".posted, 0), coalesce(" + t + ".held_debit, 0), coalesce(" + t + ".held_credit, 0), coalesce(" + t + ".version, 0)"
	}
	q.glance = "SELECT coalesce((SELECT max(effective_at) FROM ledger_journal WHERE kind = 7), 0), coalesce((SELECT id FROM ledger_journal WHERE key = ?), 0), " + one("a") + ", " + one("b") +
		" FROM (SELECT 1) LEFT JOIN ledger_totals a ON a.account_id = ? LEFT JOIN ledger_totals b ON b.account_id = ?"
	q.unsealed = journal + "WHERE id > ? ORDER BY id LIMIT ?"
	// From volume to volume, back to the last that has the account.
	last := `(WITH RECURSIVE v (n) AS (SELECT max(volume) FROM ledger_postings WHERE volume <= ?
		UNION ALL SELECT (SELECT max(volume) FROM ledger_postings WHERE volume < v.n) FROM v WHERE v.n IS NOT NULL)
		SELECT running FROM (SELECT (SELECT running FROM ledger_postings WHERE volume = v.n AND account_id = ? AND layer = @ AND seq <= ? ORDER BY seq DESC, n DESC LIMIT 1) AS running FROM v)
		WHERE running IS NOT NULL LIMIT 1)`
	var layers []string
	for _, l := range []string{"0", "1", "2"} {
		layers = append(layers, "coalesce("+strings.Replace(last, "@", l, 1)+", 0)")
	}
	q.running = "SELECT " + strings.Join(layers, ", ")
	q.postings = "SELECT " + postingList + ", volume FROM ledger_postings WHERE volume = ? AND " + ofLayer
	q.allPostings = "SELECT " + postingList + ", volume FROM ledger_postings WHERE (volume, account_id, layer, seq, n) > (?, ?, ?, ?, ?) ORDER BY volume, account_id, layer, seq, n LIMIT ?"
	// A volume at a time, and of each account and layer there the last: n stays
	// below 4096, since a record has at most 3000 lines.
	q.runningOfAll = `SELECT account_id, layer, running FROM (SELECT volume, account_id, layer, running, max(seq * 4096 + n) FROM ledger_postings
		WHERE seq <= ? GROUP BY volume, account_id, layer) ORDER BY volume`
	q.volumeAfter = `WITH RECURSIVE v (n) AS (SELECT min(volume) FROM ledger_postings WHERE volume > ?
		UNION ALL SELECT (SELECT min(volume) FROM ledger_postings WHERE volume > v.n) FROM v WHERE v.n < ?)
		SELECT coalesce((SELECT n FROM v WHERE n <= ? AND EXISTS (SELECT 1 FROM ledger_postings WHERE volume = v.n AND account_id = ? AND layer = ?) LIMIT 1), -1)`
	for _, n := range ledgerSteps {
		q.appendRecords = append(q.appendRecords, rowsOf("ledger_journal", strings.TrimPrefix(journalList, "id, "), journalColumns, n))
		q.insertPostings = append(q.insertPostings, rowsOf("ledger_postings", "volume, "+postingList, postingColumns+1, n))
		q.saveTotals = append(q.saveTotals, rowsOf("ledger_totals", totalList, strictColumns, n)+
			" ON CONFLICT (account_id) DO UPDATE SET posted = excluded.posted, held_debit = excluded.held_debit, held_credit = excluded.held_credit, version = excluded.version")
	}
	return q
}

func rowsOf(table, list string, columns, n int) string {
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	return "INSERT INTO " + table + " (" + list + ") VALUES " + row + strings.Repeat(", "+row, n-1)
}

func (q *ledgerStatements) postgres(journal string) {
	q.accountsByPath = "SELECT " + accountList + " FROM ledger_accounts WHERE path = ANY (?::TEXT[])"
	q.accountsByID = "SELECT " + accountList + " FROM ledger_accounts WHERE id = ANY (?::BIGINT[])"
	q.recordsByKey = journal + "WHERE key = ANY (?::TEXT[])"
	q.recordsByID = journal + "WHERE id = ANY (?::BIGINT[])"
	q.parts = journal + "WHERE of = ANY (?::BIGINT[]) ORDER BY of, part"
	totals := "SELECT " + totalList + " FROM ledger_totals WHERE account_id = ANY (?::BIGINT[])"
	q.lock = totals + " ORDER BY account_id FOR NO KEY UPDATE"
	q.lockFree = q.lock + " SKIP LOCKED"
	q.fold = `WITH gone AS (DELETE FROM ledger_raises WHERE account_id = ANY (?::BIGINT[]) RETURNING account_id, posted, held_debit, held_credit),
		by_account AS (SELECT account_id, sum(posted) AS posted, sum(held_debit) AS held_debit, sum(held_credit) AS held_credit FROM gone GROUP BY account_id)
		UPDATE ledger_totals t SET posted = ledger_clamp(t.posted + g.posted), held_debit = ledger_clamp(t.held_debit + g.held_debit), held_credit = ledger_clamp(t.held_credit + g.held_credit)
		FROM by_account g WHERE t.account_id = g.account_id RETURNING t.account_id, t.posted, t.held_debit, t.held_credit, t.version`
	q.foldFree = "SELECT ledger_fold_free()"
	q.patience = "SELECT set_config('lock_timeout', ?, true)"
	q.post = "SELECT ledger_post(?::TEXT, ?::BIGINT, ?::BIGINT[], ?::BIGINT[], ?::BIGINT[], ?::BIGINT[], ?::BIGINT[], ?::BIGINT[], ?::BOOLEAN[], ?::BIGINT[], ?::SMALLINT[]," +
		" ?::TEXT[], ?::BYTEA[], ?::BIGINT[], ?::BYTEA[], ?::SMALLINT[], ?::BIGINT[], ?::BIGINT[], ?::BIGINT[], ?::INTEGER[], ?::BOOLEAN[], ?::TEXT[], ?::TEXT[])::TEXT"
	for n := range q.postOne {
		q.postOne[n] = number(postOne(n))
	}
	q.sealLock = "SELECT pg_try_advisory_xact_lock(7239381274610959)"
	q.ownXID = "SELECT pg_current_xact_id()::TEXT::BIGINT"
	q.unsealed = "SELECT pg_snapshot_xmin(s.now)::TEXT::BIGINT, j.* FROM (SELECT pg_current_snapshot() AS now) s, (" +
		"(" + journal + "WHERE id = ANY (?::BIGINT[])) UNION ALL (" + journal + "WHERE id > ? ORDER BY id LIMIT ?)) j"
	q.running = `SELECT a.id, l.layer, p.running FROM unnest(?::BIGINT[]) AS a (id) CROSS JOIN (VALUES (0), (1), (2)) AS l (layer)
		CROSS JOIN LATERAL (SELECT running FROM ledger_postings p WHERE p.account_id = a.id AND p.layer = l.layer AND p.seq <= ? ORDER BY p.seq DESC, p.n DESC LIMIT 1) p`
	q.postings = "SELECT " + postingList + ", 0 FROM ledger_postings WHERE " + ofLayer
	q.allPostings = "SELECT " + postingList + ", 0 FROM ledger_postings WHERE (account_id, layer, seq, n) > (?, ?, ?, ?) ORDER BY account_id, layer, seq, n LIMIT ?"
	q.insertPostings = []string{"INSERT INTO ledger_postings (" + postingList + ") SELECT * FROM unnest(?::BIGINT[], ?::SMALLINT[], ?::BIGINT[], ?::INTEGER[], ?::BIGINT[], ?::BIGINT[], ?::BIGINT[], ?::BIGINT[])"}
	raised := "(SELECT account_id, sum(posted) AS posted, sum(held_debit) AS held_debit, sum(held_credit) AS held_credit FROM ledger_raises"
	// What runs over was never written: it is cut, so that Verify can name it.
	both := func(column string) string {
		return "least(greatest(coalesce(t." + column + "::NUMERIC, 0) + coalesce(r." + column + ", 0), -9223372036854775808), 9223372036854775807)::BIGINT"
	}
	whole := "SELECT coalesce(t.account_id, r.account_id), " + both("posted") + ", " + both("held_debit") + ", " + both("held_credit") + ", coalesce(t.version, 0) FROM "
	q.totalOf = whole + "(SELECT " + totalList + " FROM ledger_totals WHERE account_id = ?) t FULL JOIN " + raised + " WHERE account_id = ? GROUP BY account_id) r ON r.account_id = t.account_id"
	q.totalPage = whole + "(SELECT " + totalList + " FROM ledger_totals WHERE account_id > ?) t FULL JOIN " + raised + " WHERE account_id > ? GROUP BY account_id) r ON r.account_id = t.account_id ORDER BY 1 LIMIT ?"
	q.each(func(s *string) { *s = number(*s) })
}

// postOne is a lone post on n strict accounts in one statement, a third faster
// than ledger_post, which does the same for many: see there. It waits for no
// lock longer than the time given. What does not fit ends it with an error, and
// is looked at step by step.
func postOne(n int) string {
	const patient = "set_config('lock_timeout', ?, true) IS NOT NULL"
	text, fits := "WITH ", ""
	for i, name := range []string{"a", "b"}[:n] {
		text += name + ` AS (UPDATE ledger_totals t SET posted = t.posted + w.posted, held_debit = t.held_debit + w.debit, held_credit = t.held_credit + w.credit, version = t.version + w.taken
			FROM (SELECT ?::BIGINT AS id, ?::BIGINT AS posted, ?::BIGINT AS debit, ?::BIGINT AS credit, ?::BIGINT AS taken, ?::BIGINT AS least, ?::BIGINT AS side) w
			WHERE t.account_id = w.id AND ` + patient + ` AND (w.least IS NULL OR w.least <= CASE WHEN w.side > 0 THEN t.posted - t.held_credit ELSE -t.posted - t.held_debit END)
			AND t.posted + w.posted BETWEEN -4611686018427387904 AND 4611686018427387904 AND t.held_debit + w.debit <= 4611686018427387904 AND t.held_credit + w.credit <= 4611686018427387904
			RETURNING 1), `
		if i > 0 {
			fits += " AND "
		}
		fits += "EXISTS (SELECT 1 FROM " + name + ")"
	}
	if n > 0 {
		fits = " AND " + fits
	}
	// The xid before the number: see ledger_post.
	return text + `j AS (INSERT INTO ledger_journal (id, key, fingerprint, recorded_at, lines, kind, effective_at, expires_at, final, description, metadata)
		SELECT nextval('ledger_journal_seq'), w.* FROM (SELECT ?::TEXT, ?::BYTEA, ?::BIGINT, ?::BYTEA, ?::SMALLINT, ?::BIGINT, ?::BIGINT, false, ?::TEXT, ?::TEXT) w
		WHERE pg_current_xact_id() IS NOT NULL AND ` + patient + fits + `
		AND NOT EXISTS (SELECT 1 FROM ledger_journal c WHERE c.kind = 7 AND c.effective_at > ?::BIGINT)
		RETURNING id) SELECT coalesce((SELECT id FROM j), ledger_refuse())`
}

// each calls fn for every text.
func (q *ledgerStatements) each(fn func(*string)) {
	for _, s := range []*string{&q.accountByPath, &q.accountsByPath, &q.accountsByID, &q.accountPage, &q.openAccount, &q.openTotals,
		&q.recordByKey, &q.recordsByKey, &q.recordsByID, &q.parts, &q.journalPage, &q.expiring, &q.closed, &q.totalOf, &q.totalsOf, &q.totalPage, &q.glance,
		&q.lock, &q.lockFree, &q.fold, &q.foldFree, &q.patience, &q.post, &q.sealLock, &q.lastBlock, &q.blockBy, &q.blockAt, &q.blockHolding, &q.blockPage, &q.insertBlock,
		&q.unsealed, &q.running, &q.postings, &q.allPostings, &q.volumeAfter, &q.runningOfAll} {
		if *s != "" {
			fn(s)
		}
	}
	for _, many := range [][]string{q.appendRecords, q.insertPostings, q.saveTotals} {
		for i := range many {
			fn(&many[i])
		}
	}
}
