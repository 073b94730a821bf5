package assign

import (
	"strings"
	"testing"
)

func TestAPatternMatchesWholeNames(t *testing.T) {
	for _, x := range []struct {
		pattern, yes, no string
	}{
		{"foo", "foo", "foobar xfoo"},
		{"foo|bar", "foo bar", "foobar foox xbar"},
		{"foo.*", "foo foo.1 foo-bar", "xfoo"},
		{"(?i)foo", "foo FOO fOo", "fo"},
		{"^foo$", "foo", "foox"},
		{`t\d{2,3}`, "t12 t123", "t1 t1234"},
		{`\Qa.b`, "a.b", "axb"},
		{"(?P<x>a)b", "ab", "a"},
		{`[[:alpha:]_]+`, "a_b", "a1"},
		{`\pL+`, "abc", "1"},
		{"((a{5}){2}){1}", "aaaaaaaaaa", "aaaaa"},
		{"(|a)*", "a aa", "b"},
		{"[a-z]{2}|(?-s:.)", "ab 1", "12"},
		{"a??b*?", "a b ab abb", "c"},
	} {
		p, err := Compile(x.pattern)
		if err != nil {
			t.Errorf("%s: %v", x.pattern, err)
			continue
		}
		for _, name := range strings.Fields(x.yes) {
			if !p.Match(name) {
				t.Errorf("%s is to match %s", x.pattern, name)
			}
		}
		for _, name := range strings.Fields(x.no) {
			if p.Match(name) {
				t.Errorf("%s is not to match %s", x.pattern, name)
			}
		}
	}
}

// The first ones are what RE2J refuses too; the last ones are what would cost too much.
func TestABadPatternIsRefused(t *testing.T) {
	for _, pattern := range []string{
		"(", "a)(b", "[", "*", "a{2,1}", `\8`, "(?=a)", "(?<!a)b", `(a)\1`, "a**", "(?P<x>a)(?P<x>b)", "a{1001}", "\xff", `\pX`, "a++",
		strings.Repeat("a", maxPattern+1), "(a{100}){10}{10}", strings.Repeat("a{1000}", 5), strings.Repeat("[ab]?", 800) + "(a{1000}|b{1000}|c{1000}|d{900})",
		"(?:[ab]{10}){200}",
	} {
		if _, err := Compile(pattern); err == nil {
			t.Errorf("%.40q passes", pattern)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("foo|bar.*", "foo")
	f.Add("((a{10}){10}){10}", "a")
	f.Add(`\Q(`, "(")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if p, err := Compile(pattern); err == nil {
			p.Match(name)
		}
	})
}
