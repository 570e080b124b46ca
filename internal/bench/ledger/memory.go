package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/tender-go/payment/store/memstore"
)

func inMemory(ctx context.Context, s settings) error {
	l, err := newLoad(ctx, s, memstore.New(), "m", true)
	if err != nil {
		return err
	}
	defer l.close()
	one := &measure{name: "memstore, 1 caller", run: l.single(1, -1, false)}
	many := &measure{name: "memstore, 32 callers", run: l.single(32, -1, false)}
	if err := alternate(ctx, s, []*measure{one, many}); err != nil {
		return err
	}
	fmt.Println("In memory, sealer running")
	rates(one, many)
	line("microseconds a post", 1e6/one.rate(), 3, "%.2f", true)
	line("32 callers / 1 caller", ratio(many, one), 0.7, "%.2f", false)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const n = 20_000
	for range n {
		if _, err := l.book.Post(ctx, l.transfer(-1)); err != nil {
			return err
		}
	}
	runtime.ReadMemStats(&after)
	line("allocations a post, with what it keeps and its seal", float64(after.Mallocs-before.Mallocs)/n, 0, "%.0f", true)
	return nil
}
