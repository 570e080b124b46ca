package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlite"
)

// verifying measures how long it takes to prove the books, and that the memory
// for it does not grow with them.
func verifying(ctx context.Context, s settings) (err error) {
	fmt.Println("Verify")
	folder, err := os.MkdirTemp(s.dir, "ledger")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	lite, err := sqlite.Open(filepath.Join(folder, "shop.db"))
	if err != nil {
		return err
	}
	defer lite.Close()
	if err := prove(ctx, s, "SQLite", lite); err != nil {
		return err
	}
	c, err := pgtest.OnDisk(s.dir, "shared_buffers=1GB", "max_wal_size=8GB", "fsync=on", "synchronous_commit=on")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	dsn, _, err := c.Database()
	if err != nil {
		return err
	}
	pg, err := postgres.Open(ctx, dsn)
	if err != nil {
		return err
	}
	defer pg.Close()
	return prove(ctx, s, "PostgreSQL", pg)
}

func prove(ctx context.Context, s settings, name string, store ledger.Store) error {
	l, err := newLoad(ctx, s, store, "v", true)
	if err != nil {
		return err
	}
	defer l.close()
	posted := accountsN
	var small uint64
	for _, n := range []int{s.verify / 10, s.verify} {
		for posted < n {
			all := make([]ledger.Change, min(1000, n-posted))
			for i := range all {
				all[i] = l.transfer(-1)
			}
			for _, r := range l.book.PostAll(ctx, all...) {
				if r.Err != nil {
					return r.Err
				}
			}
			posted += len(all)
		}
		if _, err := l.book.Seal(ctx); err != nil {
			return err
		}
		began := time.Now()
		var report *ledger.Report
		peak, err := peakHeap(func() (err error) {
			report, err = l.book.Verify(ctx, ledger.VerifyOptions{})
			return err
		})
		if err != nil {
			return err
		}
		if !report.OK() {
			return fmt.Errorf("%s: the books do not hold: %+v", name, report.Problems[0])
		}
		took := time.Since(began).Seconds()
		line(fmt.Sprintf("%s: seconds to verify %d transactions", name, posted), took, 0, "%.1f", true)
		line(fmt.Sprintf("%s: peak of the heap meanwhile, MB", name), float64(peak)/1e6, 0, "%.0f", true)
		if small == 0 {
			small = peak
		} else {
			line(name+": peak at ten times the books / peak", float64(peak)/float64(small), 1.5, "%.2f", true)
		}
	}
	return nil
}

// peakHeap runs fn and returns the most that was live or not yet collected.
func peakHeap(fn func() error) (uint64, error) {
	runtime.GC()
	var peak atomic.Uint64
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapAlloc))
			}
		}
	}()
	err := fn()
	close(done)
	<-stopped
	return peak.Load(), err
}
