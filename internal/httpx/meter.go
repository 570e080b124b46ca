package httpx

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
)

// meteredDialer dials connections that count what is written to them.
type meteredDialer struct{ net.Dialer }

func (d *meteredDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &meteredConn{Conn: c}, nil
}

// meteredConn knows whether anything was handed to the kernel between two
// looks at it. net/http reports a header as written when it enters a buffer;
// on a kept-alive connection that turns out to be closed it never leaves it.
type meteredConn struct {
	net.Conn
	writes atomic.Int64
}

func (c *meteredConn) Write(p []byte) (int, error) {
	// Counted before the call, so that a write in progress counts, and taken
	// back only when the kernel took nothing.
	c.writes.Add(1)
	n, err := c.Conn.Write(p)
	if n == 0 && err != nil {
		c.writes.Add(-1)
	}
	return n, err
}

// meterOf finds the meter below c, which may be wrapped in TLS. It returns nil
// for a connection that was not dialled by meteredDialer.
func meterOf(c net.Conn) *atomic.Int64 {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if m, ok := c.(*meteredConn); ok {
		return &m.writes
	}
	return nil
}
