package money

// The codes of ISO 4217 List One, "Current currency & funds code list", as
// published by the maintenance agency (SIX Financial Information) on
// 2026-09-17: 178 codes, amendment 180 being the last that changed any.
//
// To update: compare with the next List One, edit the constants and the table
// below, and move a code that has left into withdrawn. From the first release
// on, a code that leaves must also keep a way to be read, since hosts will have
// stored amounts in it; the six codes in withdrawn left before that.
const (
	AED Currency = "AED" // UAE Dirham
	AFN Currency = "AFN" // Afghani
	ALL Currency = "ALL" // Lek
	AMD Currency = "AMD" // Armenian Dram
	AOA Currency = "AOA" // Kwanza
	ARS Currency = "ARS" // Argentine Peso
	AUD Currency = "AUD" // Australian Dollar
	AWG Currency = "AWG" // Aruban Florin
	AZN Currency = "AZN" // Azerbaijan Manat
	BAM Currency = "BAM" // Convertible Mark
	BBD Currency = "BBD" // Barbados Dollar
	BDT Currency = "BDT" // Taka
	BHD Currency = "BHD" // Bahraini Dinar
	BIF Currency = "BIF" // Burundi Franc
	BMD Currency = "BMD" // Bermudian Dollar
	BND Currency = "BND" // Brunei Dollar
	BOB Currency = "BOB" // Boliviano
	BOV Currency = "BOV" // Mvdol (funds code)
	BRL Currency = "BRL" // Brazilian Real
	BSD Currency = "BSD" // Bahamian Dollar
	BTN Currency = "BTN" // Ngultrum
	BWP Currency = "BWP" // Pula
	BYN Currency = "BYN" // Belarusian Ruble
	BZD Currency = "BZD" // Belize Dollar
	CAD Currency = "CAD" // Canadian Dollar
	CDF Currency = "CDF" // Congolese Franc
	CHE Currency = "CHE" // WIR Euro (funds code)
	CHF Currency = "CHF" // Swiss Franc
	CHW Currency = "CHW" // WIR Franc (funds code)
	CLF Currency = "CLF" // Unidad de Fomento (funds code)
	CLP Currency = "CLP" // Chilean Peso
	CNY Currency = "CNY" // Yuan Renminbi
	COP Currency = "COP" // Colombian Peso
	COU Currency = "COU" // Unidad de Valor Real (funds code)
	CRC Currency = "CRC" // Costa Rican Colon
	CUP Currency = "CUP" // Cuban Peso
	CVE Currency = "CVE" // Cabo Verde Escudo
	CZK Currency = "CZK" // Czech Koruna
	DJF Currency = "DJF" // Djibouti Franc
	DKK Currency = "DKK" // Danish Krone
	DOP Currency = "DOP" // Dominican Peso
	DZD Currency = "DZD" // Algerian Dinar
	EGP Currency = "EGP" // Egyptian Pound
	ERN Currency = "ERN" // Nakfa
	ETB Currency = "ETB" // Ethiopian Birr
	EUR Currency = "EUR" // Euro
	FJD Currency = "FJD" // Fiji Dollar
	FKP Currency = "FKP" // Falkland Islands Pound
	GBP Currency = "GBP" // Pound Sterling
	GEL Currency = "GEL" // Lari
	GHS Currency = "GHS" // Ghana Cedi
	GIP Currency = "GIP" // Gibraltar Pound
	GMD Currency = "GMD" // Dalasi
	GNF Currency = "GNF" // Guinean Franc
	GTQ Currency = "GTQ" // Quetzal
	GYD Currency = "GYD" // Guyana Dollar
	HKD Currency = "HKD" // Hong Kong Dollar
	HNL Currency = "HNL" // Lempira
	HTG Currency = "HTG" // Gourde
	HUF Currency = "HUF" // Forint
	IDR Currency = "IDR" // Rupiah
	ILS Currency = "ILS" // New Israeli Sheqel
	INR Currency = "INR" // Indian Rupee
	IQD Currency = "IQD" // Iraqi Dinar
	IRR Currency = "IRR" // Iranian Rial
	ISK Currency = "ISK" // Iceland Krona
	JMD Currency = "JMD" // Jamaican Dollar
	JOD Currency = "JOD" // Jordanian Dinar
	JPY Currency = "JPY" // Yen
	KES Currency = "KES" // Kenyan Shilling
	KGS Currency = "KGS" // Som
	KHR Currency = "KHR" // Riel
	KMF Currency = "KMF" // Comorian Franc
	KPW Currency = "KPW" // North Korean Won
	KRW Currency = "KRW" // Won
	KWD Currency = "KWD" // Kuwaiti Dinar
	KYD Currency = "KYD" // Cayman Islands Dollar
	KZT Currency = "KZT" // Tenge
	LAK Currency = "LAK" // Lao Kip
	LBP Currency = "LBP" // Lebanese Pound
	LKR Currency = "LKR" // Sri Lanka Rupee
	LRD Currency = "LRD" // Liberian Dollar
	LSL Currency = "LSL" // Loti
	LYD Currency = "LYD" // Libyan Dinar
	MAD Currency = "MAD" // Moroccan Dirham
	MDL Currency = "MDL" // Moldovan Leu
	MGA Currency = "MGA" // Malagasy Ariary
	MKD Currency = "MKD" // Denar
	MMK Currency = "MMK" // Kyat
	MNT Currency = "MNT" // Tugrik
	MOP Currency = "MOP" // Pataca
	MRU Currency = "MRU" // Ouguiya
	MUR Currency = "MUR" // Mauritius Rupee
	MVR Currency = "MVR" // Rufiyaa
	MWK Currency = "MWK" // Malawi Kwacha
	MXN Currency = "MXN" // Mexican Peso
	MXV Currency = "MXV" // Mexican Unidad de Inversion (UDI) (funds code)
	MYR Currency = "MYR" // Malaysian Ringgit
	MZN Currency = "MZN" // Mozambique Metical
	NAD Currency = "NAD" // Namibia Dollar
	NGN Currency = "NGN" // Naira
	NIO Currency = "NIO" // Cordoba Oro
	NOK Currency = "NOK" // Norwegian Krone
	NPR Currency = "NPR" // Nepalese Rupee
	NZD Currency = "NZD" // New Zealand Dollar
	OMR Currency = "OMR" // Rial Omani
	PAB Currency = "PAB" // Balboa
	PEN Currency = "PEN" // Sol
	PGK Currency = "PGK" // Kina
	PHP Currency = "PHP" // Philippine Peso
	PKR Currency = "PKR" // Pakistan Rupee
	PLN Currency = "PLN" // Zloty
	PYG Currency = "PYG" // Guarani
	QAR Currency = "QAR" // Qatari Rial
	RON Currency = "RON" // Romanian Leu
	RSD Currency = "RSD" // Serbian Dinar
	RUB Currency = "RUB" // Russian Ruble
	RWF Currency = "RWF" // Rwanda Franc
	SAR Currency = "SAR" // Saudi Riyal
	SBD Currency = "SBD" // Solomon Islands Dollar
	SCR Currency = "SCR" // Seychelles Rupee
	SDG Currency = "SDG" // Sudanese Pound
	SEK Currency = "SEK" // Swedish Krona
	SGD Currency = "SGD" // Singapore Dollar
	SHP Currency = "SHP" // Saint Helena Pound
	SLE Currency = "SLE" // Leone
	SOS Currency = "SOS" // Somali Shilling
	SRD Currency = "SRD" // Surinam Dollar
	SSP Currency = "SSP" // South Sudanese Pound
	STN Currency = "STN" // Dobra
	SVC Currency = "SVC" // El Salvador Colon
	SYP Currency = "SYP" // Syrian Pound
	SZL Currency = "SZL" // Lilangeni
	THB Currency = "THB" // Baht
	TJS Currency = "TJS" // Somoni
	TMT Currency = "TMT" // Turkmenistan New Manat
	TND Currency = "TND" // Tunisian Dinar
	TOP Currency = "TOP" // Pa'anga
	TRY Currency = "TRY" // Turkish Lira
	TTD Currency = "TTD" // Trinidad and Tobago Dollar
	TWD Currency = "TWD" // New Taiwan Dollar
	TZS Currency = "TZS" // Tanzanian Shilling
	UAH Currency = "UAH" // Hryvnia
	UGX Currency = "UGX" // Uganda Shilling
	USD Currency = "USD" // US Dollar
	USN Currency = "USN" // US Dollar (Next day) (funds code)
	UYI Currency = "UYI" // Uruguay Peso en Unidades Indexadas (UI) (funds code)
	UYU Currency = "UYU" // Peso Uruguayo
	UYW Currency = "UYW" // Unidad Previsional
	UZS Currency = "UZS" // Uzbekistan Sum
	VED Currency = "VED" // Bolívar Soberano
	VES Currency = "VES" // Bolívar Soberano
	VND Currency = "VND" // Dong
	VUV Currency = "VUV" // Vatu
	WST Currency = "WST" // Tala
	XAD Currency = "XAD" // Arab Accounting Dinar
	XAF Currency = "XAF" // CFA Franc BEAC
	XCD Currency = "XCD" // East Caribbean Dollar
	XCG Currency = "XCG" // Caribbean Guilder
	XOF Currency = "XOF" // CFA Franc BCEAO
	XPF Currency = "XPF" // CFP Franc
	YER Currency = "YER" // Yemeni Rial
	ZAR Currency = "ZAR" // Rand
	ZMW Currency = "ZMW" // Zambian Kwacha
	ZWG Currency = "ZWG" // Zimbabwe Gold
)

// Codes of List One that have no minor unit. They are Valid, but no amount can
// be held or paid in them: every operation that needs an exponent answers
// ErrNoMinorUnit.
const (
	XAG Currency = "XAG" // Silver
	XAU Currency = "XAU" // Gold
	XBA Currency = "XBA" // European Composite Unit (EURCO)
	XBB Currency = "XBB" // European Monetary Unit (E.M.U.-6)
	XBC Currency = "XBC" // European Unit of Account 9 (E.U.A.-9)
	XBD Currency = "XBD" // European Unit of Account 17 (E.U.A.-17)
	XDR Currency = "XDR" // SDR (Special Drawing Right)
	XPD Currency = "XPD" // Palladium
	XPT Currency = "XPT" // Platinum
	XSU Currency = "XSU" // Sucre
	XTS Currency = "XTS" // Reserved for testing
	XUA Currency = "XUA" // ADB Unit of Account
	XXX Currency = "XXX" // No currency
)

// noMinorUnit stands in the table where List One says "N.A.".
const noMinorUnit = -1

// info is one row of List One.
type info struct {
	number   string // three digits, leading zeros kept
	exponent int8   // digits after the decimal point, or noMinorUnit
	name     string // English name as in List One, a few long ones shortened
}

// table is List One by alphabetic code. Nothing writes to it.
var table = map[Currency]info{
	AED: {"784", 2, "UAE Dirham"},
	AFN: {"971", 2, "Afghani"},
	ALL: {"008", 2, "Lek"},
	AMD: {"051", 2, "Armenian Dram"},
	AOA: {"973", 2, "Kwanza"},
	ARS: {"032", 2, "Argentine Peso"},
	AUD: {"036", 2, "Australian Dollar"},
	AWG: {"533", 2, "Aruban Florin"},
	AZN: {"944", 2, "Azerbaijan Manat"},
	BAM: {"977", 2, "Convertible Mark"},
	BBD: {"052", 2, "Barbados Dollar"},
	BDT: {"050", 2, "Taka"},
	BHD: {"048", 3, "Bahraini Dinar"},
	BIF: {"108", 0, "Burundi Franc"},
	BMD: {"060", 2, "Bermudian Dollar"},
	BND: {"096", 2, "Brunei Dollar"},
	BOB: {"068", 2, "Boliviano"},
	BOV: {"984", 2, "Mvdol"},
	BRL: {"986", 2, "Brazilian Real"},
	BSD: {"044", 2, "Bahamian Dollar"},
	BTN: {"064", 2, "Ngultrum"},
	BWP: {"072", 2, "Pula"},
	BYN: {"933", 2, "Belarusian Ruble"},
	BZD: {"084", 2, "Belize Dollar"},
	CAD: {"124", 2, "Canadian Dollar"},
	CDF: {"976", 2, "Congolese Franc"},
	CHE: {"947", 2, "WIR Euro"},
	CHF: {"756", 2, "Swiss Franc"},
	CHW: {"948", 2, "WIR Franc"},
	CLF: {"990", 4, "Unidad de Fomento"},
	CLP: {"152", 0, "Chilean Peso"},
	CNY: {"156", 2, "Yuan Renminbi"},
	COP: {"170", 2, "Colombian Peso"},
	COU: {"970", 2, "Unidad de Valor Real"},
	CRC: {"188", 2, "Costa Rican Colon"},
	CUP: {"192", 2, "Cuban Peso"},
	CVE: {"132", 2, "Cabo Verde Escudo"},
	CZK: {"203", 2, "Czech Koruna"},
	DJF: {"262", 0, "Djibouti Franc"},
	DKK: {"208", 2, "Danish Krone"},
	DOP: {"214", 2, "Dominican Peso"},
	DZD: {"012", 2, "Algerian Dinar"},
	EGP: {"818", 2, "Egyptian Pound"},
	ERN: {"232", 2, "Nakfa"},
	ETB: {"230", 2, "Ethiopian Birr"},
	EUR: {"978", 2, "Euro"},
	FJD: {"242", 2, "Fiji Dollar"},
	FKP: {"238", 2, "Falkland Islands Pound"},
	GBP: {"826", 2, "Pound Sterling"},
	GEL: {"981", 2, "Lari"},
	GHS: {"936", 2, "Ghana Cedi"},
	GIP: {"292", 2, "Gibraltar Pound"},
	GMD: {"270", 2, "Dalasi"},
	GNF: {"324", 0, "Guinean Franc"},
	GTQ: {"320", 2, "Quetzal"},
	GYD: {"328", 2, "Guyana Dollar"},
	HKD: {"344", 2, "Hong Kong Dollar"},
	HNL: {"340", 2, "Lempira"},
	HTG: {"332", 2, "Gourde"},
	HUF: {"348", 2, "Forint"},
	IDR: {"360", 2, "Rupiah"},
	ILS: {"376", 2, "New Israeli Sheqel"},
	INR: {"356", 2, "Indian Rupee"},
	IQD: {"368", 3, "Iraqi Dinar"},
	IRR: {"364", 2, "Iranian Rial"},
	ISK: {"352", 0, "Iceland Krona"},
	JMD: {"388", 2, "Jamaican Dollar"},
	JOD: {"400", 3, "Jordanian Dinar"},
	JPY: {"392", 0, "Yen"},
	KES: {"404", 2, "Kenyan Shilling"},
	KGS: {"417", 2, "Som"},
	KHR: {"116", 2, "Riel"},
	KMF: {"174", 0, "Comorian Franc"},
	KPW: {"408", 2, "North Korean Won"},
	KRW: {"410", 0, "Won"},
	KWD: {"414", 3, "Kuwaiti Dinar"},
	KYD: {"136", 2, "Cayman Islands Dollar"},
	KZT: {"398", 2, "Tenge"},
	LAK: {"418", 2, "Lao Kip"},
	LBP: {"422", 2, "Lebanese Pound"},
	LKR: {"144", 2, "Sri Lanka Rupee"},
	LRD: {"430", 2, "Liberian Dollar"},
	LSL: {"426", 2, "Loti"},
	LYD: {"434", 3, "Libyan Dinar"},
	MAD: {"504", 2, "Moroccan Dirham"},
	MDL: {"498", 2, "Moldovan Leu"},
	MGA: {"969", 2, "Malagasy Ariary"},
	MKD: {"807", 2, "Denar"},
	MMK: {"104", 2, "Kyat"},
	MNT: {"496", 2, "Tugrik"},
	MOP: {"446", 2, "Pataca"},
	MRU: {"929", 2, "Ouguiya"},
	MUR: {"480", 2, "Mauritius Rupee"},
	MVR: {"462", 2, "Rufiyaa"},
	MWK: {"454", 2, "Malawi Kwacha"},
	MXN: {"484", 2, "Mexican Peso"},
	MXV: {"979", 2, "Mexican Unidad de Inversion (UDI)"},
	MYR: {"458", 2, "Malaysian Ringgit"},
	MZN: {"943", 2, "Mozambique Metical"},
	NAD: {"516", 2, "Namibia Dollar"},
	NGN: {"566", 2, "Naira"},
	NIO: {"558", 2, "Cordoba Oro"},
	NOK: {"578", 2, "Norwegian Krone"},
	NPR: {"524", 2, "Nepalese Rupee"},
	NZD: {"554", 2, "New Zealand Dollar"},
	OMR: {"512", 3, "Rial Omani"},
	PAB: {"590", 2, "Balboa"},
	PEN: {"604", 2, "Sol"},
	PGK: {"598", 2, "Kina"},
	PHP: {"608", 2, "Philippine Peso"},
	PKR: {"586", 2, "Pakistan Rupee"},
	PLN: {"985", 2, "Zloty"},
	PYG: {"600", 0, "Guarani"},
	QAR: {"634", 2, "Qatari Rial"},
	RON: {"946", 2, "Romanian Leu"},
	RSD: {"941", 2, "Serbian Dinar"},
	RUB: {"643", 2, "Russian Ruble"},
	RWF: {"646", 0, "Rwanda Franc"},
	SAR: {"682", 2, "Saudi Riyal"},
	SBD: {"090", 2, "Solomon Islands Dollar"},
	SCR: {"690", 2, "Seychelles Rupee"},
	SDG: {"938", 2, "Sudanese Pound"},
	SEK: {"752", 2, "Swedish Krona"},
	SGD: {"702", 2, "Singapore Dollar"},
	SHP: {"654", 2, "Saint Helena Pound"},
	SLE: {"925", 2, "Leone"},
	SOS: {"706", 2, "Somali Shilling"},
	SRD: {"968", 2, "Surinam Dollar"},
	SSP: {"728", 2, "South Sudanese Pound"},
	STN: {"930", 2, "Dobra"},
	SVC: {"222", 2, "El Salvador Colon"},
	SYP: {"760", 2, "Syrian Pound"},
	SZL: {"748", 2, "Lilangeni"},
	THB: {"764", 2, "Baht"},
	TJS: {"972", 2, "Somoni"},
	TMT: {"934", 2, "Turkmenistan New Manat"},
	TND: {"788", 3, "Tunisian Dinar"},
	TOP: {"776", 2, "Pa'anga"},
	TRY: {"949", 2, "Turkish Lira"},
	TTD: {"780", 2, "Trinidad and Tobago Dollar"},
	TWD: {"901", 2, "New Taiwan Dollar"},
	TZS: {"834", 2, "Tanzanian Shilling"},
	UAH: {"980", 2, "Hryvnia"},
	UGX: {"800", 0, "Uganda Shilling"},
	USD: {"840", 2, "US Dollar"},
	USN: {"997", 2, "US Dollar (Next day)"},
	UYI: {"940", 0, "Uruguay Peso en Unidades Indexadas (UI)"},
	UYU: {"858", 2, "Peso Uruguayo"},
	UYW: {"927", 4, "Unidad Previsional"},
	UZS: {"860", 2, "Uzbekistan Sum"},
	VED: {"926", 2, "Bolívar Soberano"},
	VES: {"928", 2, "Bolívar Soberano"},
	VND: {"704", 0, "Dong"},
	VUV: {"548", 0, "Vatu"},
	WST: {"882", 2, "Tala"},
	XAD: {"396", 2, "Arab Accounting Dinar"},
	XAF: {"950", 0, "CFA Franc BEAC"},
	XAG: {"961", noMinorUnit, "Silver"},
	XAU: {"959", noMinorUnit, "Gold"},
	XBA: {"955", noMinorUnit, "European Composite Unit (EURCO)"},
	XBB: {"956", noMinorUnit, "European Monetary Unit (E.M.U.-6)"},
	XBC: {"957", noMinorUnit, "European Unit of Account 9 (E.U.A.-9)"},
	XBD: {"958", noMinorUnit, "European Unit of Account 17 (E.U.A.-17)"},
	XCD: {"951", 2, "East Caribbean Dollar"},
	XCG: {"532", 2, "Caribbean Guilder"},
	XDR: {"960", noMinorUnit, "SDR (Special Drawing Right)"},
	XOF: {"952", 0, "CFA Franc BCEAO"},
	XPD: {"964", noMinorUnit, "Palladium"},
	XPF: {"953", 0, "CFP Franc"},
	XPT: {"962", noMinorUnit, "Platinum"},
	XSU: {"994", noMinorUnit, "Sucre"},
	XTS: {"963", noMinorUnit, "Reserved for testing"},
	XUA: {"965", noMinorUnit, "ADB Unit of Account"},
	XXX: {"999", noMinorUnit, "No currency"},
	YER: {"886", 2, "Yemeni Rial"},
	ZAR: {"710", 2, "Rand"},
	ZMW: {"967", 2, "Zambian Kwacha"},
	ZWG: {"924", 2, "Zimbabwe Gold"},
}

// withdrawn names the successor of the codes that left List One lately. They
// are not Valid: no provider charges in them any more (the Bulgarian lev went
// last, on 2026-01-01). None of the changes was one to one.
var withdrawn = map[Currency]Currency{
	"ANG": XCG,
	"BGN": EUR,
	"CUC": CUP,
	"HRK": EUR,
	"SLL": SLE,
	"ZWL": ZWG,
}
