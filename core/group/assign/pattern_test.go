package assign

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"

	"pgregory.net/rapid"
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

// What package regexp says of a whole name is the twin's word.
func twin(t interface{ Fatal(...any) }, pattern string) *regexp.Regexp {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`\A(?:` + tree.String() + `)\z`)
}

func TestAMatchIsWhatPackageRegexpFinds(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"a", "b", "k", ".", "-", "_", "[ab]", "[^a]", "[a-c_]", `\w`, `\W`, `\b`, `\B`, "^", "$", `\A`, `\z`, "(?i:K)", "(?i)", "(?m)", "(?s)", "(?U)", "|", "(", ")", "(?:",
		"*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,}", `\pL`, `\PL`, "é", "\u212a", `\Q.`, `\E`, "[[:alpha:]]", "(?P<x>", "\n",
	})
	letter := rapid.SampledFrom([]string{"a", "b", "c", "k", "K", "A", "-", ".", "_", "1", "é", "\u212a", "\xff", "\n"})
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(piece, 1, 8).Draw(t, "pattern"), "")
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		want := twin(t, pattern)
		for range 8 {
			name := strings.Join(rapid.SliceOfN(letter, 0, 5).Draw(t, "name"), "")
			if got := p.Match(name); got != want.MatchString(name) {
				t.Fatalf("%q and %q: match %v", pattern, name, got)
			} else if got {
				matched++
			}
		}
	})
	if matched == 0 {
		t.Error("nothing matches: the test says little")
	}
}

// Classes of Unicode are looked up character by character for their cases.
func TestFewClassesOfUnicodeAreTaken(t *testing.T) {
	for _, class := range []string{`\pL`, `\P{Greek}`, `[^\PN]`, `[a-\x{10fffe}]`, "[a-\U0010fffe]"} {
		for _, fold := range []string{"", "(?i)"} {
			if _, err := Compile(fold + strings.Repeat(class, maxWide)); err != nil {
				t.Errorf("%s%s, %d times: %v", fold, class, maxWide, err)
			}
			if _, err := Compile(fold + strings.Repeat(class, maxWide+1)); err != errPatternWide {
				t.Errorf("%s%s, %d times: %v", fold, class, maxWide+1, err)
			}
		}
	}
	if _, err := Compile("(?i)" + strings.Repeat("größe|", 200) + strings.Repeat("[^ab]", 200)); err != nil {
		t.Errorf("letters are not classes: %v", err)
	}
}

func TestAMatchAllocatesNothing(t *testing.T) {
	p, err := Compile("(orders|payments)-.*[0-9]{3}")
	if err != nil {
		t.Fatal(err)
	}
	p.Match("orders-eu-west-123")
	if n := testing.AllocsPerRun(100, func() { p.Match("orders-eu-west-123") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("foo|bar.*", "foo")
	f.Add("((a{10}){10}){10}", "a")
	f.Add(`\Q(`, "(")
	f.Add(`(?i)[^k]\b`, "\u212a")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		p, err := Compile(pattern)
		if err == nil && p.Match(name) != twin(t, pattern).MatchString(name) {
			t.Fatalf("%q and %q", pattern, name)
		}
	})
}
