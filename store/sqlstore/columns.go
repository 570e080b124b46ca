package sqlstore

// Class says what kind of value a column holds, for whoever has to know where
// personal data is.
type Class string

// The classes. Only ClassSealed and ClassKey columns hold anything of a
// person, and only encrypted.
const (
	ClassID       Class = "id"       // ids of ours
	ClassShop     Class = "shop"     // the shop's own opaque names: reference, customer, idempotency key
	ClassMoney    Class = "money"    // amounts in minor units, currencies
	ClassTime     Class = "time"     // instants
	ClassState    Class = "state"    // enumerations, flags, counters, positions
	ClassProvider Class = "provider" // a provider's ids, codes and non-secret values, scrubbed
	ClassCard     Class = "card"     // a card's description: brand, last four digits, expiry, country
	ClassWords    Class = "words"    // reasons in words, for the shop's staff, without personal values
	ClassSealed   Class = "sealed"   // personal values, encrypted with the subject's key
	ClassKey      Class = "key"      // a subject's key, wrapped; destroyed when the subject is erased
	ClassDigest   Class = "digest"   // keyed fingerprints
	ClassPacked   Class = "packed"   // the ledger's own numbers, packed
	ClassSchema   Class = "schema"   // the state of the migrations
)

// Column is one column of the tables of this package.
type Column struct {
	Table, Name string
	Class       Class
}

// Sealed reports whether the column holds encrypted bytes.
func (c Column) Sealed() bool { return c.Class == ClassSealed || c.Class == ClassKey }

// Columns lists every column of every table, with the class of its values: the
// registry of what is kept, for audits, erasure and the record of processing
// that privacy law asks for.
func Columns() []Column {
	var all []Column
	for _, t := range tables() {
		for _, c := range t.columns {
			all = append(all, Column{t.name, c.name, c.class})
		}
		for _, c := range t.beside {
			all = append(all, Column{t.name, c.name, c.class})
		}
	}
	return all
}

type column struct {
	name  string
	class Class
}

// table lists the columns of a record in the order in which its values are
// written and read, and those beside the record.
type table struct {
	name            string
	columns, beside []column
}

func tables() []table {
	return []table{paymentTable, operationTable, stepTable, eventTable, claimTable, methodTable, disputeTable, subjectTable, schemaTable,
		ledgerAccountTable, ledgerJournalTable, ledgerSealTable, ledgerPostingTable, ledgerTotalTable, ledgerRaiseTable}
}

var paymentTable = table{name: "payment_payments", columns: []column{
	{"id", ClassID}, {"version", ClassState}, {"reference", ClassShop}, {"additional", ClassState}, {"holds_reference", ClassState},
	{"amount", ClassMoney}, {"currency", ClassMoney}, {"customer", ClassShop}, {"capture", ClassState}, {"status", ClassState},
	{"authorized", ClassMoney}, {"authorized_pending", ClassMoney}, {"captured", ClassMoney}, {"captured_pending", ClassMoney},
	{"voided", ClassMoney}, {"voided_pending", ClassMoney}, {"refunded", ClassMoney}, {"refunded_pending", ClassMoney},
	{"disputed", ClassMoney}, {"disputed_pending", ClassMoney}, {"overpaid", ClassMoney}, {"overpaid_pending", ClassMoney},
	{"overpaid_refunded", ClassMoney}, {"overpaid_refunded_pending", ClassMoney}, {"transferred", ClassMoney}, {"transferred_pending", ClassMoney},
	{"totals_other", ClassMoney}, {"route", ClassState}, {"canceled", ClassState}, {"expired", ClassState},
	{"blocked_reason", ClassState}, {"blocked_code", ClassProvider}, {"blocked_detail", ClassProvider},
	{"review_stage", ClassState}, {"review_by", ClassState}, {"review_reason", ClassWords}, {"review_until", ClassTime}, {"review_operation", ClassID}, {"review_passed", ClassState}, {"pre_reviewed", ClassState},
	{"parked_since", ClassTime}, {"parked_operation", ClassID}, {"parked_why", ClassWords}, {"parked_missing", ClassWords},
	{"unattended", ClassState}, {"subject", ClassID}, {"sealed", ClassSealed},
	{"created_at", ClassTime}, {"updated_at", ClassTime}, {"expires_at", ClassTime}, {"due_at", ClassTime},
}, beside: []column{{"lease_owner", ClassState}, {"lease_until", ClassTime}}}

var operationTable = table{name: "payment_operations", columns: []column{
	{"id", ClassID}, {"payment_id", ClassID}, {"position", ClassState}, {"revision", ClassState}, {"kind", ClassState}, {"origin", ClassState}, {"asked_key", ClassID},
	{"state", ClassState}, {"sale", ClassState}, {"amount", ClassMoney}, {"currency", ClassMoney}, {"approved", ClassMoney}, {"approved_currency", ClassMoney},
	{"provider", ClassState}, {"method", ClassState}, {"target", ClassID}, {"dispute", ClassID}, {"ref", ClassProvider}, {"refs", ClassProvider}, {"data", ClassProvider},
	{"charging", ClassState}, {"payable", ClassState}, {"payable_until", ClassTime}, {"expires_at", ClassTime},
	{"overpaid", ClassState}, {"superseded", ClassState}, {"final", ClassState},
	{"decline_reason", ClassState}, {"decline_code", ClassProvider}, {"decline_detail", ClassProvider},
	{"failure_kind", ClassState}, {"failure_code", ClassProvider}, {"failure_message", ClassProvider}, {"why", ClassWords},
	{"card", ClassCard}, {"three_ds", ClassProvider}, {"fee", ClassMoney}, {"fee_currency", ClassMoney}, {"splits", ClassMoney},
	{"sealed", ClassSealed}, {"created_at", ClassTime}, {"updated_at", ClassTime},
}}

var stepTable = table{name: "payment_steps", columns: []column{
	{"id", ClassID}, {"operation_id", ClassID}, {"payment_id", ClassID}, {"position", ClassState}, {"revision", ClassState}, {"name", ClassState},
	{"state", ClassState}, {"fence", ClassState}, {"moves_money", ClassState}, {"local", ClassState}, {"recovery", ClassState},
	{"doubt", ClassState}, {"closed", ClassState}, {"sends", ClassState}, {"first_sent", ClassTime}, {"last_sent", ClassTime}, {"lease_until", ClassTime},
	{"checks", ClassState}, {"due_at", ClassTime}, {"ref", ClassProvider},
	{"failure_kind", ClassState}, {"failure_code", ClassProvider}, {"failure_message", ClassProvider},
	{"request", ClassSealed}, {"created_at", ClassTime}, {"updated_at", ClassTime},
}}

// The first column, seq, is given by the database.
var eventTable = table{name: "payment_events", columns: []column{
	{"seq", ClassState}, {"id", ClassID}, {"provider", ClassState}, {"dedup", ClassProvider}, {"kind", ClassState}, {"status", ClassState},
	{"step_key", ClassID}, {"operation_id", ClassID}, {"ref", ClassProvider}, {"refs", ClassProvider}, {"parent", ClassProvider},
	{"amount", ClassMoney}, {"currency", ClassMoney}, {"cumulative", ClassState}, {"captured", ClassState}, {"payable", ClassState},
	{"decline_reason", ClassState}, {"decline_code", ClassProvider}, {"decline_detail", ClassProvider}, {"expires_at", ClassTime},
	{"card", ClassCard}, {"three_ds", ClassProvider}, {"fee", ClassMoney}, {"fee_currency", ClassMoney}, {"data", ClassProvider}, {"dispute", ClassProvider},
	{"at", ClassTime}, {"recorded_at", ClassTime}, {"type", ClassState}, {"source", ClassState}, {"payment_id", ClassID},
	{"applied", ClassState}, {"reason", ClassWords}, {"state", ClassState}, {"payment_status", ClassState},
	{"failure_kind", ClassState}, {"failure_code", ClassProvider}, {"failure_message", ClassProvider}, {"who", ClassWords}, {"cites", ClassID},
}}

var claimTable = table{name: "payment_claims", columns: []column{
	{"kind", ClassState}, {"key", ClassShop}, {"owner", ClassID}, {"payment_id", ClassID}, {"fingerprint", ClassDigest},
}}

var methodTable = table{name: "payment_methods", columns: []column{
	{"id", ClassID}, {"customer", ClassShop}, {"provider", ClassState}, {"method", ClassState}, {"state", ClassState}, {"card", ClassCard},
	{"ref", ClassProvider}, {"data", ClassProvider}, {"decline_reason", ClassState}, {"decline_code", ClassProvider}, {"decline_detail", ClassProvider},
	{"subject", ClassID}, {"sealed", ClassSealed}, {"created_at", ClassTime}, {"updated_at", ClassTime},
}}

var disputeTable = table{name: "payment_disputes", columns: []column{
	{"id", ClassID}, {"payment_id", ClassID}, {"operation_id", ClassID}, {"provider", ClassState}, {"ref", ClassProvider}, {"status", ClassState},
	{"reason", ClassProvider}, {"code", ClassProvider}, {"amount", ClassMoney}, {"currency", ClassMoney}, {"fee", ClassMoney}, {"fee_currency", ClassMoney},
	{"due", ClassTime}, {"created_at", ClassTime}, {"updated_at", ClassTime},
}}

var subjectTable = table{name: "payment_subjects", columns: []column{
	{"subject", ClassID}, {"wrapped_key", ClassKey}, {"erased", ClassState},
}}

var schemaTable = table{name: "payment_schema", columns: []column{
	{"version", ClassSchema}, {"name", ClassSchema}, {"applied_at", ClassTime},
}}

func (t table) names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}
