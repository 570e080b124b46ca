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
	return binary.cluster.DSN(t)
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

func start(settings ...string) (*Cluster, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	// Not t.TempDir(): the path of a Unix socket has about 100 bytes.
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, dir: dir, account: account}
	if err := c.init(settings); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

func (c *Cluster) init(settings []string) error {
	if c.account != nil {
		if err := os.Chown(c.dir, int(c.account.Uid), int(c.account.Gid)); err != nil {
			return err
		}
	}
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	c.log = log
	data := filepath.Join(c.dir, "data")
	initdb := c.command("initdb", "-D", data, "-U", "payment", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if err := initdb.Run(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, c.tail())
	}
	c.args = []string{"-D", data, "-k", c.dir, "-c", "listen_addresses=", "-c", "max_connections=300", "-c", "log_min_messages=warning"}
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

// DSN returns the connection string of a fresh, empty database. It goes with
// the cluster: dropping it would cost a checkpoint for each test.
func (c *Cluster) DSN(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", c.names.Add(1))
	c.tool(t, "createdb", "-h", c.dir, "-U", "payment", name)
	return c.dsn(name)
}

func (c *Cluster) tool(t testing.TB, name string, args ...string) {
	t.Helper()
	if err := c.command(name, args...).Run(); err != nil {
		t.Errorf("pgtest: %s: %v\n%s", name, err, c.tail())
	}
}

// Crash stops the server at once, as a power cut would as far as PostgreSQL
// can tell (immediate mode: no checkpoint, recovery at the next start), and
// starts it again.
func (c *Cluster) Crash(t testing.TB) {
	t.Helper()
	if err := c.stop(syscall.SIGQUIT); err != nil {
		t.Fatal("pgtest: ", err)
	}
	if err := c.launch(); err != nil {
		t.Fatal("pgtest: ", err)
	}
}

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
	return errors.Join(err, os.RemoveAll(c.dir))
}

// tail returns the end of the server's log.
func (c *Cluster) tail() string {
	raw, _ := os.ReadFile(c.log.Name())
	return strings.TrimSpace(string(raw[max(0, len(raw)-2000):]))
}
