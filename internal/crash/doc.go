//go:build unix

// Package crash is a test kit that kills. It starts workers, which are the test
// binary once more; they work on a store and tell through a pipe what they are
// about to do, before they do it, and what was answered, after. It kills them
// with SIGKILL in the middle of that, and lets a [Subject] compare what was
// told with what is stored: all that was answered is there, and all else is
// there as a whole or not at all.
//
//	func TestMain(m *testing.M) { os.Exit(crash.Main(m, map[string]crash.Work{"ledger": work})) }
//
//	report, err := crash.Run(ctx, crash.Config{Seed: 1, Rounds: 200}, subject)
//
// The seed decides what is done and how long each worker lives. What runs at
// that very moment is up to the scheduler: a seed finds a fault again in a few
// rounds, not in the same instant.
//
// What this does not test is the disk. SIGKILL ends a process and leaves what
// it wrote with the operating system, synced or not; a database server that is
// stopped in immediate mode loses its memory, not the machine's. That a commit
// reaches the disk before it is answered rests on the settings of the database
// (SQLite: WAL with synchronous FULL; PostgreSQL: fsync and synchronous_commit
// on), which the stores read back on every connection and refuse to do without,
// and on hardware that keeps its word.
package crash
