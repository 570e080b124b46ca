package stripe

import (
	"bytes"
	"encoding/json"
)

// The types below read what Stripe sends, in answers and in webhooks alike:
// only fields that are used, and only such as mean the same in every API
// version, because a webhook has the version of its endpoint. What decides over
// money must have the right type, or the whole object is refused; what only
// describes is read leniently.

// expandable is a field that holds an id, or the object itself when it was
// expanded.
type expandable[T any] struct {
	ID     string
	Object *T
}

func (e *expandable[T]) UnmarshalJSON(b []byte) error {
	*e = expandable[T]{}
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0 || string(b) == "null":
		return nil
	case b[0] == '"':
		return json.Unmarshal(b, &e.ID)
	}
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		return err
	}
	e.Object = v
	if own, ok := any(v).(interface{ id() string }); ok {
		e.ID = own.id() // saves reading a charge twice, and what is expanded in it four times
		return nil
	}
	var head struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(b, &head)
	e.ID = head.ID
	return err
}

// lenient is a field that only describes: a shape that is not understood reads
// as its zero value.
type lenient[T any] struct{ V T }

func (l *lenient[T]) UnmarshalJSON(b []byte) error {
	l.V = *new(T)
	if json.Unmarshal(b, &l.V) != nil {
		l.V = *new(T)
	}
	return nil
}

type none struct{}

type intent struct {
	ID                 string                           `json:"id"`
	Object             string                           `json:"object"`
	Status             string                           `json:"status"`
	Amount             int64                            `json:"amount"`
	AmountCapturable   int64                            `json:"amount_capturable"`
	AmountReceived     int64                            `json:"amount_received"`
	Currency           string                           `json:"currency"`
	CaptureMethod      string                           `json:"capture_method"`
	CancellationReason string                           `json:"cancellation_reason"`
	CanceledAt         int64                            `json:"canceled_at"`
	Created            int64                            `json:"created"`
	ClientSecret       string                           `json:"client_secret"`
	Customer           expandable[none]                 `json:"customer"`
	Metadata           map[string]string                `json:"metadata"`
	NextAction         *nextAction                      `json:"next_action"`
	PaymentMethod      expandable[lenient[cardHolding]] `json:"payment_method"`
	PaymentMethodTypes []string                         `json:"payment_method_types"`
	SetupFutureUsage   string                           `json:"setup_future_usage"`
	LatestCharge       expandable[charge]               `json:"latest_charge"`
	LastPaymentError   *apiError                        `json:"last_payment_error"`
	ApplicationFee     int64                            `json:"application_fee_amount"`
	TransferData       *struct {
		Destination expandable[none] `json:"destination"`
	} `json:"transfer_data"`
}

type nextAction struct {
	Type          string `json:"type"`
	RedirectToURL struct {
		URL string `json:"url"`
	} `json:"redirect_to_url"`
	Alipay struct {
		URL        string `json:"url"`
		NativeURL  string `json:"native_url"`
		NativeData string `json:"native_data"`
	} `json:"alipay_handle_redirect"`
	WeChatQR struct {
		Data     string `json:"data"`
		ImagePNG string `json:"image_url_png"`
		Hosted   string `json:"hosted_instructions_url"`
	} `json:"wechat_pay_display_qr_code"`
	WeChatAndroid lenient[map[string]string] `json:"wechat_pay_redirect_to_android_app"`
	WeChatIOS     lenient[map[string]string] `json:"wechat_pay_redirect_to_ios_app"`
}

type charge struct {
	ID                 string                         `json:"id"`
	Object             string                         `json:"object"`
	Amount             int64                          `json:"amount"`
	AmountRefunded     int64                          `json:"amount_refunded"`
	Captured           bool                           `json:"captured"`
	Disputed           bool                           `json:"disputed"`
	Currency           string                         `json:"currency"`
	PaymentIntent      expandable[none]               `json:"payment_intent"`
	BalanceTransaction expandable[balanceTransaction] `json:"balance_transaction"`
	Details            lenient[cardHolding]           `json:"payment_method_details"`
	Outcome            lenient[outcome]               `json:"outcome"`
	Metadata           map[string]string              `json:"metadata"`
	Created            int64                          `json:"created"`
}

func (c *charge) id() string { return c.ID }

type outcome struct {
	NetworkDeclineCode string `json:"network_decline_code"`
	NetworkAdviceCode  string `json:"network_advice_code"`
	AdviceCode         string `json:"advice_code"`
	Type               string `json:"type"`
}

// cardHolding is what PaymentMethods and payment_method_details have in common.
type cardHolding struct {
	ID          string           `json:"id"`
	Type        string           `json:"type"`
	Customer    expandable[none] `json:"customer"`
	Card        *cardDetails     `json:"card"`
	CardPresent *cardDetails     `json:"card_present"`
}

type cardDetails struct {
	Brand         string `json:"brand"`
	Last4         string `json:"last4"`
	IIN           string `json:"iin"`
	ExpMonth      int    `json:"exp_month"`
	ExpYear       int    `json:"exp_year"`
	Country       string `json:"country"`
	Funding       string `json:"funding"`
	Fingerprint   string `json:"fingerprint"`
	CaptureBefore int64  `json:"capture_before"`
	Wallet        *struct {
		Type string `json:"type"`
	} `json:"wallet"`
	Multicapture *struct {
		Status string `json:"status"`
	} `json:"multicapture"`
	ThreeDSecure *struct {
		Result  string `json:"result"`
		Version string `json:"version"`
		ECI     string `json:"electronic_commerce_indicator"`
	} `json:"three_d_secure"`
}

type refund struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Amount        int64             `json:"amount"`
	Currency      string            `json:"currency"`
	Status        string            `json:"status"`
	FailureReason string            `json:"failure_reason"`
	PaymentIntent expandable[none]  `json:"payment_intent"`
	Charge        expandable[none]  `json:"charge"`
	Metadata      map[string]string `json:"metadata"`
	Created       int64             `json:"created"`
}

type dispute struct {
	ID            string                        `json:"id"`
	Object        string                        `json:"object"`
	Amount        int64                         `json:"amount"`
	Currency      string                        `json:"currency"`
	Status        string                        `json:"status"`
	Reason        string                        `json:"reason"`
	Charge        expandable[none]              `json:"charge"`
	PaymentIntent expandable[none]              `json:"payment_intent"`
	Created       int64                         `json:"created"`
	Metadata      map[string]string             `json:"metadata"`
	NetworkCode   string                        `json:"network_reason_code"`
	Transactions  lenient[[]balanceTransaction] `json:"balance_transactions"`
	Evidence      struct {
		DueBy int64 `json:"due_by"`
	} `json:"evidence_details"`
	Details lenient[struct {
		Card struct {
			NetworkReasonCode string `json:"network_reason_code"`
		} `json:"card"`
	}] `json:"payment_method_details"`
}

type transfer struct {
	ID             string            `json:"id"`
	Object         string            `json:"object"`
	Amount         int64             `json:"amount"`
	AmountReversed int64             `json:"amount_reversed"`
	Reversed       bool              `json:"reversed"`
	Currency       string            `json:"currency"`
	Destination    expandable[none]  `json:"destination"`
	Metadata       map[string]string `json:"metadata"`
	Created        int64             `json:"created"`
}

type setupIntent struct {
	ID             string                           `json:"id"`
	Object         string                           `json:"object"`
	Status         string                           `json:"status"`
	ClientSecret   string                           `json:"client_secret"`
	Created        int64                            `json:"created"`
	Customer       expandable[none]                 `json:"customer"`
	Metadata       map[string]string                `json:"metadata"`
	NextAction     *nextAction                      `json:"next_action"`
	PaymentMethod  expandable[lenient[cardHolding]] `json:"payment_method"`
	LastSetupError *apiError                        `json:"last_setup_error"`
}

type customer struct {
	ID string `json:"id"`
}

type file struct {
	ID string `json:"id"`
}

type reader struct {
	ID     string `json:"id"`
	Action *struct {
		Type        string `json:"type"`
		Status      string `json:"status"`
		FailureCode string `json:"failure_code"`
		Process     struct {
			PaymentIntent expandable[none] `json:"payment_intent"`
		} `json:"process_payment_intent"`
	} `json:"action"`
}

type balanceTransaction struct {
	ID                string                      `json:"id"`
	Amount            int64                       `json:"amount"`
	Fee               int64                       `json:"fee"`
	Net               int64                       `json:"net"`
	Currency          string                      `json:"currency"`
	Type              string                      `json:"type"`
	ReportingCategory string                      `json:"reporting_category"`
	Source            expandable[lenient[source]] `json:"source"`
	Created           int64                       `json:"created"`
	AvailableOn       int64                       `json:"available_on"`
}

func (b *balanceTransaction) id() string { return b.ID }

type payout struct {
	ID        string `json:"id"`
	Automatic bool   `json:"automatic"`
}

// source is the object behind a balance transaction.
type source struct {
	Metadata      map[string]string `json:"metadata"`
	PaymentIntent expandable[none]  `json:"payment_intent"`
}

type list[T any] struct {
	Object  string `json:"object"`
	Data    []T    `json:"data"`
	HasMore bool   `json:"has_more"`
}

// apiError is Stripe's error object, of an answer or kept on an intent.
type apiError struct {
	Type               string       `json:"type"`
	Code               string       `json:"code"`
	DeclineCode        string       `json:"decline_code"`
	Param              string       `json:"param"`
	Message            string       `json:"message"`
	NetworkDeclineCode string       `json:"network_decline_code"`
	NetworkAdviceCode  string       `json:"network_advice_code"`
	AdviceCode         string       `json:"advice_code"`
	PaymentIntent      *intent      `json:"payment_intent"`
	SetupIntent        *setupIntent `json:"setup_intent"`
}

// The names of what is put on every object made here, so that webhooks,
// look-ups and reports find home. The prefix keeps them apart from the shop's
// own metadata.
const (
	metaPrefix    = "tender_" // of all below
	metaOperation = "tender_operation"
	metaStep      = "tender_step"
	metaPayment   = "tender_payment"
	metaReference = "tender_reference"
	// metaFlow says how an intent is meant to be paid: see the flow constants.
	metaFlow = "tender_flow"
	// metaReader names the terminal reader of an intent.
	metaReader = "tender_reader"
	// metaCapture, followed by a hexadecimal digit, holds the key of the step
	// that made a capture: see captureMark.
	metaCapture = "tender_capture_"
)

// How an intent is meant to be paid.
const (
	flowServer     = "server"     // our confirm decides; the payer may be asked
	flowUnattended = "unattended" // our confirm decides; nobody is asked, nothing is handed out
	flowPage       = "page"       // the payer confirms with the client secret
	flowReader     = "reader"     // a terminal reader confirms
)
