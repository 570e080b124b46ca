//go:build unix

package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// OnDisk starts a cluster for measurements: its data lie on a disk, so that a
// commit costs what it costs. Close it. The error says if PostgreSQL is not
// installed.
func OnDisk(folder string, settings ...string) (*Cluster, error) {
	return startIn(folder, settings)
}

// Close stops the server and removes its data.
func (c *Cluster) Close() error { return c.remove() }

// Database makes an empty database and returns its connection string.
func (c *Cluster) Database() (dsn, name string, err error) {
	name, err = c.create(nil, "template0")
	return c.dsn(name), name, err
}

// Tool runs one of PostgreSQL's own programs against the server and returns
// what it printed.
func (c *Cluster) Tool(name string, args ...string) (string, error) {
	cmd := c.command(name, append([]string{"-h", c.dir, "-U", "payment"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", name, err, errs.String())
	}
	return out.String(), nil
}

// startIn starts a cluster in a folder of its own inside the given one.
func startIn(parent string, settings []string) (*Cluster, error) {
	c, err := newCluster(parent)
	if err != nil {
		return nil, err
	}
	if err := c.init(slices.Clone(settings)); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}
