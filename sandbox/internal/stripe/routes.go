package stripe

import "strings"

// routes is the table of endpoints: method, then the path with ":" for an id.
func routes() map[string]route {
	return map[string]route{
		"POST payment_intents":           {createIntent, "payment_intent"},
		"GET payment_intents":            {listIntents, "list:payment_intent"},
		"GET payment_intents/search":     {searchIntents, "list:payment_intent"},
		"GET payment_intents/:":          {getIntent, "payment_intent"},
		"POST payment_intents/:":         {updateIntent, "payment_intent"},
		"POST payment_intents/:/confirm": {confirmIntent, "payment_intent"},
		"POST payment_intents/:/capture": {captureIntent, "payment_intent"},
		"POST payment_intents/:/cancel":  {cancelIntent, "payment_intent"},

		"GET charges":           {listCharges, "list:charge"},
		"GET charges/:":         {getCharge, "charge"},
		"POST charges/:":        {updateCharge, "charge"},
		"GET charges/:/refunds": {listRefunds, "list:refund"},

		"POST refunds":          {createRefund, "refund"},
		"GET refunds":           {listRefunds, "list:refund"},
		"GET refunds/:":         {getRefund, "refund"},
		"POST refunds/:":        {updateRefund, "refund"},
		"POST refunds/:/cancel": {cancelRefund, "refund"},

		"POST payment_methods":              {createMethod, "payment_method"},
		"GET payment_methods":               {listMethods, "list:payment_method"},
		"GET payment_methods/:":             {getMethod, "payment_method"},
		"POST payment_methods/:":            {updateMethod, "payment_method"},
		"POST payment_methods/:/attach":     {attachMethod, "payment_method"},
		"POST payment_methods/:/detach":     {detachMethod, "payment_method"},
		"GET customers/:/payment_methods":   {listMethods, "list:payment_method"},
		"GET customers/:/payment_methods/:": {getCustomerMethod, "payment_method"},

		"POST customers":     {createCustomer, "customer"},
		"GET customers":      {listCustomers, "list:customer"},
		"GET customers/:":    {getCustomer, "customer"},
		"POST customers/:":   {updateCustomer, "customer"},
		"DELETE customers/:": {deleteCustomer, "customer"},

		"POST setup_intents":           {createSetup, "setup_intent"},
		"GET setup_intents":            {listSetups, "list:setup_intent"},
		"GET setup_intents/:":          {getSetup, "setup_intent"},
		"POST setup_intents/:":         {updateSetup, "setup_intent"},
		"POST setup_intents/:/confirm": {confirmSetup, "setup_intent"},
		"POST setup_intents/:/cancel":  {cancelSetup, "setup_intent"},

		"GET balance":                {getBalance, "balance"},
		"GET balance_transactions":   {listTxns, "list:balance_transaction"},
		"GET balance_transactions/:": {getTxn, "balance_transaction"},

		"GET disputes":          {listDisputes, "list:dispute"},
		"GET disputes/:":        {getDispute, "dispute"},
		"POST disputes/:":       {updateDispute, "dispute"},
		"POST disputes/:/close": {closeDispute, "dispute"},

		"POST files":           {createFile, "file"},
		"GET files":            {listFiles, "list:file"},
		"GET files/:":          {getFile, "file"},
		"GET files/:/contents": {getFileContents, "file"},

		"POST tokens":  {createToken, "token"},
		"GET tokens/:": {getToken, "token"},

		"POST transfers":               {createTransfer, "transfer"},
		"GET transfers":                {listTransfers, "list:transfer"},
		"GET transfers/:":              {getTransfer, "transfer"},
		"POST transfers/:":             {updateTransfer, "transfer"},
		"POST transfers/:/reversals":   {createReversal, "transfer_reversal"},
		"GET transfers/:/reversals":    {listReversals, "list:transfer_reversal"},
		"GET transfers/:/reversals/:":  {getReversal, "transfer_reversal"},
		"POST transfers/:/reversals/:": {updateReversal, "transfer_reversal"},

		"POST payouts":          {createPayout, "payout"},
		"GET payouts":           {listPayouts, "list:payout"},
		"GET payouts/:":         {getPayout, "payout"},
		"POST payouts/:":        {updatePayout, "payout"},
		"POST payouts/:/cancel": {cancelPayout, "payout"},

		"POST webhook_endpoints":     {createHook, "webhook_endpoint"},
		"GET webhook_endpoints":      {listHooks, "list:webhook_endpoint"},
		"GET webhook_endpoints/:":    {getHook, "webhook_endpoint"},
		"POST webhook_endpoints/:":   {updateHook, "webhook_endpoint"},
		"DELETE webhook_endpoints/:": {deleteHook, "webhook_endpoint"},

		"GET events":   {listEvents, "list:event"},
		"GET events/:": {getEvent, "event"},
	}
}

// route finds the endpoint for a path under /v1/ and the ids in it.
func (s *Stripe) route(method, path string) (route, [2]string, bool) {
	var ids [2]string
	rest := strings.TrimSuffix(path[len("/v1/"):], "/")
	if r, ok := s.routes[method+" "+rest]; ok { // no id: collections, search
		return r, ids, true
	}
	parts := strings.Split(rest, "/")
	n := 0
	for i := 1; i < len(parts) && n < len(ids); i += 2 {
		ids[n], parts[i] = parts[i], ":"
		n++
	}
	r, ok := s.routes[method+" "+strings.Join(parts, "/")]
	for i := range n {
		ok = ok && ids[i] != ""
	}
	return r, ids, ok
}
