package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"
)

// ExportOptions says what is exported. The zero value is all that is sealed.
type ExportOptions struct {
	// From and To bound the date that a record counts at: [From, To), as in
	// Statement and Balance. Zero for no bound. It is the effective date but
	// for what came after its period was closed, which counts in the first open
	// one: what was exported of a closed period stays as it was. A journal
	// that does not begin at the beginning has no opening balances.
	From, To time.Time
	// AfterSeq leaves out what has this number or a lower one, so that a later
	// export goes on where the one before ended.
	AfterSeq int64
	// Zone that dates are written in. nil is UTC.
	Zone *time.Location
}

func (o ExportOptions) check() (ExportOptions, error) {
	switch {
	case o.AfterSeq < 0:
		return o, invalid("AfterSeq", "is negative", "leave it out to begin with the first")
	case !o.From.IsZero() && !o.To.IsZero() && !o.From.Before(o.To):
		return o, invalid("To", "is not after From", "give the first instant that is not wanted any more")
	case o.Zone == nil:
		o.Zone = time.UTC
	}
	_, err := boundary("From", o.From)
	if err == nil {
		_, err = boundary("To", o.To)
	}
	return o, err
}

// wants reports whether a record is exported.
func (o *ExportOptions) wants(r *sealedRecord) bool {
	return r.seq > o.AfterSeq && (o.From.IsZero() || r.booked >= o.From.UnixMicro()) && (o.To.IsZero() || r.booked < o.To.UnixMicro())
}

const exportBuffer = 64 << 10

// exporter writes one format. The view may be used in both.
type exporter interface {
	head(ctx context.Context, v View) error
	page(ctx context.Context, v View, list []sealedRecord) error
}

// export writes a head, and then the sealed records in the order of their
// numbers, in memory that does not grow with them.
func (b *Book) export(ctx context.Context, o ExportOptions, e exporter, out *bufio.Writer) error {
	if err := b.fresh(ctx); err != nil {
		return err
	}
	return b.backend.View(ctx, func(ctx context.Context, v View) error {
		if err := e.head(ctx, v); err != nil {
			return err
		}
		if err := eachSealed(ctx, v, o.AfterSeq, func(list []sealedRecord) error { return e.page(ctx, v, list) }); err != nil {
			return err
		}
		return out.Flush()
	})
}

// sealedRecord is a record with its number and the date that it counts at.
type sealedRecord struct {
	*Record
	seq, booked int64
}

// eachSealed reads the sealed records behind a number, page by page. Between
// the pages the view may be used.
func eachSealed(ctx context.Context, v View, after int64, page func([]sealedRecord) error) error {
	closed := int64(0)
	before := Block{}
	if after > 0 { // what was closed before the first block that is read
		if err := v.Blocks(ctx, after, 1, func(b *Block, broken error) error { before.First = b.First; return broken }); err != nil {
			return unreadable(err)
		}
		if before.First > 1 {
			if err := v.Blocks(ctx, before.First-2, 1, func(b *Block, broken error) error { closed = b.Closed; return broken }); err != nil {
				return unreadable(err)
			}
		}
	}
	limit := 4
	for {
		var blocks []*Block
		n := 0
		err := v.Blocks(ctx, after, limit, func(b *Block, broken error) error {
			if broken != nil {
				return broken
			}
			own := *b
			own.IDs = append([]int64(nil), b.IDs...)
			blocks = append(blocks, &own)
			n += len(own.IDs)
			return nil
		})
		if err != nil {
			return unreadable(err)
		}
		if len(blocks) == 0 {
			return ctx.Err()
		}
		if closed, err = exportBlocks(ctx, v, blocks, closed, n, page); err != nil {
			return err
		}
		if len(blocks) < limit {
			return ctx.Err()
		}
		after = blocks[len(blocks)-1].Last()
		limit = max(4, min(walkPage*len(blocks)/(n+1), walkBlocks)) // about a page's worth
	}
}

func exportBlocks(ctx context.Context, v View, blocks []*Block, closed int64, n int, page func([]sealedRecord) error) (int64, error) {
	ids := make([]int64, 0, n)
	for _, b := range blocks {
		ids = append(ids, b.IDs...)
	}
	records, err := v.Records(ctx, sortedUnique(ids))
	if err != nil {
		return 0, unreadable(err)
	}
	byID := make(map[int64]*Record, len(records))
	for _, r := range records {
		byID[r.ID] = r
	}
	list := make([]sealedRecord, 0, n)
	book := Block{Closed: closed}
	for _, b := range blocks {
		for i, id := range b.IDs {
			r := byID[id]
			if r == nil {
				return 0, unreadable(fmt.Errorf("the record %d, which is sealed as number %d, is not in the journal: %w", id, b.First+int64(i), ErrCorrupt))
			}
			list = append(list, sealedRecord{Record: r, seq: b.First + int64(i), booked: max(book.book(r), book.Closed)})
		}
	}
	return book.Closed, page(list)
}

// unreadable says what to do about books that are not as they were written.
func unreadable(err error) error {
	if errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("ledger: nothing more can be exported: %w: run Verify, which names all such places", err)
	}
	return err
}

// earlierKeys returns the keys of the records that those of a list draw on.
func earlierKeys(ctx context.Context, v View, list []sealedRecord) (map[int64]string, error) {
	keys := make(map[int64]string)
	var ids []int64
	for _, r := range list {
		if r.Of != 0 {
			ids = append(ids, r.Of)
		}
	}
	if len(ids) == 0 {
		return keys, nil
	}
	found, err := v.Records(ctx, sortedUnique(ids))
	if err != nil {
		return nil, unreadable(err)
	}
	for _, r := range found {
		keys[r.ID] = r.Key
	}
	return keys, nil
}
