package main

import (
	"strings"
	"unicode"
)

// wide are the letters that take two columns of a terminal.
var wide = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0xa4cf, Stride: 1}, {Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
	{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, {Lo: 0xff00, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
}}

// screen is how many columns of a terminal a text takes.
func screen(s string) int {
	n := 0
	for _, r := range s {
		n++
		if unicode.Is(wide, r) {
			n++
		}
	}
	return n
}

// wrap breaks a text behind its label into lines that fit under an order. It
// breaks at spaces, and where there are none, as in Chinese, between letters,
// but not before a mark that ends something.
func wrap(label, text string) []string {
	indent := strings.Repeat(" ", len(label)-len(strings.TrimLeft(label, " !=>"))+2)
	var lines []string
	line, full := []rune(label), false // full: the line holds text
	for _, r := range plain(text) {
		if screen(string(line)+string(r)) > columns-len(under) && full && !strings.ContainsRune(" 。、，！？；：）」", r) {
			head, rest := line, []rune(nil)
			if unicode.Is(wide, r) || unicode.Is(wide, line[len(line)-1]) {
				// It breaks here.
			} else if i := strings.LastIndex(string(line), " "); i > len(indent) {
				head, rest = []rune(string(line)[:i]), []rune(string(line)[i+1:])
			}
			lines = append(lines, strings.TrimRight(string(head), " "))
			line = append([]rune(indent), rest...)
		}
		line, full = append(line, r), true
	}
	return append(lines, strings.TrimRight(string(line), " "))
}
