package sqlstore

// The tables of the ledger. What stands in them stays for good: nothing of a
// person.

var ledgerAccountTable = table{name: "ledger_accounts", columns: []column{
	{"id", ClassID}, {"path", ClassShop}, {"currency", ClassMoney}, {"type", ClassState}, {"mode", ClassState}, {"digest", ClassDigest},
}}

var ledgerJournalTable = table{name: "ledger_journal", columns: []column{
	{"id", ClassID}, {"key", ClassShop}, {"kind", ClassState}, {"fingerprint", ClassDigest}, {"recorded_at", ClassTime}, {"effective_at", ClassTime},
	{"expires_at", ClassTime}, {"of", ClassID}, {"part", ClassState}, {"final", ClassState}, {"lines", ClassPacked}, {"description", ClassWords}, {"metadata", ClassShop},
}}

var ledgerSealTable = table{name: "ledger_seals", columns: []column{
	{"first_seq", ClassID}, {"ids", ClassPacked}, {"marks", ClassDigest}, {"head", ClassDigest}, {"sealed_at", ClassTime}, {"closed_before", ClassTime},
	{"high", ClassID}, {"notes", ClassPacked},
}}

var ledgerPostingTable = table{name: "ledger_postings", columns: []column{
	{"account_id", ClassID}, {"layer", ClassState}, {"seq", ClassID}, {"n", ClassState}, {"record_id", ClassID}, {"amount", ClassMoney},
	{"running", ClassMoney}, {"booked_at", ClassTime},
}, beside: []column{{"volume", ClassID}}} // on SQLite

var ledgerTotalTable = table{name: "ledger_totals", columns: []column{
	{"account_id", ClassID}, {"posted", ClassMoney}, {"held_debit", ClassMoney}, {"held_credit", ClassMoney}, {"version", ClassState},
}}

var ledgerRaiseTable = table{name: "ledger_raises", columns: []column{
	{"id", ClassID}, {"account_id", ClassID}, {"posted", ClassMoney}, {"held_debit", ClassMoney}, {"held_credit", ClassMoney},
}}
