package crash_test

import (
	"context"

	"github.com/tender-go/payment/internal/crash"
)

func (s *ledgerSubject) verify(ctx context.Context, b books, r crash.Round) error { return nil }
