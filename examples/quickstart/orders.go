package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

//go:embed orders.json
var ordersJSON []byte

// order is one line of orders.json: what the shop sold, and how its payer and
// its staff will behave.
type order struct {
	Number   string              `json:"order"`
	Customer string              `json:"customer"` // "" for a guest
	Name     string              `json:"name"`
	Email    string              `json:"email"`
	Country  string              `json:"country"`
	Language string              `json:"language"`
	Items    string              `json:"items"`
	Amount   money.Amount        `json:"amount"`
	Capture  payment.CaptureMode `json:"capture"`
	Pay      []try               `json:"pay"`  // until one succeeds
	Then     []act               `json:"then"` // by the shop's staff, once paid
	Note     string              `json:"note"`
}

// try is one press of the pay button.
type try struct {
	Method   payment.Method `json:"method"`
	Token    string         `json:"token"`
	Save     bool           `json:"save"`      // keep the card for later
	OneClick bool           `json:"one_click"` // pay with the kept card
	// Challenge is what the payer does when the bank or wallet asks: pass,
	// fail, or leave.
	Challenge string `json:"challenge"`
	// How the button is pressed: "", double_submit or two_tabs.
	How string `json:"how"`
	// Fault of the network meanwhile: "" or answer_lost.
	Fault string `json:"fault"`
}

// act is something the shop's staff does: capture, refund, void or cancel.
type act struct {
	Do     string        `json:"do"`
	Amount *money.Amount `json:"amount"` // nil for all of it
	Final  bool          `json:"final"`  // nothing more will be captured
}

func readOrders() ([]order, error) {
	dec := json.NewDecoder(bytes.NewReader(ordersJSON))
	dec.DisallowUnknownFields()
	var all []order
	if err := dec.Decode(&all); err != nil {
		return nil, fmt.Errorf("orders.json: %w", err)
	}
	return all, nil
}
