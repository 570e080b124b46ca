package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tender-go/payment/money"
)

// Request is a Change that was checked, on its way into the journal. It holds
// what became of it: stores carry it out with [Carry] and hand it back.
type Request struct {
	kind        Kind
	key         string
	fingerprint Fingerprint
	legs        []leg
	of          string
	amount      money.Amount
	final       bool
	effective   int64
	expires     int64
	conditions  []condition
	fact        bool
	run         bool // Run made it
	description string
	metadata    []byte
	recorded    int64
	group       *byte // not nil: accepted or refused with the others of that group

	record *Record
	waits  bool // for an account that is locked elsewhere
	// Room for the common case.
	legs2  [2]leg
	conds1 [1]condition

	// Receipt and Err are the result.
	Receipt Receipt
	Err     error
}

// Key returns the idempotency key.
func (r *Request) Key() string { return r.key }

type leg struct {
	spec  Spec
	side  Side
	minor int64
	at    int // of its path, while it is carried out
	acct  *Account
}

type condition struct {
	Condition
	spec Spec
	at   int
	acct *Account
}

const (
	maxKey         = 128
	maxEntries     = 1000
	maxConditions  = 100
	maxDescription = 500
	maxMetadata    = 20
	maxMetaKey     = 40
	maxMetaValue   = 200
)

func (t Transaction) request(b *Book) (*Request, error) {
	r := &Request{kind: KindPost, key: t.Key, fact: t.Fact}
	if t.Pending {
		r.kind = KindHold
	}
	if err := r.head("Effective", t.Effective, t.Description, t.Metadata); err != nil {
		return nil, err
	}
	if len(t.Entries) < 2 {
		return nil, r.fail(invalid("Entries", fmt.Sprintf("have %d entries", len(t.Entries)), "give at least one debit and one credit"))
	}
	if err := r.entries(b, t.Entries); err != nil {
		return nil, err
	}
	if err := r.balanced(); err != nil {
		return nil, err
	}
	var err error
	if r.expires, err = r.time("ExpiresAt", t.ExpiresAt); err != nil {
		return nil, err
	}
	if r.expires != 0 && !t.Pending {
		return nil, r.fail(invalid("ExpiresAt", "is set on a transaction that is not pending", "leave it out, or set Pending"))
	}
	if err := r.conditional(b, t.Conditions); err != nil {
		return nil, err
	}
	r.print()
	return r, nil
}

func (s Settlement) request(b *Book) (*Request, error) {
	r := &Request{kind: KindSettle, key: s.Key, of: s.Hold, amount: s.Amount, final: s.Final, fact: s.Fact}
	if err := r.head("Effective", s.Effective, s.Description, s.Metadata); err != nil {
		return nil, err
	}
	return r.drawing(b, "Hold", s.Entries)
}

func (v Void) request(b *Book) (*Request, error) {
	r := &Request{kind: KindVoid, key: v.Key, of: v.Hold, fact: v.Fact}
	if err := r.head("Effective", v.Effective, v.Description, v.Metadata); err != nil {
		return nil, err
	}
	return r.drawing(b, "Hold", nil)
}

func (e Expiry) request(b *Book) (*Request, error) { return e.asked(b, false) }

// ofRun is an expiry that Run found due.
type ofRun struct{ Expiry }

func (e ofRun) request(b *Book) (*Request, error) { return e.asked(b, true) }

func (e Expiry) asked(b *Book, run bool) (*Request, error) {
	r := &Request{kind: KindExpire, key: e.Key, of: e.Hold, fact: e.Fact, run: run}
	if err := r.head("Effective", e.Effective, e.Description, e.Metadata); err != nil {
		return nil, err
	}
	return r.drawing(b, "Hold", nil)
}

func (v Reversal) request(b *Book) (*Request, error) {
	r := &Request{kind: KindReversal, key: v.Key, of: v.Of, amount: v.Amount, fact: v.Fact}
	if err := r.head("Effective", v.Effective, v.Description, v.Metadata); err != nil {
		return nil, err
	}
	if err := r.conditional(b, v.Conditions); err != nil {
		return nil, err
	}
	return r.drawing(b, "Of", v.Entries)
}

func (c Closing) request(*Book) (*Request, error) {
	r := &Request{kind: KindClose, key: c.Key}
	if err := r.head("Before", c.Before, c.Description, nil); err != nil {
		return nil, err
	}
	if r.effective == 0 {
		return nil, r.fail(invalid("Before", "is not set", "name the first instant that stays open"))
	}
	r.print()
	return r, nil
}

// drawing checks what takes from an earlier record.
func (r *Request) drawing(b *Book, field string, entries []Entry) (*Request, error) {
	if p := badKey(r.of); p != "" {
		return nil, r.fail(invalid(field, p, "name the key of the earlier transaction"))
	}
	switch {
	case r.amount == money.Amount{}:
	case len(entries) > 0:
		return nil, r.fail(invalid("Amount", "is given beside Entries", "give one of them"))
	case !r.amount.IsPositive():
		return nil, r.fail(invalid("Amount", "is "+r.amount.String(), "give a positive amount, or none for all that is left"))
	}
	if len(entries) > 0 {
		if err := r.entries(b, entries); err != nil {
			return nil, err
		}
		if err := r.balanced(); err != nil {
			return nil, err
		}
	}
	r.print()
	return r, nil
}

// head checks what every change has.
func (r *Request) head(date string, effective time.Time, description string, metadata map[string]string) error {
	if p := badKey(r.key); p != "" {
		key := r.key
		r.key = ""
		return r.fail(invalid("Key", p, "give 1 to 128 characters of [A-Za-z0-9._:/#-], the same for every retry; it was "+quoted(key)))
	}
	if strings.HasPrefix(r.key, runPrefix) && !r.run {
		return r.fail(invalid("Key", "begins with "+runPrefix, "use another: Run ends holds under such keys"))
	}
	if p := badText(description, maxDescription); p != "" {
		return r.fail(invalid("Description", p, "give one line of at most 500 bytes"))
	}
	r.description = description
	if len(metadata) > maxMetadata {
		return r.fail(invalid("Metadata", fmt.Sprintf("has %d entries", len(metadata)), "give at most 20"))
	}
	for k, v := range metadata {
		if p := badText(k, maxMetaKey); p != "" || k == "" {
			return r.fail(invalid("Metadata", strings.TrimSpace("has a key that is empty or not plain text "+p), "give 1 to 40 bytes without control characters"))
		}
		if p := badText(v, maxMetaValue); p != "" {
			return r.fail(invalid("Metadata["+k+"]", p, "give at most 200 bytes without control characters"))
		}
	}
	if len(metadata) > 0 {
		text, err := json.Marshal(metadata) // keys are sorted
		if err != nil {
			return r.fail(invalid("Metadata", err.Error(), "give plain text"))
		}
		r.metadata = text
	}
	var err error
	r.effective, err = r.time(date, effective)
	return err
}

// Instants outside these years are slips, and some tools cannot read them.
const (
	firstInstant = 1                        // 1970: 0 stands for none
	lastInstant  = 253402300799 * 1_000_000 // the end of 9999
)

func (r *Request) time(field string, t time.Time) (int64, error) {
	if t.IsZero() {
		return 0, nil
	}
	if y := t.UTC().Year(); y < 1970 || y > 9999 {
		return 0, r.fail(invalid(field, "is "+t.UTC().Format(time.RFC3339), "give an instant between 1970 and 9999"))
	}
	return min(max(t.UnixMicro(), firstInstant), lastInstant), nil
}

func (r *Request) entries(b *Book, entries []Entry) error {
	if len(entries) > maxEntries {
		return r.fail(invalid("Entries", fmt.Sprintf("have %d entries", len(entries)), "give at most 1000; split it into several transactions"))
	}
	r.legs = r.legs2[:0]
	for i, e := range entries {
		minor := e.Amount.Minor()
		if e.Side != DebitSide && e.Side != CreditSide || minor <= 0 || minor > MaxAmount {
			return r.badEntry(i, e)
		}
		spec, err := b.spec(e.Account, e.Amount.Currency())
		if err != nil {
			return r.at(i, e, err)
		}
		r.legs = append(r.legs, leg{spec: spec, side: e.Side, minor: minor})
	}
	return nil
}

func (r *Request) badEntry(i int, e Entry) error {
	field := fmt.Sprintf("Entries[%d]", i)
	switch minor := e.Amount.Minor(); {
	case e.Side != DebitSide && e.Side != CreditSide:
		return r.fail(invalid(field+".Side", "is neither side", "use ledger.Debit or ledger.Credit"))
	case minor > MaxAmount:
		err := invalid(field+".Amount", "is more than one entry takes", fmt.Sprintf("give at most %d minor units", int64(MaxAmount)))
		err.Kind = ErrOverflow
		return r.fail(err)
	}
	return r.fail(invalid(field+".Amount", "is "+e.Amount.String(), "give a positive amount; the side says the direction"))
}

// at completes an error about an entry.
func (r *Request) at(i int, e Entry, err error) error {
	if own, ok := err.(*Error); ok { //nolint:errorlint // it comes from the chart, unwrapped
		own.Field = fmt.Sprintf("Entries[%d]", i)
		return r.fail(own)
	}
	bad := invalid(fmt.Sprintf("Entries[%d].Amount", i), err.Error(), "use an ISO 4217 currency")
	bad.Account = e.Account
	return r.fail(bad)
}

// balanced checks that of each currency as much is debited as credited.
func (r *Request) balanced() error {
	one := r.legs[0].spec.Currency
	sum, same := int64(0), true
	for i := range r.legs {
		same = same && r.legs[i].spec.Currency == one
		sum += int64(r.legs[i].side) * r.legs[i].minor // at most 1000 * 2^53
	}
	if same {
		if sum != 0 {
			return r.unbalanced(one, sum)
		}
		return nil
	}
	sums := map[money.Currency]int64{}
	for _, l := range r.legs {
		sums[l.spec.Currency] += int64(l.side) * l.minor
	}
	for c, sum := range sums {
		if sum != 0 {
			return r.unbalanced(c, sum)
		}
	}
	return nil
}

func (r *Request) unbalanced(c money.Currency, sum int64) error {
	more := DebitSide
	if sum < 0 {
		more, sum = CreditSide, -sum
	}
	return r.fail(&Error{Kind: ErrUnbalanced, Field: "Entries", Problem: fmt.Sprintf("do not balance: the %s side of %s is %s more", more, c, money.Of(sum, c)),
		Remedy: "debits and credits of each currency must be equal"})
}

func (r *Request) conditional(b *Book, conditions []Condition) error {
	switch {
	case len(conditions) > maxConditions:
		return r.fail(invalid("Conditions", fmt.Sprintf("are %d", len(conditions)), "give at most 100"))
	case len(conditions) > 0 && r.fact:
		return r.fail(invalid("Conditions", "are put on a fact", "what has happened is recorded in any case: leave out the conditions, or Fact"))
	}
	r.conditions = r.conds1[:0]
	for i, c := range conditions {
		var spec Spec
		for j := range r.legs {
			if r.legs[j].spec.Path == c.Account {
				spec = r.legs[j].spec
			}
		}
		if spec.Path == "" {
			var err error
			if spec, err = b.chart.anyCurrency(c.Account); err != nil {
				if own, ok := err.(*Error); ok { //nolint:errorlint // it comes from the chart, unwrapped
					own.Field = fmt.Sprintf("Conditions[%d]", i)
				}
				return r.fail(err)
			}
		}
		if spec.Mode != Strict {
			err := invalid(fmt.Sprintf("Conditions[%d]", i), "is on an account that keeps no balance at hand", "make it Strict in the chart before it is first used")
			err.Account = c.Account
			return r.fail(err)
		}
		r.conditions = append(r.conditions, condition{Condition: c, spec: spec})
	}
	return nil
}

// print makes the fingerprint: all that was asked, and nothing that is filled
// in later.
func (r *Request) print() {
	var room [512]byte
	b := append(room[:0], "ask1"...)
	final, fact := byte(0), byte(0)
	if r.final {
		final = 1
	}
	if r.fact {
		fact = 1
	}
	b = append(b, byte(r.kind), final, fact)
	b = appendString(b, r.of)
	b = appendString(b, string(r.amount.Currency()))
	for _, n := range [...]int64{r.amount.Minor(), r.effective, r.expires, int64(len(r.legs))} {
		b = binary.AppendVarint(b, n)
	}
	for i := range r.legs {
		l := &r.legs[i]
		b = appendString(b, l.spec.Path)
		b = appendString(b, string(l.spec.Currency))
		b = binary.AppendVarint(b, int64(l.side)*l.minor)
	}
	b = binary.AppendUvarint(b, uint64(len(r.conditions)))
	for _, c := range r.conditions {
		b = appendString(b, c.Account)
		b = binary.AppendVarint(b, c.Floor)
		if c.Version != nil {
			b = append(b, 1)
			b = binary.AppendVarint(b, *c.Version)
		} else {
			b = append(b, 0)
		}
	}
	b = appendString(b, r.description)
	b = append(b, r.metadata...)
	sum := sha256.Sum256(b)
	copy(r.fingerprint[:], sum[:])
}

func (r *Request) fail(err error) error {
	if own, ok := err.(*Error); ok && own.Key == "" { //nolint:errorlint // made here, unwrapped
		own.Key = r.key
	}
	return err
}

func badKey(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > maxKey:
		return fmt.Sprintf("is %d bytes long", len(s))
	}
	for i := 0; i < len(s); i++ {
		if !keyBytes[s[i]] {
			return fmt.Sprintf("has the byte %q", s[i])
		}
	}
	return ""
}

var keyBytes = func() (ok [256]bool) { //nolint:gochecknoglobals // a table
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/#-" {
		ok[c] = true
	}
	return ok
}()

// badText checks a text of one line.
func badText(s string, limit int) string {
	switch {
	case s == "":
		return ""
	case len(s) > limit:
		return fmt.Sprintf("is %d bytes long", len(s))
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069)
	}):
		return "has a line break, a control character or a direction mark"
	}
	return ""
}

func quoted(s string) string {
	const shown = 40
	if len(s) > shown {
		s = s[:shown] + "..."
	}
	return fmt.Sprintf("%q", s)
}

// sortedUnique sorts ids and drops doubles.
func sortedUnique(ids []int64) []int64 {
	slices.Sort(ids)
	return slices.Compact(ids)
}
