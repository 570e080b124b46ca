package memstore_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

func benchBook(b testing.TB) *ledger.Book {
	chart, err := ledger.NewChart(ledger.Rule{Pattern: "acct:{n}:{currency}", Type: ledger.Liability, Mode: ledger.Strict}, ledger.Rule{Pattern: "world:{currency}", Type: ledger.Asset})
	require.NoError(b, err)
	book, err := ledger.New(ledger.Config{Store: memstore.New(), Chart: chart})
	require.NoError(b, err)
	for i := range 1000 {
		_, err := book.Post(context.Background(), ledger.Transaction{Key: fmt.Sprint("fund-", i), Entries: []ledger.Entry{
			ledger.Debit("world:EUR", money.Of(1e12, money.EUR)), ledger.Credit("acct:"+strconv.Itoa(i)+":EUR", money.Of(1e12, money.EUR))}})
		require.NoError(b, err)
	}
	return book
}

func BenchmarkPost(b *testing.B) {
	book := benchBook(b)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go book.Run(ctx)
	var n atomic.Int64
	one := func(i int64) {
		from := "acct:" + strconv.FormatInt(i*7919%1000, 10) + ":EUR"
		to := "acct:" + strconv.FormatInt((i*104729+1)%1000, 10) + ":EUR"
		if from == to {
			return
		}
		_, err := book.Post(ctx, ledger.Transaction{Key: "t-" + strconv.FormatInt(i, 10), Entries: []ledger.Entry{
			ledger.Debit(from, money.Of(5, money.EUR)), ledger.Credit(to, money.Of(5, money.EUR))},
			Conditions: []ledger.Condition{ledger.NotOverdrawn(from)}})
		if err != nil {
			b.Error(err)
		}
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			one(n.Add(1))
		}
	})
	b.Run("32", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				one(n.Add(1))
			}
		})
	})
}
