package payment

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// This file keeps personal values and secrets out of clear storage. Every
// subject (a customer, or for a guest the payment) has a random key; its
// values are stored only under that key, and erasing the subject destroys it.

// installSubject is the subject whose key makes the fingerprints of this
// installation.
const installSubject = "install"

func customerSubject(customer string) string { return "c:" + customer }

func guestSubject(paymentID string) string { return "p:" + paymentID }

const keySize = 32

// keyring wraps and unwraps subject keys and keeps a bounded number of them.
type keyring struct {
	store   Store
	random  io.Reader
	masters []cipher.AEAD // the first wraps; all unwrap

	mu    sync.Mutex
	known map[string]cipher.AEAD
}

const maxKnownKeys = 4096

func newKeyring(store Store, random io.Reader, masters [][]byte) (*keyring, error) {
	k := &keyring{store: store, random: random, known: map[string]cipher.AEAD{}}
	for _, m := range masters {
		a, err := newAEAD(m)
		if err != nil {
			return nil, err
		}
		k.masters = append(k.masters, a)
	}
	return k, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("payment: a key has %d bytes, not %d", len(key), keySize)
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// Stored keys begin with a byte that says how they are wrapped.
const (
	wrapNone   = 0
	wrapMaster = 1
)

func (k *keyring) wrap(subject string, key []byte) ([]byte, error) {
	if len(k.masters) == 0 {
		return append([]byte{wrapNone}, key...), nil
	}
	sealed, err := sealWith(k.masters[0], k.random, key, "key:"+subject)
	return append([]byte{wrapMaster}, sealed...), err
}

func (k *keyring) unwrap(subject string, wrapped []byte) ([]byte, error) {
	if len(wrapped) == 0 {
		return nil, ErrErased
	}
	switch wrapped[0] {
	case wrapNone:
		return wrapped[1:], nil
	case wrapMaster:
		for _, m := range k.masters {
			if key, err := openWith(m, wrapped[1:], "key:"+subject); err == nil {
				return key, nil
			}
		}
		return nil, errors.New("payment: a subject's key was wrapped with a master key that Config.MasterKeys does not hold: add it behind the current one")
	}
	return nil, fmt.Errorf("payment: a subject's key is wrapped in an unknown way (%d)", wrapped[0])
}

func (k *keyring) cached(subject string) cipher.AEAD {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known[subject]
}

func (k *keyring) remember(subject string, a cipher.AEAD) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= maxKnownKeys {
		for s := range k.known { // any: the cache saves a read, no more
			delete(k.known, s)
			break
		}
	}
	k.known[subject] = a
}

func (k *keyring) forget(subject string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, subject)
}

// create makes the key of a subject that has none yet, in tx, and returns the
// one that holds, and whether that is the new one. It is cached only after it was read back from the store: the
// transaction may still roll back.
func (k *keyring) create(ctx context.Context, tx Tx, subject string, fresh []byte) (key cipher.AEAD, isNew bool, err error) {
	wrapped, err := k.wrap(subject, fresh)
	if err != nil {
		return nil, false, err
	}
	existing, err := tx.PutSubjectKey(ctx, subject, wrapped)
	if err != nil {
		return nil, false, err
	}
	if existing != nil {
		if fresh, err = k.unwrap(subject, existing); err != nil {
			return nil, false, err
		}
	}
	key, err = newAEAD(fresh)
	return key, existing == nil, err
}

// of returns the key of a subject: from the cache, else from the store.
func (k *keyring) of(ctx context.Context, r Reader, subject string) (cipher.AEAD, error) {
	if a := k.cached(subject); a != nil {
		return a, nil
	}
	wrapped, err := r.SubjectKey(ctx, subject)
	if err != nil {
		return nil, err
	}
	key, err := k.unwrap(subject, wrapped)
	if err != nil {
		return nil, err
	}
	a, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	if _, inTx := r.(Tx); !inTx { // in a transaction it may still roll back
		k.remember(subject, a)
	}
	return a, nil
}

func (k *keyring) fresh() ([]byte, error) {
	key := make([]byte, keySize)
	_, err := io.ReadFull(k.random, key)
	return key, err
}

// sealWith encrypts plain; where binds it to its place, so that a sealed value
// cannot be moved to another record.
func sealWith(a cipher.AEAD, random io.Reader, plain []byte, where string) ([]byte, error) {
	out := make([]byte, a.NonceSize(), a.NonceSize()+len(plain)+a.Overhead())
	if _, err := io.ReadFull(random, out); err != nil {
		return nil, err
	}
	return a.Seal(out, out, plain, []byte(where)), nil
}

var errSealed = errors.New("payment: a sealed value cannot be opened: it was changed, moved or sealed with another key")

func openWith(a cipher.AEAD, sealed []byte, where string) ([]byte, error) {
	if len(sealed) < a.NonceSize() {
		return nil, errSealed
	}
	plain, err := a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], []byte(where))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

func (k *keyring) sealJSON(a cipher.AEAD, v any, where string) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return sealWith(a, k.random, plain, where)
}

func openJSON(a cipher.AEAD, sealed []byte, where string, v any) error {
	plain, err := openWith(a, sealed, where)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}

// printer makes keyed fingerprints, so that a stored one cannot be guessed
// back to what it was made of.
type printer struct{ key []byte }

func (p printer) of(v any) ([]byte, error) {
	m := hmac.New(sha256.New, p.key)
	if err := json.NewEncoder(m).Encode(v); err != nil {
		return nil, err
	}
	return m.Sum(nil), nil
}

// derive makes a further key of the installation's, for the named use.
func (p printer) derive(use string) (cipher.AEAD, error) {
	m := hmac.New(sha256.New, p.key)
	m.Write([]byte("key for " + use))
	return newAEAD(m.Sum(nil))
}

// loadPrinter returns the installation's fingerprint key, made on first use.
func (k *keyring) loadPrinter(ctx context.Context) (printer, error) {
	wrapped, err := k.store.SubjectKey(ctx, installSubject)
	if errors.Is(err, ErrNotFound) {
		var fresh []byte
		if fresh, err = k.fresh(); err != nil {
			return printer{}, err
		}
		if wrapped, err = k.wrap(installSubject, fresh); err != nil {
			return printer{}, err
		}
		err = k.store.Update(ctx, func(ctx context.Context, tx Tx) error {
			existing, err := tx.PutSubjectKey(ctx, installSubject, wrapped)
			if existing != nil {
				wrapped = existing
			}
			return err
		})
	}
	if err != nil {
		return printer{}, err
	}
	key, err := k.unwrap(installSubject, wrapped)
	return printer{key: key}, err
}

// systemRandom is crypto/rand, which does not fail.
var systemRandom io.Reader = rand.Reader

// personal lists the values of a wish that must not stand in clear anywhere.
func (w *wish) personal() []string {
	v := []string{w.Payer.Email, w.Payer.Phone, w.Payer.IP, w.Payer.DeviceID, w.Payer.UserAgent, w.Method.Token, w.Description}
	v = append(v, w.Payer.Name)
	v = append(v, strings.Fields(w.Payer.Name)...)
	for _, a := range []Address{w.Payer.Billing, w.Payer.Shipping} {
		v = append(v, a.Name, a.Line1, a.Line2, a.City, a.PostalCode)
		v = append(v, strings.Fields(a.Name)...)
	}
	for _, m := range []map[string]string{w.Method.Fields, w.Metadata} {
		for _, x := range m {
			v = append(v, x)
		}
	}
	slices.SortFunc(v, func(a, b string) int { return len(b) - len(a) }) // the longest first
	return v
}

// hide replaces the values in a text, whatever their case. Values of less than
// three bytes are left: they say nothing of anybody.
func hide(text string, values []string) string {
	for _, v := range values {
		if len(v) < 3 {
			continue
		}
		lower, needle := strings.ToLower(text), strings.ToLower(v)
		if len(lower) != len(text) { // case changes the length: compare as it is
			lower, needle = text, v
		}
		for i := strings.Index(lower, needle); i >= 0; i = strings.Index(lower, needle) {
			text = text[:i] + "***" + text[i+len(needle):]
			lower = lower[:i] + "***" + lower[i+len(needle):]
		}
	}
	return text
}
