package memstore_test

import (
	"testing"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) storetest.Fixture {
		var faults faults
		s := memstore.New(memstore.Options{Fault: faults.ask})
		return storetest.Fixture{
			Store: s,
			LoseCommit: func(_ testing.TB, written bool) {
				at := memstore.FaultBeforeCommit
				if written {
					at = memstore.FaultAfterCommit
				}
				faults.once(at, payment.ErrCommitUnknown)
			},
		}
	})
}
