package pgtest

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	shm = "/dev/shm"
	// room is what must be free in memory: a database takes about 8 MB while
	// its test runs, and the log up to 128. Containers often have 64 MB in all.
	room = 1 << 30
	// young folders are left alone: they may not be claimed yet.
	young = time.Minute
)

// memory returns the folder in memory to put clusters in, or "" for the
// temporary folder.
func memory() string {
	var fs syscall.Statfs_t
	if syscall.Statfs(shm, &fs) != nil || fs.Type != 0x01021994 /* TMPFS_MAGIC */ {
		return ""
	}
	sweep(shm, young)
	if syscall.Statfs(shm, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return ""
	}
	try, err := os.MkdirTemp(shm, prefix)
	if err != nil || os.Remove(try) != nil {
		return ""
	}
	return shm
}

// claim marks a folder as in use for as long as the file is open: until the
// process ends, however it ends.
func claim(dir string) (*os.File, error) {
	f, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	return f, syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// sweep removes the folders of test binaries that were killed: what they left
// would stay in memory for ever.
func sweep(parent string, age time.Duration) {
	folders, _ := filepath.Glob(filepath.Join(parent, prefix+"*"))
	for _, dir := range folders {
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < age {
			continue
		}
		f, err := os.Open(filepath.Join(dir, "lock"))
		if err != nil {
			continue // not one of ours, or not ours to judge
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir)
		}
		_ = f.Close()
	}
}
