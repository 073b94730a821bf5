package assign

import (
	"errors"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// Bounds of a regular expression. A match costs at most a name's length times the steps of the program, for each topic of the cluster. What is
// compiled within a heartbeat takes some milliseconds at most.
const (
	maxPattern = 4096 // bytes
	maxProgram = 4096 // steps of the compiled program
	maxWide    = 8    // classes of Unicode: three bytes of a pattern may name thousands of characters, each of which is looked up for its cases
)

// wideSteps is what compiling one class of Unicode costs, in steps of a match.
const wideSteps = 50_000

var (
	errPatternLong  = errors.New("the regular expression is too long")
	errPatternLarge = errors.New("the regular expression is too large")
	errPatternWide  = errors.New("the regular expression has too many classes of Unicode")
	errPatternNames = errors.New("the regular expression has two groups of one name")
)

// Pattern is a compiled regular expression of a subscription. It belongs to one thread: a match uses its sets.
type Pattern struct {
	prog   *syntax.Prog
	effort int
	now    stateSet
	next   stateSet
	stack  []uint32
}

// Steps is how many steps the compiled program has: what a byte of a name may cost.
func (p *Pattern) Steps() int { return len(p.prog.Inst) }

// Effort is about what it cost to compile it, in steps.
func (p *Pattern) Effort() int { return p.effort }

// Compile compiles a regular expression in RE2's syntax, as RE2/J understands it. An error is the client's mistake: INVALID_REGULAR_EXPRESSION.
func Compile(pattern string) (*Pattern, error) {
	if len(pattern) > maxPattern {
		return nil, errPatternLong
	}
	wide := wideClasses(pattern)
	if wide > maxWide {
		return nil, errPatternWide
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
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	return newPattern(prog, len(pattern)+10*len(prog.Inst)+wideSteps*wide), nil
}

// wideClasses counts what may name many characters: \p and \P, and ranges that end beyond ASCII. It may count what is quoted.
func wideClasses(pattern string) (n int) {
	for i := 1; i < len(pattern); i++ {
		switch at := pattern[i:]; pattern[i-1] {
		case '\\':
			if at[0] == 'p' || at[0] == 'P' {
				n++
			}
		case '-':
			if at[0] >= utf8.RuneSelf || strings.HasPrefix(at, `\x{`) {
				n++
			}
		}
	}
	return n
}

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
