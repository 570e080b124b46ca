// Package catalog holds the texts that people read about a payment: one JSON
// file a language, embedded, and parsed once, when the language is first asked
// for. It knows nothing of payments: keys are plain strings, and package
// payment decides which key a person may see.
package catalog

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// Fallback is the language of a reader whose own is not in the catalogue.
const Fallback = "en"

//go:embed texts/*.json
var files embed.FS

// Entry is one text: what happened, in a title and a sentence or two, and what
// the reader can do now.
type Entry struct {
	Title  string `json:"title"`
	Body   string `json:"body"`
	Advice string `json:"advice"`
}

// Book is one language. It is shared: readers do not change it.
type Book struct {
	// Lang is the language's BCP 47 tag.
	Lang string `json:"lang"`
	// Declines are for payers, by reason.
	Declines map[string]Entry `json:"declines"`
	// Notices are for payers whose payment is not refused, by notice.
	Notices map[string]Entry `json:"notices"`
	// Merchant is for the shop's staff, by reason. Not every language has it.
	Merchant map[string]Entry `json:"merchant,omitempty"`
}

// book pairs a language with its reader; the reader parses at most once.
type book struct {
	lang string
	open func() (*Book, error)
}

var books = [...]book{
	lazy("en"), lazy("zh-CN"), lazy("zh-TW"), lazy("es"), lazy("fr"), lazy("de"), lazy("ja"), lazy("pt"),
}

func lazy(lang string) book {
	return book{lang, sync.OnceValues(func() (*Book, error) {
		raw, err := files.ReadFile("texts/" + lang + ".json")
		if err != nil {
			return nil, fmt.Errorf("catalog %s: %w", lang, err)
		}
		return parse(raw)
	})}
}

// parse reads one file. A key that no field takes is an error: it is a typing
// slip that would leave a text out.
func parse(raw []byte) (*Book, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	b := new(Book)
	if err := dec.Decode(b); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("catalog %s: text after the end", b.Lang)
	}
	return b, nil
}

// Languages returns the BCP 47 tags of the catalogue, Fallback first. The
// slice is the caller's.
func Languages() []string {
	all := make([]string, len(books))
	for i := range books {
		all[i] = books[i].lang
	}
	return all
}

// Open returns the book of the language that Match finds for lang. The files
// are part of the program, so an error means a build with a broken file; the
// tests read every one.
func Open(lang string) (*Book, error) {
	want := Match(lang)
	for i := range books {
		if books[i].lang == want {
			return books[i].open()
		}
	}
	return nil, fmt.Errorf("catalog: no language %q", want)
}
