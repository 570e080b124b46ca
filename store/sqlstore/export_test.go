package sqlstore

// OnStatement calls fn for each statement that a transaction of s runs.
func OnStatement(s *Store, fn func(text string)) { s.onStatement = fn }
