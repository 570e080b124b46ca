package httpx

import "bytes"

// style is how a field is written, which decides where its value ends and how
// sure its name has to be.
type style uint8

const (
	quoted style = iota // "name": value
	form                // name=value
	tight               // name:value, as %+v prints a struct
	loose               // Name: value, as in a header or in prose
	tagged              // <name>value</name>
)

// maskFields masks the values of fields whose names tell that they are secret
// or personal. It looks for what separates name and value, then left for the
// name and right for the value.
func maskFields(b []byte) []byte {
	e := edit{src: b}
	for i := 0; i < len(b); {
		width := separatorOfField(b, i)
		if width == 0 {
			i++
			continue
		}
		name, level, quote, st := fieldName(b, i, e.from)
		next := i + width
		i = next
		if len(name) == 0 {
			continue
		}
		if st != quoted && st != tagged && width == 1 && b[next-1] == ':' {
			st = tight
			if next < len(b) && b[next] == ' ' {
				st = loose
			}
		}
		class := fieldClass(name)
		if class == public || st == loose && class < telling {
			continue
		}
		start := next
		for start < len(b) && b[start] == ' ' {
			start++
		}
		if (st == form || st == tight) && start > next {
			continue // "name= " has no value
		}
		end, with := fieldValue(b, start, level, quote, st, class)
		if with != "" && end > start && !harmless(b[start:end]) {
			e.replace(start, end, with)
		}
		i = end
	}
	return e.done()
}

func separatorOfField(b []byte, i int) int {
	switch b[i] {
	case ':':
		return 1
	case '=':
		if i+1 < len(b) && b[i+1] == '>' {
			return 2
		}
		return 1
	case '>':
		return 1
	case '%': // a query within a query
		if i+2 < len(b) && b[i+1] == '3' && (b[i+2] == 'D' || b[i+2] == 'd') {
			return 3
		}
	}
	return 0
}

// maxName bounds the search for a name.
const maxName = 96

// fieldName reads the name that ends at position end, not going back before
// from. level is the number of backslashes before its quotes: JSON within a
// JSON string is common in logs.
func fieldName(b []byte, end, from int) (name []byte, level int, quote byte, st style) {
	low := max(from, end-maxName)
	if b[end] == '>' {
		i := end
		for i > low && (isWordByte(b[i-1]) || b[i-1] == '-') {
			i--
		}
		if i == end || i == low || b[i-1] != '<' {
			return nil, 0, 0, tagged
		}
		return b[i:end], 0, 0, tagged
	}
	i := end
	for i > low && b[i-1] == ' ' && end-i < 2 {
		i--
	}
	if i > low && (b[i-1] == '"' || b[i-1] == '\'') {
		quote = b[i-1]
		i--
		for i > low && b[i-1] == '\\' {
			i--
			level++
		}
		k := bytes.LastIndexByte(b[low:i], quote)
		if k < 0 {
			return nil, 0, 0, quoted
		}
		return b[low+k+1 : i], level, quote, quoted
	}
	if b[end] != ':' && i != end {
		return nil, 0, 0, form // "a = b" is prose or code
	}
	stop := i
	for i > low && (isWordByte(b[i-1]) || b[i-1] == '-' || b[i-1] == '.' || b[i-1] == '[' || b[i-1] == ']' || b[i-1] == '%') {
		i--
	}
	if i < stop && afterEscape(b, i) {
		i++
	}
	return b[i:stop], 0, 0, form
}

// fieldValue returns where the value that starts at start ends, and what to
// put in its place: nothing if it is empty.
func fieldValue(b []byte, start, level int, quote byte, st style, class fieldKind) (end int, with string) {
	if start >= len(b) {
		return start, ""
	}
	if st == tagged {
		if k := bytes.Index(b[start:], []byte("</")); k >= 0 {
			return start + k, maskField
		}
		return len(b), maskField
	}
	// How many backslashes stand before a quote here?
	i := start
	for i < len(b) && b[i] == '\\' {
		i++
	}
	if i < len(b) && (b[i] == '"' || b[i] == '\'') && (st != quoted || i-start == level) {
		q, lv := b[i], i-start
		end = closing(b, i+1, q, lv)
		mark := string(b[start : i+1])
		empty := end == i+1+lv && end < len(b)
		if end = min(end+1, len(b)); empty {
			return end, ""
		}
		return end, mark + maskField + mark
	}
	if b[start] == '{' || b[start] == '[' {
		end = balanced(b, start, level)
		if st == quoted {
			mark := string(bytes.Repeat([]byte{'\\'}, level)) + string(rune(quote))
			return end, mark + maskField + mark
		}
		return end, maskField
	}
	if st == quoted {
		end = start
		for end < len(b) && bytes.IndexByte([]byte(" ,}]\"'\\&;<>"), b[end]) < 0 {
			end++
		}
		mark := string(bytes.Repeat([]byte{'\\'}, level)) + string(rune(quote))
		return end, mark + maskField + mark
	}
	if class == header {
		end = start
		for end < len(b) && b[end] != '\\' && b[end] != '"' && b[end] != ']' {
			end++
		}
		return end, maskField
	}
	end = start
	for end < len(b) && bytes.IndexByte([]byte(" ,}])\"'\\&;<>|"), b[end]) < 0 {
		end++
	}
	switch st {
	case tight:
		// %+v writes "Name:Jane Doe Age:3": go on to the next name.
		for end < len(b) && b[end] == ' ' {
			w := end + 1
			for w < len(b) && bytes.IndexByte([]byte(" ,}])\"'\\&;<>|:="), b[w]) < 0 {
				w++
			}
			if w == end+1 || w < len(b) && (b[w] == ':' || b[w] == '=') || end-start > 200 {
				break
			}
			end = w
		}
	case loose:
		// "phone: +49 30 123 456".
		for end < len(b) && b[end] == ' ' {
			w := end + 1
			for w < len(b) && (isDigit(b[w]) || bytes.IndexByte([]byte("()+-./"), b[w]) >= 0) {
				w++
			}
			if w == end+1 {
				break
			}
			end = w
		}
	}
	return end, maskField
}

// closing returns the position just before which a quoted string ends, its
// closing quote included: the index of that quote, or len(b).
func closing(b []byte, i int, quote byte, level int) int {
	slashes := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			slashes++
			continue
		case quote:
			if slashes == level || level == 0 && slashes%2 == 0 {
				return i
			}
		}
		slashes = 0
	}
	return len(b)
}

// balanced returns the end of the object or array that starts at i, or len(b).
func balanced(b []byte, i, level int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			i = closing(b, i+1, '"', level)
		}
	}
	return len(b)
}

// harmless reports whether a value gives nothing away.
func harmless(v []byte) bool {
	switch string(v) {
	case "null", "true", "false", "nil", "<nil>", "{}", "[]", maskField:
		return true
	}
	return false
}
