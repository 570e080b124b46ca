package httpx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// wrapBody bounds and watches the body of an answer. It releases ctx with
// cancel when the body has ended; a body that is never closed leaves that to
// the timeout.
func (t *transport) wrapBody(ctx context.Context, cancel context.CancelFunc, resp *http.Response, e *exchange) {
	ended := func(n int64, err error) {
		cancel()
		if e.finish(n, err, t.now()) {
			t.report(ctx, e)
		}
	}
	if resp.Body == nil || resp.Body == http.NoBody {
		resp.Body = http.NoBody
		ended(0, nil)
		return
	}
	b := &body{ctx: ctx, rc: resp.Body, limit: t.limit, ended: ended}
	if resp.ContentLength > t.limit {
		// Said at once: the SDK may look at the status alone.
		b.err = &BodyTooLargeError{Limit: t.limit}
		ended(0, b.err)
	}
	resp.Body = b
}

// body hands out at most limit bytes and tells how the reading ended. It has
// one reader; Close may come from another goroutine.
type body struct {
	ctx   context.Context // of the exchange; to explain a read that it ended
	rc    io.ReadCloser
	limit int64
	n     atomic.Int64 // handed out
	err   error        // sticky; the reader's own
	ended func(n int64, err error)
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	// One byte more than allowed tells a body that fits from one that does not.
	left := b.limit - b.n.Load()
	if int64(len(p))-1 > left {
		p = p[:left+1]
	}
	n, err := b.rc.Read(p)
	if int64(n) > left {
		n, err = int(left), &BodyTooLargeError{Limit: b.limit}
	}
	total := b.n.Add(int64(n))
	if err != nil {
		err = explain(b.ctx, err)
		b.err = err
		if errors.Is(err, io.EOF) {
			b.ended(total, nil)
		} else {
			b.ended(total, err)
		}
	}
	return n, err
}

// Close ends the exchange. A body closed before its end is not an error: its
// reader had enough.
func (b *body) Close() error {
	err := b.rc.Close()
	b.ended(b.n.Load(), nil)
	return err
}
