// Package netns makes networks of Linux network namespaces whose links can be cut, one way too, and made slow.
//
// It owns the Space, a namespace with a thread that lives in it, and the Network, a hub that forwards between such spaces. It promises that
// nothing of the machine's own network changes, that what a cut loses is lost without a word, and that all of it is gone with the program.
// It needs the rights to make namespaces; where they are missing it says why.
//
//	leaf 0 ─ veth ─┐                                   cut(1→2): the hub drops what comes from 10.77.1.2 for 10.77.2.2
//	leaf 1 ─ veth ─┼─ hub (ip_forward, ip rule) ─ …    slow(1): netem on both ends of leaf 1's link
//	leaf 2 ─ veth ─┘
//
// Next: network.go.
package netns
