package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// line is one setting of a properties file; n is its line number, from 1.
type line struct {
	key, value string
	n          int
}

// parseProperties reads a file in the format of java.util.Properties: '#' and '!' comments, '=', ':' or blanks between key and value,
// a backslash at the end of a line continues it, and \t \n \r \f \uXXXX and \ before any other character are escapes.
// The text is taken as UTF-8, where Java takes ISO 8859-1.
func parseProperties(text string) ([]line, error) {
	var out []line
	rest, n := strings.TrimPrefix(text, "\ufeff"), 0
	for rest != "" {
		var raw string
		start := n + 1
		raw, rest, n = logicalLine(rest, n)
		if raw == "" || raw[0] == '#' || raw[0] == '!' {
			continue
		}
		k, v := splitPair(raw)
		key, err := unescape(k)
		if err == nil {
			v, err = unescape(v)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", start, err)
		}
		out = append(out, line{key, v, start})
	}
	return out, nil
}

// logicalLine takes a line and those that continue it. A comment is not continued.
func logicalLine(text string, n int) (string, string, int) {
	var b strings.Builder
	for {
		i := strings.IndexAny(text, "\r\n")
		cur := text
		if i >= 0 {
			cur = text[:i]
			if strings.HasPrefix(text[i:], "\r\n") {
				i++
			}
			text = text[i+1:]
		} else {
			text = ""
		}
		n++
		cur = strings.TrimLeft(cur, " \t\f")
		comment := b.Len() == 0 && cur != "" && (cur[0] == '#' || cur[0] == '!')
		if comment || !continues(cur) {
			b.WriteString(cur)
			return b.String(), text, n
		}
		b.WriteString(cur[:len(cur)-1])
		if text == "" {
			return b.String(), text, n
		}
	}
}

// continues says whether a line ends in an odd number of backslashes.
func continues(s string) bool {
	return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1
}

// splitPair cuts at the first '=', ':' or blank that is not escaped; blanks around the separator do not count.
func splitPair(s string) (string, string) {
	i := 0
	for i < len(s) && !strings.ContainsRune("=: \t\f", rune(s[i])) {
		if s[i] == '\\' {
			i++
		}
		i++
	}
	i = min(i, len(s))
	k, v := s[:i], strings.TrimLeft(s[i:], " \t\f")
	if v != "" && (v[0] == '=' || v[0] == ':') {
		v = strings.TrimLeft(v[1:], " \t\f")
	}
	return k, v
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			break
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if i+5 > len(s) {
				return "", fmt.Errorf(`\u needs four hexadecimal digits`)
			}
			r, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", fmt.Errorf(`\u needs four hexadecimal digits`)
			}
			b.Write(utf8.AppendRune(nil, rune(r)))
			i += 4
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}
