package config

import (
	"strconv"
	"strings"
)

// Invalid says why a value is refused, in Kafka's words (ConfigException): clients show it.
type Invalid struct{ Name, Value, Why string }

func (e *Invalid) Error() string {
	return "Invalid value " + e.Value + " for configuration " + e.Name + ": " + e.Why
}

// Check says whether the setting may have the value; the error is an *Invalid. Spaces around the value do not count, as in Kafka.
func (s *Setting) Check(value string) error {
	v := strings.TrimSpace(value)
	why := ""
	switch s.Kind {
	case Boolean:
		if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
			why = "Expected value to be either true or false"
		}
	case Int, Short, Long:
		return s.checkWhole(v)
	case Double:
		n, ok := parsePPM(v)
		if !ok {
			why = "Not a number of type DOUBLE"
			break
		}
		if lo, hi, ok := strings.Cut(s.Rule, ".."); ok {
			why = checkRange(n, scaled(lo), scaled(hi), lo, hi)
		}
	case List:
		for _, x := range Split(v) {
			if w := s.checkWord(x); w != "" {
				if s.Rule == "replicas" { // Kafka shows the list here
					x = "[" + strings.Join(Split(v), ", ") + "]"
				}
				return &Invalid{s.Name, x, w}
			}
		}
		if v == "" && s.Rule == "nonempty" {
			why = "Configuration '" + s.Name + "' must not be empty."
		}
	default:
		why = s.checkWord(v)
	}
	if why != "" {
		return &Invalid{s.Name, value, why}
	}
	return nil
}

func (s *Setting) checkWhole(v string) error {
	bits, kind := 64, "LONG"
	switch s.Kind {
	case Int:
		bits, kind = 32, "INT"
	case Short:
		bits, kind = 16, "SHORT"
	}
	n, err := strconv.ParseInt(v, 10, bits)
	if err != nil {
		return &Invalid{s.Name, v, "Not a number of type " + kind}
	}
	why := ""
	if s.Rule == "1..9 or -1" {
		if n != -1 && (n < 1 || n > 9) {
			why = "Value must be between 1 and 9 or equal to -1"
		}
	} else if lo, hi, ok := strings.Cut(s.Rule, ".."); ok {
		why = checkRange(n, whole(lo), whole(hi), lo, hi)
	}
	if why != "" {
		return &Invalid{s.Name, v, why}
	}
	return nil
}

// bound is one end of a range; not set: open.
type bound struct {
	n   int64
	set bool
}

func whole(text string) bound {
	n, err := strconv.ParseInt(text, 10, 64)
	return bound{n, err == nil}
}

func scaled(text string) bound {
	n, ok := parsePPM(text)
	return bound{n, ok}
}

func checkRange(n int64, lo, hi bound, loText, hiText string) string {
	switch {
	case lo.set && n < lo.n:
		return "Value must be at least " + loText
	case hi.set && n > hi.n:
		return "Value must be no more than " + hiText
	}
	return ""
}

func (s *Setting) checkWord(v string) string {
	words, anyCase := strings.CutPrefix(s.Rule, "any case: ")
	switch {
	case words == "" || words == "replicas" && (v == "*" || isReplica(v)):
		return ""
	case words == "reset":
		return checkReset(v)
	case words == "nonempty":
		if v == "" {
			return "String must be non-empty"
		}
		return ""
	case words == "replicas":
		return s.Name + " must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
	}
	for _, w := range strings.Split(words, "|") {
		if v == w || anyCase && strings.EqualFold(v, w) {
			return ""
		}
	}
	return "String must be one of: " + strings.ReplaceAll(words, "|", ", ")
}

func isReplica(v string) bool {
	p, b, ok := strings.Cut(v, ":")
	_, err := strconv.ParseUint(p, 10, 31)
	_, err2 := strconv.ParseUint(b, 10, 31)
	return ok && err == nil && err2 == nil
}

// Split gives the elements of a list setting's value, without spaces around them.
func Split(v string) []string {
	if strings.TrimSpace(v) == "" {
		return nil
	}
	parts := strings.Split(v, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// canonical gives a valid value as Kafka prints it.
func (s *Setting) canonical(v string) string {
	v = strings.TrimSpace(v)
	switch s.Kind {
	case Boolean:
		return strings.ToLower(v)
	case Int, Short, Long:
		n, _ := strconv.ParseInt(v, 10, 64)
		return strconv.FormatInt(n, 10)
	case List:
		return strings.Join(Split(v), ",")
	}
	return v
}

// parsePPM reads a decimal number in millionths, rounded away from zero and limited to 2^53, since the core knows no floats.
func parsePPM(v string) (int64, bool) {
	mant, exp, hasExp := strings.Cut(strings.ToLower(v), "e")
	shift := int64(6)
	if hasExp {
		e, err := strconv.ParseInt(exp, 10, 16)
		if err != nil {
			return 0, false
		}
		shift += e
	}
	neg := strings.HasPrefix(mant, "-")
	mant = strings.TrimPrefix(strings.TrimPrefix(mant, "-"), "+")
	intPart, frac, _ := strings.Cut(mant, ".")
	digits := intPart + frac
	if digits == "" {
		return 0, false
	}
	shift += int64(len(intPart))
	const limit = 1 << 53
	n := int64(0)
	rest := false
	for i := int64(0); i < int64(len(digits)) || i < shift && n > 0 && n < limit; i++ {
		d := int64(0)
		if i < int64(len(digits)) {
			if digits[i] < '0' || digits[i] > '9' {
				return 0, false
			}
			d = int64(digits[i] - '0')
		}
		switch {
		case i >= shift:
			rest = rest || d != 0
		case n < limit:
			n = n*10 + d
		}
	}
	if rest {
		n++
	}
	n = min(n, limit)
	if neg {
		n = -n
	}
	return n, true
}
