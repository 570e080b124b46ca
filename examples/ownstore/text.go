package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tender-go/payment/money"
)

// The lines must give back exactly what they were given. encoding/json alone
// would not: it replaces broken UTF-8, which providers do send, and refuses an
// amount that was never set. So records are packed into plain values first.

var (
	typeTime   = reflect.TypeFor[time.Time]()
	typeAmount = reflect.TypeFor[money.Amount]()
)

// rawText begins a text that is not plain UTF-8; a text that begins so itself
// is kept the same way.
const rawText = "base64:"

func packText(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, rawText) {
		return s
	}
	return rawText + base64.StdEncoding.EncodeToString([]byte(s))
}

func unpackText(s string) (string, error) {
	raw, found := strings.CutPrefix(s, rawText)
	if !found {
		return s, nil
	}
	b, err := base64.StdEncoding.DecodeString(raw)
	return string(b), err
}

// amount is a money.Amount in a line.
type amount struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

// pack turns a record into what encoding/json writes without loss. It leaves
// out what is zero, and what must not be stored in clear (json:"-").
func pack(v reflect.Value) any {
	switch v.Type() {
	case typeTime: // a provider's clock may name a year that JSON times do not know
		return v.Interface().(time.Time).UnixMicro()
	case typeAmount:
		a := v.Interface().(money.Amount)
		return amount{a.Minor(), string(a.Currency())}
	}
	switch v.Kind() {
	case reflect.String:
		return packText(v.String())
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return pack(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes() // as base64
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = pack(v.Index(i))
		}
		return list
	case reflect.Map:
		m := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			m[packText(it.Key().String())] = pack(it.Value())
		}
		return m
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if hidden(v.Type(), f) || v.Field(i).IsZero() {
				continue
			}
			m[f.Name] = pack(v.Field(i))
		}
		return m
	}
	return v.Interface()
}

// hidden reports whether a field must not stand in a line.
func hidden(record reflect.Type, f reflect.StructField) bool {
	return f.Tag.Get("json") == "-" || record.Name() == "Event" && f.Name == "ProviderCustomer"
}

// unpack reads what pack made into v, a pointer.
func unpack(text json.RawMessage, v any) error { return read(text, reflect.ValueOf(v).Elem()) }

func read(text json.RawMessage, v reflect.Value) error {
	switch {
	case v.Type() == typeAmount:
		var a amount
		err := json.Unmarshal(text, &a)
		v.Set(reflect.ValueOf(money.Of(a.Minor, money.Currency(a.Currency))))
		return err
	case v.Type() == typeTime:
		var us int64
		err := json.Unmarshal(text, &us)
		v.Set(reflect.ValueOf(time.UnixMicro(us).UTC()))
		return err
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return json.Unmarshal(text, v.Addr().Interface())
	}
	switch v.Kind() {
	case reflect.String:
		var s string
		err := json.Unmarshal(text, &s)
		if err == nil {
			s, err = unpackText(s)
		}
		v.SetString(s)
		return err
	case reflect.Pointer:
		if string(text) == "null" {
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return read(text, v.Elem())
	case reflect.Slice:
		var list []json.RawMessage
		if err := json.Unmarshal(text, &list); err != nil {
			return err
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i, one := range list {
			if err := read(one, v.Index(i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		var m map[string]json.RawMessage
		if err := json.Unmarshal(text, &m); err != nil {
			return err
		}
		v.Set(reflect.MakeMap(v.Type()))
		for k, one := range m {
			val := reflect.New(v.Type().Elem()).Elem()
			key, err := unpackText(k)
			if err == nil {
				err = read(one, val)
			}
			if err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(key), val)
		}
		return nil
	case reflect.Struct:
		var m map[string]json.RawMessage
		if err := json.Unmarshal(text, &m); err != nil {
			return err
		}
		for name, one := range m {
			f := v.FieldByName(name)
			if !f.IsValid() {
				return fmt.Errorf("a %s has no field %s: was the file written by a newer program?", v.Type(), name)
			}
			if err := read(one, f); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
	return json.Unmarshal(text, v.Addr().Interface())
}
