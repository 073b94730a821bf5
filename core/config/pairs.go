package config

import (
	"slices"
	"strings"
)

// Pair is one setting that somebody gave.
type Pair struct{ Key, Value string }

// Pairs are settings by key, each key once. They are never changed: With gives a copy.
type Pairs []Pair

// Get gives the value of a key. It does not allocate.
func (c Pairs) Get(key string) (string, bool) {
	if i, ok := c.find(key); ok {
		return c[i].Value, true
	}
	return "", false
}

// With gives a copy in which key has the value, or is gone if value is nil.
func (c Pairs) With(key string, value *string) Pairs {
	i, ok := c.find(key)
	n := slices.Clone(c)
	switch {
	case value == nil && ok:
		return slices.Delete(n, i, i+1)
	case value == nil:
		return n
	case ok:
		n[i].Value = *value
		return n
	}
	return slices.Insert(n, i, Pair{key, *value})
}

func (c Pairs) find(key string) (int, bool) {
	return slices.BinarySearchFunc(c, key, func(x Pair, k string) int { return strings.Compare(x.Key, k) })
}
