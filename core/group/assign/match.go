package assign

import (
	"regexp/syntax"
	"unicode/utf8"
)

// A match follows all ways through the program at once, one character after the other (Thompson). Which part of a name a group of the expression
// matches is not asked, nor which way comes first: only whether one ends at the end of the name. So a character costs no more than the program has
// steps, whatever the expression; package regexp would need the expression as text, and time that nothing bounds to write a tree as one.

// stateSet is a set of steps of a program, in the order in which they were added. It is cleared in no time.
type stateSet struct {
	list []uint32
	at   []uint32 // at[pc] is where pc stands in the list, if it does
}

func (s *stateSet) has(pc uint32) bool {
	i := s.at[pc]
	return int(i) < len(s.list) && s.list[i] == pc
}

func (s *stateSet) add(pc uint32) {
	s.at[pc] = uint32(len(s.list))
	s.list = append(s.list, pc)
}

func newPattern(prog *syntax.Prog, effort int) *Pattern {
	n := len(prog.Inst)
	set := func() stateSet { return stateSet{make([]uint32, 0, n), make([]uint32, n)} }
	return &Pattern{prog: prog, effort: effort, now: set(), next: set()}
}

// Match says whether the whole name matches.
func (p *Pattern) Match(name string) bool {
	p.now.list = p.now.list[:0]
	r, size := first(name)
	p.follow(&p.now, uint32(p.prog.Start), syntax.EmptyOpContext(-1, r))
	for size > 0 && len(p.now.list) > 0 {
		name = name[size:]
		ahead, n := first(name)
		between := syntax.EmptyOpContext(r, ahead)
		p.next.list = p.next.list[:0]
		for _, pc := range p.now.list {
			if inst := &p.prog.Inst[pc]; inst.MatchRune(r) { // never, where the step takes no character
				p.follow(&p.next, inst.Out, between)
			}
		}
		p.now, p.next = p.next, p.now
		r, size = ahead, n
	}
	for _, pc := range p.now.list {
		if p.prog.Inst[pc].Op == syntax.InstMatch {
			return true
		}
	}
	return false
}

// first gives the first character of a text, -1 and no bytes at its end.
func first(text string) (r rune, size int) {
	if text == "" {
		return -1, 0
	}
	return utf8.DecodeRuneInString(text)
}

// follow adds a step, and all that it leads to without taking a character, where between stands between two characters.
func (p *Pattern) follow(set *stateSet, pc uint32, between syntax.EmptyOp) {
	p.stack = append(p.stack[:0], pc)
	for len(p.stack) > 0 {
		pc, p.stack = p.stack[len(p.stack)-1], p.stack[:len(p.stack)-1]
		if set.has(pc) {
			continue
		}
		set.add(pc)
		switch inst := &p.prog.Inst[pc]; inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			p.stack = append(p.stack, inst.Arg, inst.Out)
		case syntax.InstCapture, syntax.InstNop:
			p.stack = append(p.stack, inst.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&^between == 0 {
				p.stack = append(p.stack, inst.Out)
			}
		}
	}
}
