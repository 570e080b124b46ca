package storetest

import (
	"context"
	"errors"

	"github.com/tender-go/payment"
)

func claimRules() []rule {
	return []rule{
		{name: "claims all or none", check: claimsAllOrNone,
			why: "Claim takes all or none, names the claim in the way, and leaves the transaction usable"},
		{name: "claims roll back", check: claimsRollBack,
			why: "a claim ends with the transaction that took it: a key claimed by a rolled back payment would block the order for ever"},
		{name: "one claim wins", check: oneClaimWins,
			why: "of concurrent claims on one key exactly one is taken: this is what keeps two clicks from being two charges"},
		{name: "claims in any order", check: claimsAnyOrder,
			why: "transactions that claim the same keys in another order end, and exactly one holds them all"},
		{name: "release by owner", check: releaseByOwner,
			why: "only its owner gives a claim up; another's release does nothing"},
	}
}

func claim(kind payment.ClaimKind, key, owner string) payment.Claim {
	return payment.Claim{Kind: kind, Key: key, Owner: owner, Payment: "of-" + owner, Fingerprint: []byte("print-" + owner)}
}

func (c *checker) holder(kind payment.ClaimKind, key string) string {
	c.t.Helper()
	held, err := c.s.Claimed(c.ctx, kind, key)
	if errors.Is(err, payment.ErrNotFound) {
		return ""
	}
	c.ok(err, "Claimed")
	return held.Owner
}

func claimsAllOrNone(c *checker) {
	first := claim(payment.ClaimKey, "b", "first")
	c.update(func(ctx context.Context, tx payment.Tx) error {
		return tx.Claim(ctx, first, claim(payment.ClaimReference, "b", "first"))
	})
	p := c.small()
	c.update(func(ctx context.Context, tx payment.Tx) error {
		if err := tx.Claim(ctx, claim(payment.ClaimKey, "own", "second")); err != nil {
			return err
		}
		err := tx.Claim(ctx, claim(payment.ClaimKey, "a", "second"), claim(payment.ClaimKey, "b", "second"), claim(payment.ClaimKey, "c", "second"))
		var taken *payment.TakenError
		if !errors.As(err, &taken) {
			c.fail("Claim of a held key returned %v, want a *TakenError", err)
		}
		c.same(first, taken.Claim, "the claim in a TakenError")
		if err := tx.Claim(ctx, claim(payment.ClaimKey, "own", "third")); !errors.As(err, &taken) || taken.Claim.Owner != "second" {
			c.fail("Claim of a key that the transaction itself holds returned %v, want a *TakenError", err)
		}
		return tx.InsertPayment(ctx, p) // still usable
	})
	c.payment(c.s, p.ID)
	for key, want := range map[string]string{"a": "", "b": "first", "c": "", "own": "second"} {
		if got := c.holder(payment.ClaimKey, key); got != want {
			c.fail("key %q is held by %q, want %q", key, got, want)
		}
	}
	held, err := c.s.Claimed(c.ctx, payment.ClaimKey, "b")
	c.ok(err, "Claimed")
	c.same(first, held, "a claim")
	if got := c.holder(payment.ClaimCharging, "b"); got != "" {
		c.fail("the kinds of claim share their keys")
	}
}

func claimsRollBack(c *checker) {
	err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
		if err := tx.Claim(ctx, claim(payment.ClaimKey, "k", "gone")); err != nil {
			return err
		}
		return errBoom
	})
	c.is(err, errBoom, "Update")
	c.update(func(ctx context.Context, tx payment.Tx) error {
		return tx.Claim(ctx, claim(payment.ClaimKey, "k", "stays"))
	})
	if got := c.holder(payment.ClaimKey, "k"); got != "stays" {
		c.fail("the key is held by %q", got)
	}
}

// race lets n transactions claim and returns the owners that succeeded.
func (c *checker) race(n int, claims func(owner string, i int) []payment.Claim) []string {
	c.t.Helper()
	type result struct {
		owner, holder string
		err           error
	}
	results := make(chan result, n)
	for i := range n {
		go func() {
			r := result{owner: string(rune('A' + i))}
			r.err = c.retry(c.s, func(ctx context.Context, tx payment.Tx) error { return tx.Claim(ctx, claims(r.owner, i)...) })
			var taken *payment.TakenError
			if errors.As(r.err, &taken) {
				// Whoever is refused looks at once: what refused it is committed.
				r.holder = taken.Claim.Owner
				_, r.err = c.s.Claimed(c.ctx, taken.Claim.Kind, taken.Claim.Key)
			}
			results <- r
		}()
	}
	var won, named []string
	for range n {
		r := soon(c, results, "a claim in a race")
		c.ok(r.err, "Claim in a race")
		if r.holder == "" {
			won = append(won, r.owner)
		} else {
			named = append(named, r.holder)
		}
	}
	for _, holder := range named {
		if len(won) != 1 || holder != won[0] {
			c.fail("a loser was told that %s holds the key; %v won", holder, won)
		}
	}
	return won
}

func oneClaimWins(c *checker) {
	for _, key := range []string{"one", "two", "three"} {
		won := c.race(16, func(owner string, _ int) []payment.Claim {
			return []payment.Claim{claim(payment.ClaimCharging, key, owner)}
		})
		if len(won) != 1 {
			c.fail("%d of 16 concurrent claims on one key were taken: %v", len(won), won)
		}
		if got := c.holder(payment.ClaimCharging, key); got != won[0] {
			c.fail("the key is held by %q, but %s was told that it won", got, won[0])
		}
	}
}

func claimsAnyOrder(c *checker) {
	for _, round := range []string{"1", "2", "3", "4"} {
		won := c.race(8, func(owner string, i int) []payment.Claim {
			both := []payment.Claim{claim(payment.ClaimKey, "x"+round, owner), claim(payment.ClaimReference, "y"+round, owner)}
			if i%2 == 1 {
				both[0], both[1] = both[1], both[0]
			}
			return both
		})
		if len(won) != 1 {
			c.fail("%d of 8 transactions hold both keys: %v", len(won), won)
		}
		if a, b := c.holder(payment.ClaimKey, "x"+round), c.holder(payment.ClaimReference, "y"+round); a != won[0] || b != won[0] {
			c.fail("the keys are held by %q and %q, the winner is %s", a, b, won[0])
		}
	}
}

func releaseByOwner(c *checker) {
	c.update(func(ctx context.Context, tx payment.Tx) error {
		return tx.Claim(ctx, claim(payment.ClaimCharging, "k", "first"))
	})
	c.update(func(ctx context.Context, tx payment.Tx) error {
		return tx.Release(ctx, payment.ClaimCharging, "k", "second")
	})
	if got := c.holder(payment.ClaimCharging, "k"); got != "first" {
		c.fail("after a release by another the key is held by %q", got)
	}
	c.update(func(ctx context.Context, tx payment.Tx) error {
		return tx.Release(ctx, payment.ClaimReference, "k", "first")
	})
	if got := c.holder(payment.ClaimCharging, "k"); got != "first" {
		c.fail("a release of another kind gave the key up")
	}
	c.update(func(ctx context.Context, tx payment.Tx) error {
		if err := tx.Release(ctx, payment.ClaimCharging, "k", "first"); err != nil {
			return err
		}
		return tx.Claim(ctx, claim(payment.ClaimCharging, "k", "second"))
	})
	if got := c.holder(payment.ClaimCharging, "k"); got != "second" {
		c.fail("after release and claim in one transaction the key is held by %q", got)
	}
	c.update(func(ctx context.Context, tx payment.Tx) error {
		return tx.Release(ctx, payment.ClaimCharging, "never", "first")
	})
}
