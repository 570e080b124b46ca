package sqlstore

import (
	"slices"
	"strconv"
	"strings"
)

// statements are the texts of a dialect. They are built once; values never
// stand in them.
type statements struct {
	insertPayment, savePayment, saveSettled, saveOperation, saveStep, lockPayment, payment, operations, steps string
	insertOperation, insertStep, upsertOperation, upsertStep                                                  []string // by number of rows, see rowSteps
	insertEvent, insertClaim                                                                                  []string // likewise
	claimed, release, unclaim                                                                                 string
	method, methods, saveMethod                                                                               string
	dispute, saveDispute                                                                                      string
	subject, putSubject, destroySubject                                                                       string
	eventsAll, eventsOf, horizon                                                                              string
	claimDue, anyDue, releaseDue                                                                              string
	takeLock, durability                                                                                      string
	// lists that are completed by filters
	payments, disputes string
	ledger             *ledgerStatements
}

// rowSteps are the sizes in which rows are written by one statement: few
// texts, so that each is prepared once.
var rowSteps = [...]int{8, 4, 3, 2, 1}

func sqlOf(d Dialect) *statements {
	q := &statements{
		insertPayment:  insert(paymentTable, paymentTable.names(), 1) + " ON CONFLICT (id) DO NOTHING",
		savePayment:    "UPDATE payment_payments SET " + assign(paymentTable.names()[1:]) + " WHERE id = ? AND version = ?",
		payment:        "SELECT " + list(paymentTable) + " FROM payment_payments WHERE id = ?",
		operations:     "SELECT " + list(operationTable) + " FROM payment_operations WHERE payment_id = ? ORDER BY position, id",
		steps:          "SELECT " + list(stepTable) + " FROM payment_steps WHERE payment_id = ? ORDER BY operation_id, position, id",
		claimed:        "SELECT " + list(claimTable) + " FROM payment_claims WHERE kind = ? AND key = ?",
		release:        "DELETE FROM payment_claims WHERE kind = ? AND key = ? AND owner = ?",
		unclaim:        "DELETE FROM payment_claims WHERE kind = ? AND key = ?",
		method:         "SELECT " + list(methodTable) + " FROM payment_methods WHERE id = ?",
		methods:        "SELECT " + list(methodTable) + " FROM payment_methods WHERE customer = ? ORDER BY created_at, id",
		saveMethod:     insert(methodTable, methodTable.names(), 1) + replace(methodTable),
		dispute:        "SELECT " + list(disputeTable) + " FROM payment_disputes WHERE id = ?",
		saveDispute:    insert(disputeTable, disputeTable.names(), 1) + replace(disputeTable),
		subject:        "SELECT wrapped_key, erased FROM payment_subjects WHERE subject = ?",
		putSubject:     "INSERT INTO payment_subjects (subject, wrapped_key, erased) VALUES (?, ?, ?) ON CONFLICT (subject) DO NOTHING",
		destroySubject: "UPDATE payment_subjects SET wrapped_key = NULL, erased = ? WHERE subject = ?",
		releaseDue:     "UPDATE payment_payments SET lease_owner = NULL, lease_until = NULL WHERE id = ? AND lease_owner = ?",
		payments:       "SELECT " + list(paymentTable) + " FROM payment_payments",
		disputes:       "SELECT " + list(disputeTable) + " FROM payment_disputes",
		anyDue:         "SELECT EXISTS (SELECT 1 FROM payment_payments WHERE due_at <= ? AND (lease_until IS NULL OR lease_until <= ?))",
	}
	q.lockPayment = q.payment
	q.ledger = ledgerOf(d)
	if d == SQLite {
		q.saveSettled = "UPDATE payment_payments SET " + assign(without(paymentTable.names(), settled...)) +
			" WHERE id = ? AND version = ? AND reference = ? AND customer = ? AND created_at = ?"
		q.saveOperation = "UPDATE payment_operations SET " + assign(without(operationTable.names(), settledOperation...)) +
			" WHERE id = ? AND payment_id = ? AND position = ? AND provider = ?"
		q.saveStep = "UPDATE payment_steps SET " + assign(without(stepTable.names(), settledStep...)) +
			" WHERE id = ? AND operation_id = ? AND payment_id = ? AND position = ?"
	}
	events := "SELECT " + list(eventTable) + " FROM payment_events WHERE seq > ?"
	switch d {
	case Postgres:
		// NO KEY: a host's table may refer to payments, and its inserts must
		// not wait.
		q.lockPayment += " FOR NO KEY UPDATE"
		q.horizon = "SELECT payment_event_horizon(), current_setting('transaction_isolation')"
		events += " AND seq <= ?"
		q.claimDue = `WITH due AS MATERIALIZED (SELECT id FROM payment_payments WHERE due_at <= ? AND (lease_until IS NULL OR lease_until <= ?)
			ORDER BY due_at, id LIMIT ? FOR NO KEY UPDATE SKIP LOCKED)
			UPDATE payment_payments p SET lease_owner = ?, lease_until = ? FROM due WHERE p.id = due.id RETURNING p.id, p.due_at`
		q.durability = "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
	default:
		q.claimDue = `WITH due AS (SELECT id FROM payment_payments WHERE due_at <= ? AND (lease_until IS NULL OR lease_until <= ?) ORDER BY due_at, id LIMIT ?)
			UPDATE payment_payments SET lease_owner = ?, lease_until = ? WHERE id IN (SELECT id FROM due) RETURNING id, due_at`
		// A write that changes nothing takes the write lock. A driver's BEGIN may
		// be a deferred one.
		q.takeLock = "DELETE FROM payment_schema WHERE version < 0"
		q.durability = "SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT synchronous FROM pragma_synchronous), (SELECT foreign_keys FROM pragma_foreign_keys)"
	}
	q.eventsAll = events + " ORDER BY seq LIMIT ?"
	q.eventsOf = events + " AND payment_id = ? ORDER BY seq LIMIT ?"
	for _, n := range rowSteps {
		q.insertOperation = append(q.insertOperation, insert(operationTable, operationTable.names(), n)+" ON CONFLICT (payment_id, id) DO NOTHING")
		q.insertStep = append(q.insertStep, insert(stepTable, stepTable.names(), n)+" ON CONFLICT (payment_id, id) DO NOTHING")
		q.upsertOperation = append(q.upsertOperation, insert(operationTable, operationTable.names(), n)+replace(operationTable))
		q.upsertStep = append(q.upsertStep, insert(stepTable, stepTable.names(), n)+replace(stepTable)+
			" WHERE payment_steps.operation_id = excluded.operation_id")
		q.insertEvent = append(q.insertEvent, insert(eventTable, eventTable.names()[1:], n))
		q.insertClaim = append(q.insertClaim, insert(claimTable, claimTable.names(), n))
	}
	if d == Postgres {
		for i := range rowSteps {
			q.insertEvent[i] += " RETURNING id, seq"
			q.insertClaim[i] += " ON CONFLICT (kind, key) DO NOTHING RETURNING kind, key"
		}
		q.each(func(s *string) { *s = number(*s) })
	}
	return q
}

// each calls fn for every text that is complete.
func (q *statements) each(fn func(*string)) {
	for _, s := range []*string{&q.insertPayment, &q.savePayment, &q.saveSettled, &q.saveOperation, &q.saveStep, &q.lockPayment, &q.payment, &q.operations, &q.steps,
		&q.claimed, &q.release, &q.unclaim, &q.method, &q.methods, &q.saveMethod, &q.dispute, &q.saveDispute,
		&q.subject, &q.putSubject, &q.destroySubject, &q.eventsAll, &q.eventsOf, &q.horizon,
		&q.claimDue, &q.anyDue, &q.releaseDue, &q.takeLock, &q.durability} {
		if *s != "" {
			fn(s)
		}
	}
	for _, many := range [][]string{q.insertOperation, q.insertStep, q.upsertOperation, q.upsertStep, q.insertEvent, q.insertClaim} {
		for i := range many {
			fn(&many[i])
		}
	}
}

// settled are the columns of a payment, operation and step that indexes hold
// and that in practice never change. SQLite rewrites an index entry for each
// column that is assigned, changed or not.
var (
	settled          = []string{"id", "reference", "customer", "created_at"}
	settledOperation = []string{"id", "payment_id", "position", "provider"}
	settledStep      = []string{"id", "operation_id", "payment_id", "position"}
)

func without(names []string, drop ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(drop, n) })
}

func list(t table) string { return strings.Join(t.names(), ", ") }

// insert makes an INSERT of n rows.
func insert(t table, names []string, n int) string {
	row := "(?" + strings.Repeat(", ?", len(names)-1) + ")"
	return "INSERT INTO " + t.name + " (" + strings.Join(names, ", ") + ") VALUES " + row + strings.Repeat(", "+row, n-1)
}

// replace makes an insert replace the row with the same id. Where a row stands
// (its owner, its position) never changes.
func replace(t table) string {
	key, names := "id", without(t.names(), "id", "position")
	if t.name == operationTable.name || t.name == stepTable.name {
		key, names = "payment_id, id", without(names, "payment_id", "operation_id")
	}
	set := make([]string, len(names))
	for i, n := range names {
		set[i] = n + " = excluded." + n
	}
	return " ON CONFLICT (" + key + ") DO UPDATE SET " + strings.Join(set, ", ")
}

func assign(names []string) string { return strings.Join(names, " = ?, ") + " = ?" }

// number turns ? into $1, $2, ... for PostgreSQL. No text of this package has
// a question mark of another meaning.
func number(s string) string {
	var b strings.Builder
	n := 0
	for {
		before, after, found := strings.Cut(s, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
		s = after
	}
}
