package stripe

type token struct {
	id      string
	created int64
	card    *cardDetails
	used    bool
}
