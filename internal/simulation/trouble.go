package simulation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// place is the kind of an instant: what is happening when trouble may strike.
type place uint8

const (
	placeWrite  place = iota // a request that may move money is about to leave
	placeAnswer              // its answer is about to be read
	placeRead                // a look-up is about to leave
	placeOpen                // a transaction is about to begin
	placeCommit              // a transaction is about to commit
	placeDone                // it has committed, its caller does not know yet
	placeFetch               // a record is about to be read
	placeLease               // the worker asks for or returns its leases
)

var placeNames = [...]string{"request", "answer", "look-up", "begin", "commit", "committed", "read", "lease"}

// trouble is what happens at an instant; the zero value is nothing.
type trouble struct {
	crash bool       // the process ends here
	late  bool       // with crash, of a request: it arrives all the same, later
	fault fake.Fault // of the provider
	err   error      // of the store
	aside int        // number of the act that somebody else does here; 0 for none
}

func (t trouble) none() bool { return t == trouble{} }

func (t trouble) String() string {
	switch {
	case t.crash && t.late:
		return "crash, the request still arrives"
	case t.crash:
		return "crash"
	case t.err != nil:
		return "store: " + t.err.Error()
	case t.aside > 0:
		return fmt.Sprintf("meanwhile %s", asideNames[t.aside])
	case t.fault != (fake.Fault{}):
		return "fault " + t.fault.String()
	}
	return "none"
}

// errStore is a store that fails for a reason of its own.
var errStore = errors.New("simulation: the disk is full")

// weather decides about troubles. It is asked at every instant, in order.
type weather interface {
	at(w *world, p place) trouble
}

// fair weather has no troubles.
type fair struct{}

func (fair) at(*world, place) trouble { return trouble{} }

// once strikes at given instants, counted from 0.
type once struct {
	instants map[int]trouble
}

func (o once) at(w *world, _ place) trouble { return o.instants[w.instant] }

// storm strikes by chance, at most budget times.
type storm struct {
	rng    *rand.Rand
	budget int
	// Chances per instant of that kind.
	fault, crash, store, aside float64
	// burst is the chance that the request after a bad one goes bad too: an
	// outage seldom lasts for one request.
	burst float64
	bad   bool
	// outage: what goes bad goes silent.
	outage bool
}

func (s *storm) at(w *world, p place) trouble {
	if s.budget <= 0 {
		return trouble{}
	}
	if s.bad && (p == placeWrite || p == placeRead) {
		if s.bad = s.rng.Float64() < s.burst; s.bad {
			s.budget--
			return s.one(p, faultsAt(p))
		}
	}
	x := s.rng.Float64()
	kinds := [...]struct {
		chance float64
		of     []trouble
	}{{s.crash, crashesAt(p)}, {s.fault, faultsAt(p)}, {s.store, storeErrorsAt(p)}, {s.aside, asidesAt(p)}}
	for _, k := range kinds {
		if len(k.of) == 0 {
			continue
		}
		if x < k.chance {
			if t := s.one(p, k.of); t.aside == 0 || w.depth == 1 {
				s.budget--
				s.bad = t.fault != (fake.Fault{})
				return t
			}
			return trouble{}
		}
		x -= k.chance
	}
	return trouble{}
}

// one draws one of several troubles.
func (s *storm) one(p place, of []trouble) trouble {
	t := of[s.rng.IntN(len(of))]
	if s.outage && p == placeWrite && t.fault != (fake.Fault{}) {
		t.fault = silences[s.rng.IntN(len(silences))]
	}
	return t
}

// silences are the faults after which nobody knows.
var silences = []fake.Fault{fake.TimeoutBefore(), fake.TimeoutAfter(), fake.Late(50 * time.Second), fake.Late(80 * time.Second), fake.ErrorAfter(), fake.ErrorSaved()}

// writeFaults are all that a provider can do to a request.
var writeFaults = []fake.Fault{
	fake.Decline(payment.ReasonInsufficientFunds), fake.Decline(payment.ReasonIssuerUnavailable), fake.Decline(payment.ReasonStolenCard),
	fake.Challenge(), fake.Pending(), fake.FailLater(payment.ReasonDoNotHonor),
	fake.NotSent(), fake.RejectedMerchant(), fake.RejectedRequest(), fake.KeyBusy(),
	fake.TimeoutBefore(), fake.TimeoutAfter(), fake.Late(7 * time.Second), fake.Late(50 * time.Second), fake.Late(80 * time.Second),
	fake.ResetBefore(), fake.ResetAfter(), fake.ErrorBefore(), fake.ErrorSaved(), fake.ErrorAfter(),
	fake.Garbage(), fake.Hang(), fake.Slow(3 * time.Second), fake.Slow(time.Minute), fake.Panic(),
}

// readFaults are what can happen to a look-up.
var readFaults = []fake.Fault{fake.NotSent(), fake.RejectedMerchant(), fake.TimeoutBefore(), fake.ErrorBefore(), fake.Hang(), fake.Panic()}

func crashesAt(p place) []trouble {
	switch p {
	case placeWrite:
		return crashWrite
	case placeAnswer, placeRead, placeCommit, placeDone:
		return crashHere
	}
	return nil
}

var (
	crashHere  = []trouble{{crash: true}}
	crashWrite = []trouble{{crash: true}, {crash: true, late: true}}
	faultWrite = asFaults(writeFaults)
	faultRead  = asFaults(readFaults)
	errOpen    = []trouble{{err: payment.ErrBusy}, {err: errStore}}
	errCommit  = []trouble{{err: payment.ErrConflict}, {err: payment.ErrCommitUnknown}, {err: errStore}}
	errDone    = []trouble{{err: payment.ErrCommitUnknown}}
	errFetch   = []trouble{{err: errStore}}
	asides     = allAsides()
)

func asFaults(fs []fake.Fault) []trouble {
	out := make([]trouble, len(fs))
	for i, f := range fs {
		out[i] = trouble{fault: f}
	}
	return out
}

func allAsides() []trouble {
	out := make([]trouble, 0, len(asideNames))
	for i := 1; i < len(asideNames); i++ {
		out = append(out, trouble{aside: i})
	}
	return out
}

func faultsAt(p place) []trouble {
	switch p {
	case placeWrite:
		return faultWrite
	case placeRead:
		return faultRead
	}
	return nil
}

func storeErrorsAt(p place) []trouble {
	switch p {
	case placeOpen:
		return errOpen
	case placeCommit:
		return errCommit
	case placeDone:
		return errDone
	case placeFetch, placeLease:
		return errFetch
	}
	return nil
}

func asidesAt(p place) []trouble {
	switch p {
	case placeWrite, placeAnswer, placeOpen:
		return asides
	}
	return nil
}

// troublesAt lists all that may strike at a place.
func troublesAt(p place) []trouble {
	var out []trouble
	for _, of := range [][]trouble{crashesAt(p), faultsAt(p), storeErrorsAt(p), asidesAt(p)} {
		out = append(out, of...)
	}
	return out
}
