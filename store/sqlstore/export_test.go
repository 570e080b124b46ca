package sqlstore

// OnStatement calls fn for each statement that a transaction of s runs.
func OnStatement(s *Store, fn func(text string)) { s.onStatement = fn }

// SetVolume sets how many numbers share a volume of the postings.
func SetVolume(s *Store, n int64) { s.volume = n }
