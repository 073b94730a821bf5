package netns

import (
	"errors"
	"fmt"
	"os"
)

// Network is a hub that forwards between leaves. By custom leaf 0 is the clients' and the others are nodes'.
type Network struct {
	Leaves []*Space
	hub    *Space
	cuts   [][2]int // from, to
	slow   []int    // leaves
}

// NewNetwork makes a hub with its leaves, the i-th at 10.77.i.2.
func NewNetwork(leaves int) (_ *Network, err error) {
	w := &Network{}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if w.hub, err = NewSpace(); err != nil {
		return nil, err
	}
	for i := range leaves {
		if err := w.leaf(i); err != nil {
			return nil, err
		}
	}
	w.hub.Do(func() { err = os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) })
	if err != nil {
		return nil, fmt.Errorf("network namespaces: %w", err)
	}
	return w, nil
}

func (w *Network) leaf(i int) error {
	s, err := NewSpace()
	if err != nil {
		return err
	}
	w.Leaves = append(w.Leaves, s)
	s.Addr = fmt.Sprintf("10.77.%d.2", i)
	up, down, gate := upName(i), downName(i), fmt.Sprintf("10.77.%d.1", i)
	for _, c := range []struct {
		in   *Space
		args []string
	}{
		{w.hub, []string{"ip", "link", "add", "name", down, "type", "veth", "peer", "name", up}},
		{w.hub, []string{"ip", "link", "set", "dev", up, "netns", s.path}},
		{w.hub, []string{"ip", "addr", "add", gate + "/24", "dev", down}},
		{w.hub, []string{"ip", "link", "set", down, "up"}},
		{s, []string{"ip", "addr", "add", s.Addr + "/24", "dev", up}},
		{s, []string{"ip", "link", "set", up, "up"}},
		{s, []string{"ip", "route", "add", "default", "via", gate}},
	} {
		if err := c.in.Run(c.args...); err != nil {
			return err
		}
	}
	return nil
}

func upName(leaf int) string   { return fmt.Sprintf("up%d", leaf) }
func downName(leaf int) string { return fmt.Sprintf("down%d", leaf) }

// Cut loses what goes from one leaf to another, this way only.
func (w *Network) Cut(from, to int) error {
	if err := w.rule("add", from, to); err != nil {
		return err
	}
	w.cuts = append(w.cuts, [2]int{from, to})
	return nil
}

func (w *Network) rule(verb string, from, to int) error {
	return w.hub.Run("ip", "rule", verb, "pref", "10", "from", w.Leaves[from].Addr, "to", w.Leaves[to].Addr, "blackhole")
}

// Both cuts two leaves from each other.
func (w *Network) Both(a, b int) error { return errors.Join(w.Cut(a, b), w.Cut(b, a)) }

// Slow makes what a leaf sends slow, in tc's words for a queueing discipline: "netem", "delay", "200ms", "loss", "2%".
func (w *Network) Slow(leaf int, qdisc ...string) error {
	if err := w.Leaves[leaf].Run(append([]string{"tc", "qdisc", "add", "dev", upName(leaf), "root"}, qdisc...)...); err != nil {
		return err
	}
	w.slow = append(w.slow, leaf)
	return nil
}

// Heal forwards everything again, and as fast as ever.
func (w *Network) Heal() (err error) {
	for _, c := range w.cuts {
		err = errors.Join(err, w.rule("del", c[0], c[1]))
	}
	for _, l := range w.slow {
		err = errors.Join(err, w.Leaves[l].Run("tc", "qdisc", "del", "dev", upName(l), "root"))
	}
	w.cuts, w.slow = nil, nil
	return err
}

// Close ends the threads, and with them the namespaces and what runs in them.
func (w *Network) Close() {
	for _, s := range w.Leaves {
		s.Close()
	}
	if w.hub != nil {
		w.hub.Close()
	}
}
