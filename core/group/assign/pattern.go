package assign

import (
	"errors"
	"regexp"
	"regexp/syntax"
)

// Bounds of a regular expression. A match costs at most a name's length times the steps of the program, for each topic of the cluster.
const (
	maxPattern = 4096 // bytes
	maxProgram = 4096 // steps of the compiled program
)

var (
	errPatternLong  = errors.New("the regular expression is too long")
	errPatternLarge = errors.New("the regular expression is too large")
	errPatternNames = errors.New("the regular expression has two groups of one name")
)

// Pattern is a compiled regular expression of a subscription.
type Pattern struct {
	re    *regexp.Regexp
	steps int
}

// Steps is about how many steps the compiled program has: what a byte of a name may cost.
func (p *Pattern) Steps() int { return p.steps }

// Compile compiles a regular expression in RE2's syntax, as RE2/J understands it. An error is the client's mistake: INVALID_REGULAR_EXPRESSION.
func Compile(pattern string) (*Pattern, error) {
	if len(pattern) > maxPattern {
		return nil, errPatternLong
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if repeated(tree.CapNames()) {
		return nil, errPatternNames
	}
	n := steps(tree)
	if n > maxProgram {
		return nil, errPatternLarge
	}
	re, err := regexp.Compile(`\A(?:` + tree.String() + `)\z`)
	if err != nil {
		return nil, err
	}
	return &Pattern{re, n + 1}, nil
}

// Match says whether the whole name matches.
func (p *Pattern) Match(name string) bool { return p.re.MatchString(name) }

// steps is about how large the program of a tree will be, before it is made; beyond maxProgram it is not exact.
func steps(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCapture:
		n = 2
	case syntax.OpAlternate:
		n = len(re.Sub)
	case syntax.OpConcat, syntax.OpRepeat:
		n = 0
	}
	for _, sub := range re.Sub {
		if n += steps(sub); n > maxProgram {
			return n
		}
	}
	if re.Op == syntax.OpRepeat {
		n = n*max(re.Min, re.Max, 1) + max(re.Max-re.Min, 1)
	}
	return n
}

// repeated says whether two groups have one name, which RE2/J refuses.
func repeated(names []string) bool {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if name != "" && seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}
