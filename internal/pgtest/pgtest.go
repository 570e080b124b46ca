//go:build unix

// Package pgtest gives tests a PostgreSQL server of their own: a private
// cluster from the installed binaries, in a temporary folder, on a Unix
// socket, one per test binary, with a fresh database for each test.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		db, err := sql.Open("pgx", pgtest.DSN(t))
//
// [Copy] gives a copy of a database that was filled once, which is faster than
// to fill each. Where /dev/shm has room the cluster lies in memory: then fsync
// costs nothing and stays on, as the stores demand.
//
// Where PostgreSQL is not installed the tests are skipped with one line, or
// fail if CI=true or PAYMENT_REQUIRE_POSTGRES=1 is set: a machine that counts
// must not skip them in silence.
package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Cluster is a running server.
type Cluster struct {
	bin, dir string
	args     []string
	account  *syscall.Credential // nil: our own
	cmd      *exec.Cmd
	exited   chan struct{}
	log      *os.File
	names    atomic.Int64
	memory   bool     // it lies in memory
	copying  []string // arguments of createdb
	lock     *os.File

	mu     sync.Mutex
	models map[string]*model
}

// model is a database that others are copied from.
type model struct {
	once sync.Once
	name string
	err  error
}

// shared is the cluster of this test binary, started by its first test.
type shared struct {
	once    sync.Once
	inMain  bool
	cluster *Cluster
	err     error
}

var binary shared //nolint:gochecknoglobals // one server per test binary is the point

// Main runs the tests and stops the cluster after them. Call it from TestMain.
func Main(m *testing.M) int {
	binary.inMain = true
	code := m.Run()
	if c := binary.cluster; c != nil {
		if err := c.remove(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			return max(code, 1)
		}
	}
	return code
}

// DSN returns the connection string of a fresh, empty database.
func DSN(t testing.TB) string {
	t.Helper()
	return running(t).DSN(t)
}

// Copy returns the connection string of a fresh copy of the database that fill
// made of an empty one. fill runs once per test binary and name, and closes its
// connections.
func Copy(t testing.TB, name string, fill func(dsn string) error) string {
	t.Helper()
	return running(t).Copy(t, name, fill)
}

// running returns the cluster of this test binary.
func running(t testing.TB) *Cluster {
	t.Helper()
	if !binary.inMain {
		t.Fatal("pgtest: call pgtest.Main from TestMain, so that the server is stopped after the tests")
	}
	binary.once.Do(func() { binary.cluster, binary.err = start() })
	if errors.Is(binary.err, errNone) {
		missing(t)
	}
	if binary.err != nil {
		t.Fatal("pgtest: ", binary.err)
	}
	return binary.cluster
}

// New starts a cluster of the test's own, with settings such as "fsync=off".
func New(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c, err := start(settings...)
	if errors.Is(err, errNone) {
		missing(t)
	}
	if err != nil {
		t.Fatal("pgtest: ", err)
	}
	t.Cleanup(func() {
		if err := c.remove(); err != nil {
			t.Error("pgtest: ", err)
		}
	})
	return c
}

var errNone = errors.New("no PostgreSQL binaries")

func missing(t testing.TB) {
	t.Helper()
	const line = "PostgreSQL is not installed (no initdb in PATH, /usr/lib/postgresql/*/bin or /usr/local): install the package postgresql to run this test"
	if os.Getenv("CI") == "true" || os.Getenv("PAYMENT_REQUIRE_POSTGRES") == "1" {
		t.Fatal(line)
	}
	t.Skip(line)
}

// find returns the folder of the newest server binaries.
func find() (string, error) {
	var folders []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		folders = append(folders, filepath.Dir(path))
	}
	versions, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(versions, func(a, b string) int { return number(b) - number(a) })
	folders = append(folders, versions...)
	folders = append(folders, "/usr/local/bin", "/usr/local/pgsql/bin", "/opt/homebrew/bin")
	for _, f := range folders {
		if executable(filepath.Join(f, "initdb")) && executable(filepath.Join(f, "postgres")) {
			return f, nil
		}
	}
	return "", errNone
}

func number(folder string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return n
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// unprivileged returns the account to run the server as: it refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // our own account will do
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("the server refuses to run as root, and there is no user postgres or nobody")
}

// prefix of the folders of clusters.
const prefix = "pgtest"

func start(settings ...string) (*Cluster, error) {
	parent := memory()
	c, err := newCluster(parent)
	if err != nil {
		return nil, err
	}
	c.memory = parent != ""
	if err := c.init(settings); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

// newCluster makes a folder for a cluster inside parent, "" for the system's
// temporary folder.
func newCluster(parent string) (*Cluster, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, account: account, models: map[string]*model{}}
	// Not t.TempDir(): the path of a Unix socket has about 100 bytes.
	c.dir, err = os.MkdirTemp(parent, prefix)
	return c, err
}

func (c *Cluster) init(settings []string) error {
	if c.account != nil {
		if err := os.Chown(c.dir, int(c.account.Uid), int(c.account.Gid)); err != nil {
			return err
		}
	}
	var err error
	if c.lock, err = claim(c.dir); err != nil {
		return err
	}
	if c.log, err = os.Create(filepath.Join(c.dir, "log")); err != nil {
		return err
	}
	data := filepath.Join(c.dir, "data")
	initdb := c.command("initdb", "-D", data, "-U", "payment", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if err := initdb.Run(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, c.tail())
	}
	// Since release 15 a copy goes through the write-ahead log unless told not to.
	if help, _ := exec.Command(filepath.Join(c.bin, "createdb"), "--help").Output(); c.memory && strings.Contains(string(help), "--strategy") {
		c.copying = []string{"--strategy=file_copy"}
	}
	c.args = []string{"-D", data, "-k", c.dir, "-c", "listen_addresses=", "-c", "max_connections=300", "-c", "log_min_messages=warning",
		"-c", "max_wal_size=128MB", "-c", "min_wal_size=32MB"} // memory is dear
	for _, s := range settings {
		c.args = append(c.args, "-c", s)
	}
	return c.launch()
}

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir // ours may be closed to the other account
	cmd.Stdout, cmd.Stderr = c.log, c.log
	cmd.SysProcAttr = attributes(c.account)
	return cmd
}

func (c *Cluster) launch() error {
	c.cmd = c.command("postgres", c.args...)
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	exited := make(chan struct{})
	c.exited = exited
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		close(exited)
	}(c.cmd)
	for deadline := time.Now().Add(time.Minute); ; {
		err := c.command("pg_isready", "-q", "-h", c.dir, "-U", "payment", "-d", "postgres").Run()
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("postgres ended at its start\n%s", c.tail())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("postgres did not answer within a minute: %w\n%s", err, c.tail())
		}
	}
}

func (c *Cluster) dsn(database string) string {
	return "host=" + c.dir + " user=payment dbname=" + database + " sslmode=disable"
}

// DSN returns the connection string of a fresh, empty database.
func (c *Cluster) DSN(t testing.TB) string {
	t.Helper()
	name, err := c.create(t, "template0")
	if err != nil {
		t.Fatal("pgtest: ", err)
	}
	return c.dsn(name)
}

// Copy is the function of that name, on this cluster.
func (c *Cluster) Copy(t testing.TB, name string, fill func(dsn string) error) string {
	t.Helper()
	c.mu.Lock()
	m := c.models[name]
	if m == nil {
		m = &model{}
		c.models[name] = m
	}
	c.mu.Unlock()
	m.once.Do(func() {
		m.err = errors.New("filling the database " + name + " did not end") // a panic, or a test that was given up
		if m.name, m.err = c.create(nil, "template0"); m.err == nil {
			m.err = fill(c.dsn(m.name))
		}
	})
	copied, err := m.name, m.err
	if err == nil {
		copied, err = c.create(t, m.name)
	}
	if err != nil {
		t.Fatal("pgtest: ", err)
	}
	return c.dsn(copied)
}

// create makes a database as a copy of another, for the life of t if t is
// given. On a disk it stays until the cluster goes: dropping it would cost a
// checkpoint.
func (c *Cluster) create(t testing.TB, of string) (string, error) {
	name := fmt.Sprintf("test%d", c.names.Add(1))
	if err := c.tool("createdb", append(slices.Clone(c.copying), "-T", of, name)...); err != nil {
		return "", err
	}
	if t != nil && c.memory {
		t.Cleanup(func() {
			if err := c.tool("dropdb", "--force", name); err != nil {
				t.Error("pgtest: ", err)
			}
		})
	}
	return name, nil
}

func (c *Cluster) tool(name string, args ...string) error {
	if err := c.command(name, append([]string{"-h", c.dir, "-U", "payment"}, args...)...).Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, c.tail())
	}
	return nil
}

// Crash stops the server at once and starts it again: see StopImmediate.
func (c *Cluster) Crash(t testing.TB) {
	t.Helper()
	if err := c.StopImmediate(); err != nil {
		t.Fatal("pgtest: ", err)
	}
	if err := c.Start(); err != nil {
		t.Fatal("pgtest: ", err)
	}
}

// StopImmediate stops the server at once, as a power cut would as far as
// PostgreSQL can tell: no checkpoint, sessions are cut off wherever they are,
// and the next start recovers from the log. It returns when the server is gone.
func (c *Cluster) StopImmediate() error { return c.stop(syscall.SIGQUIT) }

// Start starts a server that was stopped, and returns when it takes
// connections.
func (c *Cluster) Start() error { return c.launch() }

func (c *Cluster) stop(signal syscall.Signal) error {
	if c.cmd == nil || c.cmd.Process == nil {
		return nil
	}
	_ = c.cmd.Process.Signal(signal)
	select {
	case <-c.exited:
	case <-time.After(20 * time.Second):
		_ = c.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-c.exited:
		case <-time.After(20 * time.Second):
			_ = c.cmd.Process.Kill()
			return errors.New("the server did not stop and was killed")
		}
	}
	return nil
}

// remove stops the server and removes its folder.
func (c *Cluster) remove() error {
	err := c.stop(syscall.SIGINT) // fast: end the sessions, then stop
	if c.log != nil {
		err = errors.Join(err, c.log.Close())
	}
	err = errors.Join(err, os.RemoveAll(c.dir))
	if c.lock != nil {
		err = errors.Join(err, c.lock.Close())
	}
	return err
}

// tail returns the end of the server's log.
func (c *Cluster) tail() string {
	raw, _ := os.ReadFile(c.log.Name())
	return strings.TrimSpace(string(raw[max(0, len(raw)-2000):]))
}
