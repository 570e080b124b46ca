package money

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]Amount{
		`{"value":"19.99","currency":"USD"}`:                 Of(1999, USD),
		`{"value":"0.00","currency":"USD"}`:                  Zero(USD),
		`{"value":"-1.250","currency":"KWD"}`:                Of(-1250, KWD),
		`{"value":"1999","currency":"JPY"}`:                  Of(1999, JPY),
		`{"value":"-92233720368547758.08","currency":"USD"}`: Of(math.MinInt64, USD),
	} {
		got, err := json.Marshal(a)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
		var back Amount
		require.NoError(t, json.Unmarshal(got, &back))
		require.Equal(t, a, back)
	}
	for _, in := range []string{
		`{"currency":"USD","value":"19.99"}`,
		" { \"value\" : \"19.99\" ,\n\t\"currency\" : \"USD\" } ",
		`{"value":"19.99","currency":"\u0055SD"}`,
	} {
		var a Amount
		require.NoError(t, a.UnmarshalJSON([]byte(in)), in)
		require.Equal(t, Of(1999, USD), a)
	}
}

func TestJSONRefuses(t *testing.T) {
	t.Parallel()
	for in, kind := range map[string]error{
		`{"value":19.99,"currency":"USD"}`:                       ErrSyntax, // number
		`{"value":1999,"currency":"USD"}`:                        ErrSyntax,
		`{"value":1e3,"currency":"USD"}`:                         ErrSyntax,
		`{"value":null,"currency":"USD"}`:                        ErrSyntax,
		`{"value":true,"currency":"USD"}`:                        ErrSyntax,
		`{"value":["19.99"],"currency":"USD"}`:                   ErrSyntax,
		`{"value":{"value":"19.99"},"currency":"USD"}`:           ErrSyntax,
		`{"value":"19.99","currency":840}`:                       ErrSyntax,
		`{"value":"19.99","currency":null}`:                      ErrSyntax,
		`{"value":"19.99"}`:                                      ErrSyntax, // missing
		`{"currency":"USD"}`:                                     ErrSyntax,
		`{}`:                                                     ErrSyntax,
		`{"value":"19.99","currency":"USD","value":"29.99"}`:     ErrSyntax, // duplicates
		`{"value":"19.99","value":"19.99","currency":"USD"}`:     ErrSyntax,
		`{"value":"19.99","currency":"USD","currency":"EUR"}`:    ErrSyntax,
		`{"value":"19.99","currency":"USD","v\u0061lue":"1.00"}`: ErrSyntax,
		`{"Value":"19.99","Currency":"USD"}`:                     ErrSyntax, // spelling
		`{"value":"19.99","currency":"USD","VALUE":"29.99"}`:     ErrSyntax,
		`{"value":"19.99","currency":"USD","amount":1999}`:       ErrSyntax, // unknown
		`{"value":"19.99","currency":"USD","":""}`:               ErrSyntax,
		`{"value":"19.9","currency":"USD"}`:                      ErrExponent, // decimals
		`{"value":"19","currency":"USD"}`:                        ErrExponent,
		`{"value":"19.990","currency":"USD"}`:                    ErrExponent,
		`{"value":"1999.00","currency":"JPY"}`:                   ErrExponent,
		`{"value":"1.25","currency":"KWD"}`:                      ErrExponent,
		`{"value":"019.99","currency":"USD"}`:                    ErrSyntax, // not canonical
		`{"value":"-0.00","currency":"USD"}`:                     ErrSyntax,
		`{"value":"+19.99","currency":"USD"}`:                    ErrSyntax,
		`{"value":" 19.99","currency":"USD"}`:                    ErrSyntax,
		`{"value":"1,999.00","currency":"USD"}`:                  ErrSyntax,
		`{"value":"","currency":"USD"}`:                          ErrSyntax,
		`{"value":"NaN","currency":"USD"}`:                       ErrSyntax,
		`{"value":"99999999999999999999.00","currency":"USD"}`:   ErrOverflow,
		`{"value":"19.99","currency":"usd"}`:                     ErrUnknownCurrency,
		`{"value":"19.99","currency":""}`:                        ErrUnknownCurrency,
		`{"value":"19.99","currency":"BGN"}`:                     ErrUnknownCurrency,
		`{"value":"19.99","currency":"XAU"}`:                     ErrNoMinorUnit,
		`null`:                                                   ErrSyntax,
		` null `:                                                 ErrSyntax,
		`"19.99 USD"`:                                            ErrSyntax,
		`1999`:                                                   ErrSyntax,
		`[]`:                                                     ErrSyntax,
		`["value","19.99","currency","USD"]`:                     ErrSyntax,
		``:                                                       ErrSyntax, // only when called directly
		`{`:                                                      ErrSyntax,
		`{"value"`:                                               ErrSyntax,
		`{"value":`:                                              ErrSyntax,
		`{"value":"19.99"`:                                       ErrSyntax,
		`{"value":"19.99","currency":"USD"`:                      ErrSyntax,
		`{"value":"19.99","currency":"USD"]`:                     ErrSyntax,
		`{"value":"19.99","currency":"USD"}}`:                    ErrSyntax,
		`{"value":"19.99","currency":"USD"}{"value":"1","currency":"USD"}`: ErrSyntax,
		`{"` + strings.Repeat("x", 10000) + `":"1"}`:                       ErrSyntax,
	} {
		a := Of(7, EUR)
		err := a.UnmarshalJSON([]byte(in))
		require.ErrorIs(t, err, kind, "%.80s", in)
		require.Equal(t, Of(7, EUR), a, "a failed decode changes nothing: %.80s", in)
		requireReadable(t, err)
	}
	var a Amount
	err := json.Unmarshal([]byte(`{"value":19.99,"currency":"USD"}`), &a)
	require.EqualError(t, err, `money: decode JSON value: it must be a JSON string, such as "19.99": numbers lose digits on the way`)
	err = json.Unmarshal([]byte(`{"value":"19.9","currency":"USD"}`), &a)
	require.EqualError(t, err, `money: decode JSON "19.9": not as it is written here: USD has exactly 2 decimals and no spare zeros; write 19.90 USD`)
}

func TestJSONInsideStructs(t *testing.T) {
	t.Parallel()
	type order struct {
		Total Amount  `json:"total"`
		Tip   *Amount `json:"tip"`
	}
	got, err := json.Marshal(order{Total: Of(1999, USD)})
	require.NoError(t, err)
	require.Equal(t, `{"total":{"value":"19.99","currency":"USD"},"tip":null}`, string(got))
	var back order
	require.NoError(t, json.Unmarshal(got, &back))
	require.Equal(t, order{Total: Of(1999, USD)}, back)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"total":null}`), &back), ErrSyntax, "null does not silently keep the old total")
	require.Equal(t, Of(1999, USD), back.Total)

	_, err = json.Marshal(order{})
	require.ErrorIs(t, err, ErrUnknownCurrency, "an amount that was never set does not turn into zero")
	require.Contains(t, err.Error(), "never set")
}

func TestTextAndXML(t *testing.T) {
	t.Parallel()
	type row struct {
		Amount Amount `xml:"amount,attr"`
	}
	got, err := xml.Marshal(row{Of(1999, USD)})
	require.NoError(t, err)
	require.Equal(t, `<row amount="19.99 USD"></row>`, string(got))
	var back row
	require.NoError(t, xml.Unmarshal(got, &back))
	require.Equal(t, row{Of(1999, USD)}, back)
}

// notCanonicalText is what ParseAmount may accept, but no encoding ever wrote.
var notCanonicalText = map[string]error{
	"19.9 USD": ErrExponent, "19 USD": ErrExponent, "19.990 USD": ErrExponent, "019.99 USD": ErrSyntax, "-0.00 USD": ErrSyntax, "-0 JPY": ErrSyntax,
	"": ErrSyntax, "19.99": ErrSyntax, "1999": ErrSyntax, "19.99 usd": ErrUnknownCurrency, "19.99 USD ": ErrUnknownCurrency,
	"19.99 XAU": ErrNoMinorUnit, "0 (no currency)": ErrUnknownCurrency, "null": ErrSyntax,
}

func TestTextRefuses(t *testing.T) {
	t.Parallel()
	for in, kind := range notCanonicalText {
		a := Of(7, EUR)
		err := a.UnmarshalText([]byte(in))
		require.ErrorIs(t, err, kind, in)
		require.Equal(t, Of(7, EUR), a)
		requireReadable(t, err)
	}
}

func TestUnencodableAmounts(t *testing.T) {
	t.Parallel()
	for a, kind := range map[Amount]error{
		{}: ErrUnknownCurrency, Of(5, ""): ErrUnknownCurrency, Of(5, "usd"): ErrUnknownCurrency, Of(5, `U"D`): ErrUnknownCurrency,
		Of(5, XAU): ErrNoMinorUnit, Zero(XXX): ErrNoMinorUnit,
	} {
		_, err := a.MarshalJSON()
		require.ErrorIs(t, err, kind, "%v", a)
		_, err = a.MarshalText()
		require.ErrorIs(t, err, kind, "%v", a)
		_, err = a.Value()
		require.ErrorIs(t, err, kind, "%v", a)
		requireReadable(t, err)
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	for _, src := range []any{"19.99 USD", []byte("19.99 USD")} {
		var a Amount
		require.NoError(t, a.Scan(src))
		require.Equal(t, Of(1999, USD), a)
	}
	for in, kind := range notCanonicalText {
		a := Of(7, EUR)
		require.ErrorIs(t, a.Scan(in), kind, in)
		require.ErrorIs(t, a.Scan([]byte(in)), kind, in)
		require.Equal(t, Of(7, EUR), a)
	}
	for _, src := range []any{nil, int64(1999), 19.99, true, 1999, struct{}{}} {
		a := Of(7, EUR)
		err := a.Scan(src)
		require.ErrorIs(t, err, ErrSyntax, "%T", src)
		require.Equal(t, Of(7, EUR), a)
		requireReadable(t, err)
	}
	var a Amount
	require.ErrorContains(t, a.Scan(nil), "*money.Amount")
	require.ErrorContains(t, a.Scan(int64(5)), "money.Of")
}

// cell is a database/sql driver of one cell: it keeps the last argument and
// answers every query with it, as a string, as bytes, or as NULL.
type cell struct {
	kept    driver.Value
	asBytes bool
}

func (c *cell) Connect(context.Context) (driver.Conn, error) { return c, nil }
func (c *cell) Driver() driver.Driver                        { return nil }
func (c *cell) Prepare(string) (driver.Stmt, error)          { return c, nil }
func (c *cell) Begin() (driver.Tx, error)                    { return nil, driver.ErrSkip }
func (c *cell) Close() error                                 { return nil }
func (c *cell) NumInput() int                                { return -1 }
func (c *cell) Query([]driver.Value) (driver.Rows, error)    { return &cellRows{c: c}, nil }
func (c *cell) Exec(args []driver.Value) (driver.Result, error) {
	c.kept = args[0]
	return driver.RowsAffected(1), nil
}

type cellRows struct {
	c    *cell
	done bool
}

func (r *cellRows) Columns() []string { return []string{"amount"} }
func (r *cellRows) Close() error      { return nil }
func (r *cellRows) Next(dest []driver.Value) error {
	if r.done {
		return io.EOF
	}
	r.done, dest[0] = true, r.c.kept
	if s, ok := r.c.kept.(string); ok && r.c.asBytes {
		dest[0] = []byte(s)
	}
	return nil
}

func TestThroughDatabaseSQL(t *testing.T) {
	t.Parallel()
	for _, asBytes := range []bool{false, true} {
		c := &cell{asBytes: asBytes}
		db := sql.OpenDB(c)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		write := func(arg any) {
			t.Helper()
			_, err := db.Exec("write", arg)
			require.NoError(t, err)
		}
		read := func(dest any) error { return db.QueryRow("read").Scan(dest) }
		a := Of(-1999, USD)

		write(a)
		require.Equal(t, "-19.99 USD", c.kept, "one string holds value and currency")
		var got Amount
		require.NoError(t, read(&got))
		require.Equal(t, a, got)

		write(&a)
		var ptr *Amount
		require.NoError(t, read(&ptr))
		require.Equal(t, &a, ptr)

		write(sql.Null[Amount]{V: a, Valid: true})
		var null sql.Null[Amount]
		require.NoError(t, read(&null))
		require.Equal(t, sql.Null[Amount]{V: a, Valid: true}, null)

		write((*Amount)(nil))
		require.Nil(t, c.kept, "a nil pointer is NULL")
		require.NoError(t, read(&ptr))
		require.Nil(t, ptr)
		write(sql.Null[Amount]{})
		require.Nil(t, c.kept)
		require.NoError(t, read(&null))
		require.False(t, null.Valid)
		require.ErrorIs(t, read(&got), ErrSyntax, "NULL does not read as no money")
		require.Equal(t, a, got)

		c.kept = int64(1999)
		require.ErrorIs(t, read(&got), ErrSyntax)
		_, err := db.Exec("write", Amount{})
		require.ErrorIs(t, err, ErrUnknownCurrency)
	}
}

func TestEncodingsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := anyAmount().Draw(t, "a")
		var back Amount
		data, err := json.Marshal(a)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &back))
		require.Equal(t, a, back)

		back = Amount{}
		text, err := a.MarshalText()
		require.NoError(t, err)
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, a, back)

		back = Amount{}
		v, err := a.Value()
		require.NoError(t, err)
		require.NoError(t, back.Scan(v))
		require.Equal(t, a, back)
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"value":"19.99","currency":"USD"}`, `{"currency":"JPY","value":"-5"}`, `null`, `{"value":1}`, `{"value":"1","value":"2"}`,
		`{"value":"19.99","currency":"USD"} x`, `{"a":{"b":[1,2]}}`, "{\"value\":\"\xff\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a := Of(7, EUR)
		if err := a.UnmarshalJSON(data); err != nil {
			require.Equal(t, Of(7, EUR), a, "a failed decode changes nothing")
			requireReadable(t, err)
			return
		}
		require.True(t, json.Valid(data))
		var plainRead map[string]string
		require.NoError(t, json.Unmarshal(data, &plainRead))
		require.Len(t, plainRead, 2)
		require.Equal(t, a.String(), plainRead["value"]+" "+plainRead["currency"], "what was read is what was sent")
		again, err := json.Marshal(a)
		require.NoError(t, err)
		var back Amount
		require.NoError(t, json.Unmarshal(again, &back))
		require.Equal(t, a, back)
	})
}

func FuzzScan(f *testing.F) {
	for s := range notCanonicalText {
		f.Add(s)
	}
	f.Add("19.99 USD")
	f.Add("-92233720368547758.08 USD")
	f.Fuzz(func(t *testing.T, s string) {
		a := Of(7, EUR)
		if err := a.Scan(s); err != nil {
			require.Equal(t, Of(7, EUR), a, "a failed scan changes nothing")
			requireReadable(t, err)
			return
		}
		v, err := a.Value()
		require.NoError(t, err)
		require.Equal(t, s, v, "only what Value writes is read")
	})
}
