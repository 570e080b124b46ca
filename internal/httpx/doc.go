// Package httpx is the one HTTP transport that provider adapters use.
//
// A provider's SDK cannot say what became of a request that failed: the same
// error text covers a name that did not resolve (nothing happened) and an
// answer that was lost (the payer may have been charged). This package watches
// the wire instead. [New] builds the *http.Client that is injected into the
// SDK; [Observe] puts a recorder into the context of one provider call; the
// recorder's [Call.Outcome] then says whether the request was provably
// [NotSent], [Answered] with a status, or [Ambiguous]. Whatever is not proven
// is Ambiguous, which is also the zero value.
//
//	ctx, call := httpx.Observe(ctx)
//	err := httpx.Guard(func() error { out, err = sdk.Charge(ctx, in); return err })
//	switch call.Outcome().Kind { ... }
//
// The client also refuses redirects, plain HTTP to hosts other than loopback,
// unverified TLS and requests that nobody observes; it bounds time and body
// size. [Scrub] is the one place where secrets and personal data are taken out
// of text. [Guard] turns a panic of an SDK into an error. [CheckID] vets an id
// before an SDK pastes it into a URL.
package httpx
