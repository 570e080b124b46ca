package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// small returns a payment with one operation and one step.
func (c *checker) small() *payment.Payment {
	id := c.id("p")
	o := c.operation(id, 1)
	return &payment.Payment{ID: id, Version: 1, Reference: "order-" + id, Customer: "customer-" + id,
		Amount: money.Of(1999, money.EUR), Status: payment.StatusCreated, Operations: []*payment.Operation{o},
		CreatedAt: epoch.Add(time.Duration(c.n) * time.Second), UpdatedAt: epoch}
}

// operation returns an operation with one step, last changed at a revision.
func (c *checker) operation(paymentID string, revision int64) *payment.Operation {
	id := c.id("o")
	return &payment.Operation{ID: id, PaymentID: paymentID, Revision: revision, Kind: payment.OpAuthorize,
		State: payment.StatePlanned, Amount: money.Of(1999, money.EUR), Provider: "fake",
		Steps:     []*payment.Step{c.step(id, revision)},
		CreatedAt: epoch, UpdatedAt: epoch}
}

func (c *checker) step(operationID string, revision int64) *payment.Step {
	return &payment.Step{ID: c.id(operationID + "s"), OperationID: operationID, Revision: revision, Name: "create",
		State: payment.StatePlanned, CreatedAt: epoch, UpdatedAt: epoch}
}

func (c *checker) event(paymentID string) *payment.Event {
	return &payment.Event{ID: c.id("e"), PaymentID: paymentID, Type: payment.EventFact, RecordedAt: epoch}
}

// next returns a copy of a payment as its next version, with nothing else
// changed.
func next(p *payment.Payment) *payment.Payment {
	n := *p
	n.Version++
	return &n
}

// filler sets every field of a record to a random value, by reflection: a
// field that a store forgets differs afterwards.
type filler struct{ rand *rand.Rand }

func newFiller(seed uint64) filler { return filler{rand.New(rand.NewPCG(seed, 7))} }

var (
	typeTime   = reflect.TypeFor[time.Time]()
	typeAmount = reflect.TypeFor[money.Amount]()
	typeSecret = reflect.TypeFor[payment.Secret]()
	typeAction = reflect.TypeFor[*payment.Action]()
	typeOps    = reflect.TypeFor[[]*payment.Operation]()
	typeSteps  = reflect.TypeFor[[]*payment.Step]()
)

// fill fills v, a pointer to a struct. Operations, steps, and what only Sealed
// may hold are left out.
func (f filler) fill(v any) { f.value(reflect.ValueOf(v).Elem()) }

func (f filler) value(v reflect.Value) {
	switch v.Type() {
	case typeTime:
		v.Set(reflect.ValueOf(f.time()))
		return
	case typeAmount:
		v.Set(reflect.ValueOf(f.amount()))
		return
	case typeSecret, typeAction, typeOps, typeSteps:
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1 + f.rand.Int64N(1<<(v.Type().Bits()-2)))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		v.SetUint(1 + f.rand.Uint64N(200))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.value(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			f.value(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 3 {
			key, val := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.value(key)
			f.value(val)
			v.SetMapIndex(key, val)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				f.value(v.Field(i))
			}
		}
	default:
		panic(fmt.Sprintf("storetest: a record has a field of kind %s: teach the filler", v.Kind()))
	}
}

// text returns a word with letters beyond ASCII, quotes and what SQL and JSON
// treat specially.
func (f filler) text() string {
	odd := []string{"é", "漢", "😀", `"`, "'", `\`, "%", "\n", "<", "\u2028", " ", "\x7f"}
	return fmt.Sprintf("x%d%s%s", f.rand.Uint64(), odd[f.rand.IntN(len(odd))], odd[f.rand.IntN(len(odd))]) + "z"
}

func (f filler) time() time.Time {
	return time.UnixMicro(f.rand.Int64N(4e15)).UTC() // until the year 2096
}

// amount is in one of several currencies, so that a record with several
// amounts holds several.
func (f filler) amount() money.Amount {
	currencies := []money.Currency{money.EUR, money.USD, money.JPY}
	return money.Of(f.rand.Int64N(1<<50)-1<<49, currencies[f.rand.IntN(len(currencies))])
}

// full returns a payment with every field set, and operations and steps of
// the same kind, ready to be inserted.
func (c *checker) full(seed uint64) *payment.Payment {
	f := newFiller(seed)
	p := new(payment.Payment)
	f.fill(p)
	p.ID, p.Version, p.Description, p.Metadata = c.id("p"), 1, "", nil
	for range 3 {
		o := new(payment.Operation)
		f.fill(o)
		o.ID, o.PaymentID, o.Revision = c.id("o"), p.ID, 1
		for range 3 {
			s := new(payment.Step)
			f.fill(s)
			s.ID, s.OperationID, s.Revision = c.id("s"), o.ID, 1
			o.Steps = append(o.Steps, s)
		}
		p.Operations = append(p.Operations, o)
	}
	return p
}

func (c *checker) fullEvent(seed uint64) *payment.Event {
	e := new(payment.Event)
	newFiller(seed).fill(e)
	e.ID, e.Seq, e.ProviderCustomer = c.id("e"), 0, ""
	return e
}

func (c *checker) fullMethod(seed uint64) *payment.SavedMethod {
	m := new(payment.SavedMethod)
	newFiller(seed).fill(m)
	m.ID = c.id("m")
	return m
}

func (c *checker) fullDispute(seed uint64) *payment.Dispute {
	d := new(payment.Dispute)
	newFiller(seed).fill(d)
	d.ID = c.id("d")
	return d
}

// difference says where two records differ first, "" if nowhere. Nil and empty
// are the same; a time must be the same instant, in UTC.
func difference(want, got any) string {
	return differs("", reflect.ValueOf(want), reflect.ValueOf(got))
}

func differs(at string, want, got reflect.Value) string {
	say := func() string {
		return fmt.Sprintf("%s: stored %#v, read %#v", at, want.Interface(), got.Interface())
	}
	switch want.Type() {
	case typeTime:
		w, g := want.Interface().(time.Time), got.Interface().(time.Time)
		if !w.Equal(g) || g.Location() != time.UTC {
			return fmt.Sprintf("%s: stored %s, read %s", at, w, g)
		}
		return ""
	case typeAmount, typeSecret:
		if fmt.Sprint(want.Interface()) != fmt.Sprint(got.Interface()) {
			return fmt.Sprintf("%s: stored %v, read %v", at, want.Interface(), got.Interface())
		}
		return ""
	}
	switch want.Kind() {
	case reflect.Pointer:
		if want.IsNil() || got.IsNil() {
			if want.IsNil() != got.IsNil() {
				return fmt.Sprintf("%s: stored nil %t, read nil %t", at, want.IsNil(), got.IsNil())
			}
			return ""
		}
		return differs(at, want.Elem(), got.Elem())
	case reflect.Struct:
		for i := range want.NumField() {
			if f := want.Type().Field(i); f.IsExported() {
				if d := differs(at+"."+f.Name, want.Field(i), got.Field(i)); d != "" {
					return d
				}
			}
		}
		return ""
	case reflect.Slice:
		if want.Len() != got.Len() {
			return fmt.Sprintf("%s: stored %d of them, read %d", at, want.Len(), got.Len())
		}
		for i := range want.Len() {
			if d := differs(fmt.Sprintf("%s[%d]", at, i), want.Index(i), got.Index(i)); d != "" {
				return d
			}
		}
		return ""
	case reflect.Map:
		if want.Len() == got.Len() && (want.Len() == 0 || reflect.DeepEqual(want.Interface(), got.Interface())) {
			return ""
		}
		return say()
	default:
		if !want.Equal(got) {
			return say()
		}
		return ""
	}
}

// same fails if two records differ.
func (c *checker) same(want, got any, what string) {
	c.t.Helper()
	if d := difference(want, got); d != "" {
		c.fail("%s came back changed: %s", what, d)
	}
}
