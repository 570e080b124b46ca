package payment

import "encoding/json"

// This file is what the shop asked for and what a step sends, as they are kept:
// encrypted.

// wish is what the shop asked for, as it is kept: encrypted, in Payment.Sealed.
type wish struct {
	Method      storedInstrument
	Payer       Payer             `json:",omitzero"`
	Description string            `json:",omitempty"`
	Descriptor  string            `json:",omitempty"`
	Metadata    map[string]string `json:",omitempty"`
	ReturnURL   string            `json:",omitempty"`
	ThreeDS     ThreeDS           `json:",omitempty"`
	Save        bool              `json:",omitempty"`
	OffSession  bool              `json:",omitempty"`
	Splits      []Split           `json:",omitempty"`
}

// storedInstrument is an Instrument whose token survives JSON. It exists only
// on its way into and out of encryption.
type storedInstrument struct {
	Method   Method            `json:",omitempty"`
	Token    string            `json:",omitempty"`
	Saved    string            `json:",omitempty"`
	Provider string            `json:",omitempty"`
	Fields   map[string]string `json:",omitempty"`
}

func storeInstrument(i Instrument) storedInstrument {
	return storedInstrument{i.Method, i.Token.Reveal(), i.Saved, i.Provider, i.Fields}
}

func (s storedInstrument) instrument() Instrument {
	return Instrument{Method: s.Method, Token: NewSecret(s.Token), Saved: s.Saved, Provider: s.Provider, Fields: s.Fields}
}

func (r *Request) wish() wish {
	return wish{Method: storeInstrument(r.Method), Payer: r.Payer, Description: r.Description, Descriptor: r.Descriptor,
		Metadata: r.Metadata, ReturnURL: r.ReturnURL, ThreeDS: r.ThreeDS, Save: r.Save, OffSession: r.OffSession, Splits: r.Splits}
}

// withoutBrowser is the wish without what a second press of the same button may
// change by itself: it is the same request all the same.
func (w wish) withoutBrowser() wish {
	w.Payer.IP, w.Payer.UserAgent, w.Payer.Language, w.Payer.DeviceID = "", "", "", ""
	w.ReturnURL = ""
	return w
}

// order is a step's request as it is stored and sent: exactly one field is set.
type order struct {
	Authorize *AuthorizeRequest `json:",omitempty"`
	Resume    *ResumeRequest    `json:",omitempty"`
	Capture   *CaptureRequest   `json:",omitempty"`
	Void      *VoidRequest      `json:",omitempty"`
	Refund    *RefundRequest    `json:",omitempty"`
	Fence     *FenceRequest     `json:",omitempty"`
	Transfer  *TransferRequest  `json:",omitempty"`
	Respond   *RespondRequest   `json:",omitempty"`
	Accept    *AcceptRequest    `json:",omitempty"`
	// Token of Authorize or Resume: a Secret does not go through JSON.
	Token string `json:",omitempty"`
}

func (o order) encode() ([]byte, error) {
	switch {
	case o.Authorize != nil:
		a := *o.Authorize
		o.Token, a.Method.Token = a.Method.Token.Reveal(), Secret{}
		o.Authorize = &a
	case o.Resume != nil:
		r := *o.Resume
		o.Token, r.Method.Token = r.Method.Token.Reveal(), Secret{}
		o.Resume = &r
	}
	return json.Marshal(o)
}

func decodeOrder(plain []byte) (order, error) {
	var o order
	if err := json.Unmarshal(plain, &o); err != nil {
		return order{}, err
	}
	switch {
	case o.Authorize != nil:
		o.Authorize.Method.Token = NewSecret(o.Token)
	case o.Resume != nil:
		o.Resume.Method.Token = NewSecret(o.Token)
	}
	return o, nil
}

// personal reports whether the request holds values of the payer's: it is then
// sealed with the payer's key, and cannot be sent any more once that is erased.
// The others can: money still moves for a payer who was erased.
func (o *order) personal() bool { return o.Authorize != nil || o.Resume != nil || o.Respond != nil }

// call returns the Call inside.
func (o *order) call() *Call {
	switch {
	case o.Authorize != nil:
		return &o.Authorize.Call
	case o.Resume != nil:
		return &o.Resume.Call
	case o.Capture != nil:
		return &o.Capture.Call
	case o.Void != nil:
		return &o.Void.Call
	case o.Refund != nil:
		return &o.Refund.Call
	case o.Fence != nil:
		return &o.Fence.Call
	case o.Transfer != nil:
		return &o.Transfer.Call
	case o.Respond != nil:
		return &o.Respond.Call
	case o.Accept != nil:
		return &o.Accept.Call
	}
	return &Call{}
}
