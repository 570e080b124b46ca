package payment

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// keyStore is the part of a store that keeps subject keys.
type keyStore struct {
	Store
	keys map[string][]byte // nil value: destroyed
}

type keyTx struct {
	Tx
	s *keyStore
}

func (s *keyStore) SubjectKey(_ context.Context, name string) ([]byte, error) {
	k, ok := s.keys[name]
	switch {
	case !ok:
		return nil, ErrNotFound
	case k == nil:
		return nil, ErrErased
	}
	return k, nil
}

func (s *keyStore) Update(ctx context.Context, fn func(context.Context, Tx) error) error {
	return fn(ctx, &keyTx{s: s})
}

func (t *keyTx) SubjectKey(ctx context.Context, name string) ([]byte, error) {
	return t.s.SubjectKey(ctx, name)
}

func (t *keyTx) PutSubjectKey(_ context.Context, name string, wrapped []byte) ([]byte, error) {
	k, ok := t.s.keys[name]
	switch {
	case ok && k == nil:
		return nil, ErrErased
	case ok:
		return k, nil
	}
	t.s.keys[name] = wrapped
	return nil, nil
}

func masterKey(b byte) []byte { return bytes.Repeat([]byte{b}, keySize) }

func ring(t *testing.T, s *keyStore, masters ...[]byte) *keyring {
	t.Helper()
	k, err := newKeyring(s, rand.Reader, masters)
	require.NoError(t, err)
	return k
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	a, err := newAEAD(masterKey(1))
	require.NoError(t, err)
	b, err := newAEAD(masterKey(2))
	require.NoError(t, err)
	plain := []byte(`{"Name":"Ann"}`)
	sealed, err := sealWith(a, rand.Reader, plain, "wish:p1")
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "Ann")
	got, err := openWith(a, sealed, "wish:p1")
	require.NoError(t, err)
	require.Equal(t, plain, got)

	for i := range sealed { // one bit anywhere
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		_, err := openWith(a, bad, "wish:p1")
		require.ErrorIs(t, err, errSealed, "byte %d was changed", i)
	}
	for n := range sealed {
		_, err := openWith(a, sealed[:n], "wish:p1")
		require.ErrorIs(t, err, errSealed, "cut to %d bytes", n)
	}
	_, err = openWith(a, sealed, "wish:p2")
	require.ErrorIs(t, err, errSealed, "moved to another payment")
	_, err = openWith(a, sealed, "order:p1")
	require.ErrorIs(t, err, errSealed, "moved to another column")
	_, err = openWith(b, sealed, "wish:p1")
	require.ErrorIs(t, err, errSealed, "with another key")
	require.NotContains(t, errSealed.Error(), "Ann")

	again, err := sealWith(a, rand.Reader, plain, "wish:p1")
	require.NoError(t, err)
	require.NotEqual(t, sealed, again, "the same value seals differently each time")
	_, err = sealWith(a, bytes.NewReader(nil), plain, "x")
	require.Error(t, err, "no randomness, no sealing")
	_, err = newAEAD([]byte("short"))
	require.Error(t, err)
}

func TestSealedPlacesAreDifferent(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, place := range []string{wishPlace("x"), actionPlace("x"), orderPlace("x"), methodPlace("x")} {
		require.False(t, seen[place], "two columns share the place %s", place)
		seen[place] = true
	}
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := &keyStore{keys: map[string][]byte{}}
	k := ring(t, s, masterKey(1))
	make := func(k *keyring, subject string) {
		fresh, err := k.fresh()
		require.NoError(t, err)
		_, _, err = k.create(ctx, &keyTx{s: s}, subject, fresh)
		require.NoError(t, err)
	}
	make(k, "c:ann")
	make(k, "c:bob")
	ann, err := k.of(ctx, s, "c:ann")
	require.NoError(t, err)
	sealed, err := sealWith(ann, rand.Reader, []byte("Ann"), "x")
	require.NoError(t, err)
	require.NotContains(t, string(s.keys["c:ann"]), string(masterKey(1)))

	t.Run("another process reads it", func(t *testing.T) {
		other, err := ring(t, s, masterKey(1)).of(ctx, s, "c:ann")
		require.NoError(t, err)
		plain, err := openWith(other, sealed, "x")
		require.NoError(t, err)
		require.Equal(t, "Ann", string(plain))
	})
	t.Run("a second key for a subject is not made", func(t *testing.T) {
		before := s.keys["c:ann"]
		fresh, err := k.fresh()
		require.NoError(t, err)
		a, _, err := ring(t, s, masterKey(1)).create(ctx, &keyTx{s: s}, "c:ann", fresh)
		require.NoError(t, err)
		require.Equal(t, before, s.keys["c:ann"])
		plain, err := openWith(a, sealed, "x")
		require.NoError(t, err, "the key that holds is returned, not the fresh one")
		require.Equal(t, "Ann", string(plain))
	})
	t.Run("one subject's key does not open another's", func(t *testing.T) {
		bob, err := k.of(ctx, s, "c:bob")
		require.NoError(t, err)
		_, err = openWith(bob, sealed, "x")
		require.ErrorIs(t, err, errSealed)
	})
	t.Run("a wrapped key is bound to its subject", func(t *testing.T) {
		moved := &keyStore{keys: map[string][]byte{"c:eve": s.keys["c:ann"]}}
		_, err := ring(t, moved, masterKey(1)).of(ctx, moved, "c:eve")
		require.Error(t, err)
	})
	t.Run("wrong master key", func(t *testing.T) {
		_, err := ring(t, s, masterKey(9)).of(ctx, s, "c:ann")
		require.ErrorContains(t, err, "MasterKeys", "the error names the remedy")
		_, err = ring(t, s).of(ctx, s, "c:ann")
		require.Error(t, err, "no master key at all")
	})
	t.Run("rotation", func(t *testing.T) {
		rotated := ring(t, s, masterKey(2), masterKey(1))
		a, err := rotated.of(ctx, s, "c:ann")
		require.NoError(t, err, "the old key still unwraps")
		_, err = openWith(a, sealed, "x")
		require.NoError(t, err)
		make(rotated, "c:new")
		_, err = ring(t, s, masterKey(1)).of(ctx, s, "c:new")
		require.Error(t, err, "what is new is wrapped with the first")
		_, err = ring(t, s, masterKey(2)).of(ctx, s, "c:new")
		require.NoError(t, err)
	})
	t.Run("begun without a master key", func(t *testing.T) {
		plain := &keyStore{keys: map[string][]byte{}}
		bare := ring(t, plain)
		fresh, err := bare.fresh()
		require.NoError(t, err)
		_, _, err = bare.create(ctx, &keyTx{s: plain}, "c:ann", fresh)
		require.NoError(t, err)
		_, err = ring(t, plain, masterKey(1)).of(ctx, plain, "c:ann")
		require.NoError(t, err, "a shop that adds one later can still read")
	})
	t.Run("erased", func(t *testing.T) {
		s.keys["c:bob"] = nil
		k.forget("c:bob")
		_, err := k.of(ctx, s, "c:bob")
		require.ErrorIs(t, err, ErrErased)
		fresh, err := k.fresh()
		require.NoError(t, err)
		_, _, err = k.create(ctx, &keyTx{s: s}, "c:bob", fresh)
		require.ErrorIs(t, err, ErrErased, "an erased subject gets no new key")
		_, err = k.of(ctx, s, "c:nobody")
		require.ErrorIs(t, err, ErrNotFound)
	})
	t.Run("unknown wrapping", func(t *testing.T) {
		odd := &keyStore{keys: map[string][]byte{"c:x": {7, 1, 2}, "c:y": {}}}
		for _, subject := range []string{"c:x", "c:y"} {
			_, err := ring(t, odd, masterKey(1)).of(ctx, odd, subject)
			require.Error(t, err)
		}
	})
}

// The cache is bounded and survives more subjects than it holds.
func TestKeyringIsBounded(t *testing.T) {
	t.Parallel()
	k := ring(t, &keyStore{keys: map[string][]byte{}}, masterKey(1))
	a, err := newAEAD(masterKey(3))
	require.NoError(t, err)
	for i := range 2 * maxKnownKeys {
		k.remember(string(rune(i)), a)
	}
	require.LessOrEqual(t, len(k.known), maxKnownKeys)
}

// Fingerprints are keyed: the same request has the same one in every process
// of the installation and another one elsewhere.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := &keyStore{keys: map[string][]byte{}}
	one, err := ring(t, s, masterKey(1)).loadPrinter(ctx)
	require.NoError(t, err)
	two, err := ring(t, s, masterKey(1)).loadPrinter(ctx)
	require.NoError(t, err)
	elsewhere := &keyStore{keys: map[string][]byte{}}
	other, err := ring(t, elsewhere, masterKey(1)).loadPrinter(ctx)
	require.NoError(t, err)
	print := func(p printer, v any) string {
		b, err := p.of(v)
		require.NoError(t, err)
		require.Len(t, b, 32)
		return string(b)
	}
	wish := keyPrint{Verb: "create", Reference: "order-1", Amount: "100.00 USD"}
	require.Equal(t, print(one, wish), print(two, wish))
	require.NotEqual(t, print(one, wish), print(other, wish), "nobody elsewhere can guess what it was made of")
	for name, v := range map[string]keyPrint{
		"verb": {Verb: "refund", Reference: "order-1", Amount: "100.00 USD"}, "reference": {Verb: "create", Reference: "order-2", Amount: "100.00 USD"},
		"amount": {Verb: "create", Reference: "order-1", Amount: "100.01 USD"}, "unattended": {Verb: "create", Reference: "order-1", Amount: "100.00 USD", Unattended: true},
	} {
		require.NotEqual(t, print(one, wish), print(one, v), name)
	}
	_, err = ring(t, s, masterKey(8)).loadPrinter(ctx)
	require.Error(t, err)
	broken := &keyStore{keys: map[string][]byte{}}
	_, err = (&keyring{store: broken, random: failingReader{}, masters: nil}).loadPrinter(ctx)
	require.Error(t, err)
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("no randomness") }

// A request's fingerprint covers every field that a caller can set, tokens and
// personal values included, but not what the payer's browser says of itself.
func TestFingerprintCoversTheWish(t *testing.T) {
	t.Parallel()
	p := printer{key: masterKey(1)}
	of := func(change func(*Request)) string {
		r := Request{Method: Card("tok_1")}
		change(&r)
		w := r.wish().withoutBrowser()
		b, err := p.of(keyPrint{Wish: &w})
		require.NoError(t, err)
		return string(b)
	}
	base := of(func(*Request) {})
	for name, change := range map[string]func(*Request){
		"token": func(r *Request) { r.Method = Card("tok_2") }, "method": func(r *Request) { r.Method.Method = MethodApplePay },
		"saved": func(r *Request) { r.Method.Saved = "pm" }, "provider": func(r *Request) { r.Method.Provider = "x" },
		"field": func(r *Request) { r.Method = r.Method.With("a", "b") }, "name": func(r *Request) { r.Payer.Name = "Ann" },
		"billing": func(r *Request) { r.Payer.Billing.City = "Rome" }, "description": func(r *Request) { r.Description = "d" },
		"descriptor": func(r *Request) { r.Descriptor = "d" }, "metadata": func(r *Request) { r.Metadata = map[string]string{"a": "b"} },
		"3ds":  func(r *Request) { r.ThreeDS = ThreeDSSkip },
		"save": func(r *Request) { r.Save = true }, "off session": func(r *Request) { r.OffSession = true }, "splits": func(r *Request) { r.Splits = []Split{{Amount: dollars(1)}} },
	} {
		require.NotEqual(t, base, of(change), "%s is not part of the fingerprint", name)
		require.Equal(t, of(change), of(change), name)
	}
	require.Equal(t, base, of(func(r *Request) {
		r.ReturnURL, r.Payer.IP, r.Payer.UserAgent = "https://shop.example/return?try=2", "203.0.113.9", "another browser"
		r.Payer.Language, r.Payer.DeviceID = "de", "d2"
	}), "a second press over another network is the same request")
}
